import type { Progress } from '../progress';
import type { Library, Streams } from './context';
import { type Interrupt, listenForInterrupt } from './interrupt';
import { ProgressLine } from './progress-line';

/** One run of the command: what its subcommands share. */
export class Invocation {
  /** Exit status once the subcommand is done. */
  status = 0;
  /** Of the long call in progress, or of the last one. */
  interrupt: Interrupt | undefined;

  constructor(
    readonly library: Library,
    readonly streams: Streams,
  ) {}

  /** Writes a result: text as it is, anything else as JSON. */
  print(result: unknown): void {
    const text = typeof result === 'string' ? result : JSON.stringify(result, null, 2);
    this.streams.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  /** Runs something that takes long, with progress and a way to stop it. */
  async long<T>(
    quiet: boolean,
    work: (signal: AbortSignal, onProgress: (tick: Progress) => void) => Promise<T>,
  ): Promise<T> {
    const progress = new ProgressLine(this.streams.stderr, quiet);
    const interrupt = (this.interrupt = listenForInterrupt(this.streams, () => progress.end()));
    let settled = false;
    try {
      return await work(interrupt.signal, (tick) => {
        // A tick can arrive after the promise has settled, and one after Ctrl-C would draw over the message.
        if (!settled && !interrupt.signal.aborted) progress.show(tick);
      });
    } finally {
      settled = true;
      progress.end();
      interrupt.end();
    }
  }
}
