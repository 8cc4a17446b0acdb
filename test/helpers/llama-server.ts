import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { freePort } from './free-port';

const folder = process.env['LLAMA_TOOLS'] ?? join(__dirname, '..', '..', 'build', 'llama-tools', 'out', 'bin');

/** The engine's server, built from its own source by scripts/engine-tools.mjs; null where it is not built. */
export const llamaServer = [join(folder, 'llama-server')].find(existsSync) ?? null;

/** A server that runs, or begins to. */
export class LlamaServer {
  private log = '';
  private readonly process: ChildProcess;
  private readonly ended: Promise<void>;

  /** `options`: of the server's command line. */
  static async start(model: string, options: readonly string[] = []): Promise<LlamaServer> {
    return new LlamaServer(await freePort(), model, options);
  }

  private constructor(port: number, model: string, options: readonly string[]) {
    this.address = `http://127.0.0.1:${port}`;
    const own = ['-m', model, '--host', '127.0.0.1', '--port', String(port), '-t', '1', '-tb', '1'];
    this.process = spawn(llamaServer!, [...own, ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.process.stdout!, this.process.stderr!]) {
      stream.on('data', (chunk: Buffer) => (this.log += chunk.toString()));
    }
    this.ended = new Promise((resolve) => this.process.once('close', () => resolve()));
    const end = () => this.process.kill('SIGKILL');
    process.once('exit', end);
    void this.ended.then(() => process.off('exit', end));
  }

  readonly address: string;

  /** Resolves when the model is loaded. */
  async ready(): Promise<this> {
    for (;;) {
      if (this.process.exitCode !== null) throw new Error(`llama-server ended:\n${this.log.slice(-2000)}`);
      const answer = await fetch(`${this.address}/health`).catch(() => null);
      if (answer?.status === 200) return this;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** What an address below the server's answers to a POST with JSON. */
  async post<T>(path: string, body: unknown, key?: string): Promise<T> {
    const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const answer = await fetch(this.address + path, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path} answers with ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  kill(): Promise<void> {
    this.process.kill('SIGKILL');
    return this.ended;
  }
}
