import { SingleBar } from 'cli-progress';

import type { Progress } from '../progress';

/** Progress on standard error: a line with rate and time left on a terminal, one plain line a stage otherwise. */
export class ProgressLine {
  private bar: SingleBar | undefined;
  private current = '';

  constructor(private readonly quiet: boolean) {}

  show({ stage, done, total, unit, note }: Progress): void {
    if (this.quiet) return;
    const name = note === undefined ? stage : `${stage} (${note})`;
    if (!process.stderr.isTTY) {
      if (name !== this.current) process.stderr.write(`${name}\n`);
      this.current = name;
      return;
    }
    const scale = total ?? 100;
    if (name !== this.current) {
      this.end();
      this.current = name;
      const count = total === undefined ? '{percentage} %' : `{value}/{total} ${unit ?? ''}`;
      this.bar = new SingleBar({ format: `${name}  {bar}  ${count}  ${'{eta_formatted}'} left`, stream: process.stderr, clearOnComplete: true, hideCursor: true, barsize: 24, etaBuffer: 50 });
      this.bar.start(scale, 0);
    }
    this.bar?.update(Math.round(done * scale));
  }

  end(): void {
    this.bar?.stop();
    this.bar = undefined;
    this.current = '';
  }
}
