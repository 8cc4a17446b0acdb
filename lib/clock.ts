import { writeFileSync } from 'node:fs';

/** Time and memory of one stage of a run. */
export interface StageTime {
  stage: string;
  seconds: number;
  /** Highest resident memory of the process during the stage, MiB; where the system can't tell, until its end. */
  peakMiB: number;
}

/** Measures stages; time spent in a stage of the same name adds up. */
export class StageClock {
  readonly stages: StageTime[] = [];

  async time<T>(stage: string, work: () => Promise<T>): Promise<T> {
    forgetPeak();
    const start = performance.now();
    try {
      return await work();
    } finally {
      let entry = this.stages.find((other) => other.stage === stage);
      if (entry === undefined) this.stages.push((entry = { stage, seconds: 0, peakMiB: 0 }));
      entry.seconds += (performance.now() - start) / 1000;
      entry.peakMiB = Math.max(entry.peakMiB, process.resourceUsage().maxRSS / 1024);
    }
  }
}

/** Linux alone can set a process's high-water mark back to what it holds now: proc(5), clear_refs. */
function forgetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // The mark then stays; StageTime says what it means.
  }
}
