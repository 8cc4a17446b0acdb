import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

import { freePort } from './free-port';

const folder = process.env['LLAMA_TOOLS'] ?? join(__dirname, '..', '..', 'build', 'llama-tools', 'out', 'bin');

/** The engine's RPC server, built from its own source by scripts/engine-tools.mjs; null where it is not built. */
export const rpcServer = [join(folder, 'ggml-rpc-server')].find(existsSync) ?? null;

const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });

/** A network of one machine's own, joined to this one by a cable. */
class Namespace {
  private readonly name: string;
  private readonly link: string;
  readonly address: string;

  constructor(number: number) {
    this.name = `rosi-${process.pid}-${number}`;
    this.link = `rosi${process.pid % 100_000}-${number}`; // at most 15 characters
    const network = `10.213.${number}`;
    this.address = `${network}.2`;
    ip('netns', 'add', this.name);
    try {
      this.connect(network);
    } catch (error) {
      this.end();
      throw error;
    }
  }

  private connect(network: string): void {
    ip('link', 'add', this.link, 'type', 'veth', 'peer', 'name', 'cable', 'netns', this.name);
    ip('addr', 'add', `${network}.1/30`, 'dev', this.link);
    ip('link', 'set', this.link, 'up');
    ip('-n', this.name, 'addr', 'add', `${this.address}/30`, 'dev', 'cable');
    ip('-n', this.name, 'link', 'set', 'cable', 'up');
  }

  within(command: string, args: readonly string[]): [string, string[]] {
    return ['ip', ['netns', 'exec', this.name, command, ...args]];
  }

  cut(): void {
    ip('link', 'set', this.link, 'down');
  }

  end(): void {
    ip('netns', 'del', this.name); // and with it both ends of the cable
  }
}

/** Why servers can't have networks of their own here; null: they can. */
export function whyNoNamespaces(): string | null {
  try {
    new Namespace(250).end();
    return null;
  } catch (error) {
    return String((error as { stderr?: Buffer }).stderr ?? error).trim();
  }
}

/** A server on one thread, each in a network of its own where the system lets us. */
export class RpcServer {
  private static started = 0;
  private process: ChildProcess | undefined;
  private log = '';

  private constructor(
    private readonly namespace: Namespace | null,
    private readonly port: number,
  ) {}

  static async start(ownNetwork: boolean): Promise<RpcServer> {
    const namespace = ownNetwork ? new Namespace(++RpcServer.started) : null;
    const server = new RpcServer(namespace, namespace === null ? await freePort() : 50_052);
    await server.restart();
    return server;
  }

  get endpoint(): string {
    return `${this.namespace?.address ?? '127.0.0.1'}:${this.port}`;
  }

  async restart(): Promise<void> {
    const args = ['--host', this.namespace?.address ?? '127.0.0.1', '--port', String(this.port), '--threads', '1'];
    const [command, all] = this.namespace?.within(rpcServer!, args) ?? [rpcServer!, args];
    const child = spawn(command, all, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (this.log += chunk.toString()));
    const end = () => child.kill('SIGKILL');
    process.once('exit', end);
    child.once('close', () => process.off('exit', end));
    this.process = child;
    while (!(await answers(this.endpoint))) {
      if (child.exitCode !== null) throw new Error(`the RPC server ended:\n${this.log.slice(-2000)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** At once, its connections closed by the system. */
  async kill(): Promise<void> {
    const ended = new Promise((resolve) => this.process!.once('close', resolve));
    if (this.process!.kill('SIGKILL')) await ended;
  }

  /** Nothing comes or goes any more, and nobody is told. */
  cut(): void {
    this.namespace!.cut();
  }

  async end(): Promise<void> {
    if (this.process!.exitCode === null && this.process!.signalCode === null) await this.kill();
    this.namespace?.end();
  }
}

function answers(endpoint: string): Promise<boolean> {
  const [host, port] = endpoint.split(':') as [string, string];
  return new Promise((resolve) => {
    const socket = connect(Number(port), host);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
