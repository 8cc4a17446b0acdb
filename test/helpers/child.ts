import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { tinyGguf } from './tiny-gguf';

const scripts = join(__dirname, '..', 'process', 'children');

export interface Ended {
  code: number | null;
  /** Of a process that was killed or crashed. */
  signal: NodeJS.Signals | null;
  stderr: string;
}

/** A process of its own. It speaks one JSON value a line on standard output: `[word, value]`. */
export class Child {
  readonly ended: Promise<Ended>;
  private readonly process: ChildProcess;
  private readonly heard: [string, unknown][] = [];
  private waiting: (() => void)[] = [];
  private over: Ended | undefined;

  /** @param command - A script of test/process/children, or a path, and its arguments. */
  constructor(command: readonly string[], options: { node?: readonly string[]; env?: NodeJS.ProcessEnv } = {}) {
    const [script, ...rest] = command;
    const path = join(script!.includes('/') ? '' : scripts, script!);
    this.process = spawn(process.execPath, [...(options.node ?? []), path, ...rest], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
    });
    running.add(this);
    let stderr = '';
    this.process.stderr!.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      for (const line of chunk.toString().split('\n')) this.hear('stderr', line);
    });
    createInterface(this.process.stdout!).on('line', (line) => {
      if (!line.startsWith('["')) return;
      const [word, value] = JSON.parse(line) as [string, unknown];
      this.hear(word, value);
    });
    this.ended = new Promise((resolve) => {
      this.process.on('close', (code, signal) => {
        running.delete(this);
        this.over = { code, signal, stderr };
        this.hear('ended', code);
        resolve(this.over);
      });
    });
  }

  /** The value that came, or comes, with a word. Rejects when the process ends without. */
  async said<T>(word: string, accepts: (value: T) => boolean = () => true): Promise<T> {
    for (;;) {
      const found = this.heard.find(([other, value]) => other === word && accepts(value as T));
      if (found) return found[1] as T;
      if (this.over) throw new Error(`the process ended without saying ${word}: ${JSON.stringify(this.over)}`);
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  private hear(word: string, value: unknown): void {
    this.heard.push([word, value]);
    for (const wake of this.waiting.splice(0)) wake();
  }
}

const running = new Set<Child>();
afterEach(async () => {
  // Of a test that failed half way.
  for (const child of running) child.signal('SIGKILL');
  await Promise.all([...running].map((child) => child.ended));
});

/** What a process that did all it should looks like. */
export const clean = { code: 0, signal: null };

/** Milliseconds until it has ended. */
export async function timeToEnd(child: Child): Promise<number> {
  const start = performance.now();
  await child.ended;
  return performance.now() - start;
}

/**
 * A GGUF of a few MB whose update takes seconds on one thread: an update of 1/10,000 of the weights' size is where
 * Q3_K is slowest. children/common.mjs has the factors.
 */
export function writeSlowModel(path: string, nTensors = 4): string {
  const rows = tinyGguf({ tensors: [{ name: 'w', type: 'Q3_K', shape: [4096, 32] }] });
  const bytes = Buffer.concat(Array<Buffer>(16).fill(rows.bytes.subarray(rows.place('data'))));
  const tensors = Array.from({ length: nTensors }, (_, i) => ({
    name: `w${i}`,
    type: 'Q3_K' as const,
    shape: [4096, 512],
    bytes,
  }));
  return tinyGguf({ tensors }).write(path);
}
