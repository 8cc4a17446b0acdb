import { runTask, type Task, type Tick } from './native';
import type { Progress } from './progress';

/** What long calls share. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** Turns ticks into progress of a stage. It never goes back: a stage may count what several calls report from their start. */
export function ticker(options: CallOptions, stage: string, total?: number, unit?: string, note?: string): Tick {
  let last = -1;
  return (done) => {
    if (!(done > last)) return;
    last = done;
    options.onProgress?.({
      stage,
      done,
      ...(total === undefined ? {} : { total }),
      ...(unit === undefined ? {} : { unit }),
      ...(note === undefined ? {} : { note }),
    });
  };
}

/** Runs a native call as a stage, which ends at 1 when it succeeds. Native errors arrive as RosiError. */
export async function runStage<T>(
  options: CallOptions,
  { stage, total, unit, note }: Omit<Progress, 'done'>,
  start: (tick: Tick) => Task<T>,
): Promise<T> {
  const tick = ticker(options, stage, total, unit, note);
  const result = await runTask(() => start(tick), options.signal);
  tick(1);
  return result;
}
