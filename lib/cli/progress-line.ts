import { SingleBar } from 'cli-progress';

import type { Progress } from '../progress';
import { byteCount, duration, oneLine, printable } from '../text';
import type { Streams } from './context';

// Without a terminal a stage is one line when it begins; a long one says now and then that it lives.
const heartbeat = 30_000;

/**
 * Progress on standard error. On a terminal: a bar with rate and time left, and a line that stays when a stage is done.
 * Elsewhere: plain lines.
 */
export class ProgressLine {
  private readonly terminal: boolean;
  private bar: SingleBar | undefined;
  private stage: string | undefined;
  private stageStart = 0;
  private round = { done: 0, note: undefined as string | undefined, start: 0 };
  private lastLine = 0;

  constructor(
    private readonly stderr: Streams['stderr'],
    private readonly quiet: boolean,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.terminal = stderr.isTTY === true && process.env['TERM'] !== 'dumb';
  }

  /** Never throws and costs microseconds: it is called on every tick. */
  show(progress: Progress): void {
    if (this.quiet) return;
    const { stage, done, note } = progress;
    if (stage !== this.stage) this.begin(progress);
    // A stage may go through its prompts several times, e.g. once a trial: rate and time left are of the round.
    if (done < this.round.done || note !== this.round.note) this.round = { done, note, start: this.now() };
    this.round.done = done;
    if (this.terminal)
      this.bar?.update(Math.round(1000 * Math.min(1, Math.max(0, done))), { status: this.status(progress) });
    else if (this.now() - this.lastLine >= heartbeat) this.line(`  ${oneLine(stage)} ${this.status(progress)}`);
  }

  /** Takes the bar away: after the last tick, and before anything else is printed. */
  end(): void {
    if (this.stage === undefined) return;
    this.bar?.stop();
    this.bar = undefined;
    if (this.terminal)
      this.stderr.write(`${oneLine(this.stage)}  ${duration((this.now() - this.stageStart) / 1000)}\n`);
    this.stage = undefined;
  }

  private begin({ stage, done, total, unit, note }: Progress): void {
    this.end();
    this.stage = stage;
    this.stageStart = this.now();
    this.round = { done, note, start: this.stageStart };
    if (!this.terminal) {
      this.line(`${oneLine(stage)} ${total === undefined ? '' : amount(total, unit)}`.trimEnd());
      return;
    }
    this.bar = new SingleBar({
      format: `${oneLine(stage)}  {bar}  {percentage} %  {status}`,
      stream: this.stderr as NodeJS.WritableStream,
      clearOnComplete: true,
      hideCursor: true,
      barsize: 20,
      barCompleteChar: '#',
      barIncompleteChar: '.',
      linewrap: false,
      gracefulExit: false, // lib/cli/interrupt.ts listens
      emptyOnZero: true,
    });
    this.bar.start(1000, 0, { status: '' });
  }

  private status({ done, total, unit, note }: Progress): string {
    const seconds = (this.now() - this.round.start) / 1000;
    const parts: string[] = [];
    if (!this.terminal) parts.push(`${(100 * done).toFixed(0)} %`);
    if (total !== undefined && done > 0 && seconds > 0) parts.push(rate((done * total) / seconds, unit));
    if (done > 0 && done < 1 && seconds >= 1) parts.push(`${duration((seconds * (1 - done)) / done)} left`);
    if (note !== undefined) parts.push(oneLine(note, 60));
    return parts.join('  ');
  }

  private line(text: string): void {
    this.lastLine = this.now();
    this.stderr.write(`${printable(text)}\n`);
  }
}

function amount(total: number, unit: string | undefined): string {
  if (unit === 'bytes') return byteCount(total);
  return `${total} ${total === 1 ? (unit ?? '').replace(/s$/u, '') : (unit ?? '')}`.trim();
}

function rate(perSecond: number, unit: string | undefined): string {
  if (unit === 'bytes') return `${byteCount(perSecond)}/s`;
  return `${perSecond >= 100 ? perSecond.toFixed(0) : perSecond.toPrecision(2)} ${unit ?? ''}/s`;
}
