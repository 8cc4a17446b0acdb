// The `rosi` command with a library that does nothing, and streams that keep what is written to them.
import { EventEmitter } from 'node:events';
import { PassThrough, Readable } from 'node:stream';

import type { Library } from '../../lib/cli/context';
import { run } from '../../lib/cli/run';
import type { ModelWriters, Writer } from '../../lib/writers';
import { sampleDoctorReport } from './doctor';
import { sampleEvaluation } from './evaluation';
import { samplePlan } from './plan';
import { sampleReport } from './report';

export const inspection = {
  version: 3,
  alignment: 32,
  fileBytes: 4_700_000,
  infosOffset: 3900,
  dataOffset: 4096,
  metadata: {
    'general.architecture': 'llama',
    'general.name': 'tiny \u001b[2J',
    'llama.block_count': 1,
    'tokenizer.chat_template': 'x',
  },
  tensors: [
    { name: 'blk.0.attn_output.weight', type: 'Q8_0', shape: [64, 64], offset: 0, bytes: 4352, canUpdate: true },
    { name: 'blk.0.ffn_down.weight', type: 'Q8_0', shape: [128, 64], offset: 4352, bytes: 8704, canUpdate: true },
    { name: 'token_embd.weight', type: 'F16', shape: [64, 100], offset: 13056, bytes: 12800, canUpdate: true },
  ],
};
export const writer: Writer = {
  name: 'blk.0.attn_output.weight',
  layer: 0,
  kind: 'attention output',
  type: 'q8_0',
  nIn: 64,
  nOut: 64,
  nExperts: 1,
  class: 'direct',
  why: '',
  factor: 1,
  gains: [],
  expertScale: null,
  path: [],
  uses: 1,
  adapter: null,
  input: 'a',
  product: 'b',
  top: 'b',
  join: 'c',
};
export const foundWriters: ModelWriters = {
  architecture: 'llama',
  embedding: {
    ...writer,
    name: 'token_embd.weight',
    layer: -1,
    kind: 'token embeddings',
    class: 'embedding',
    why: 'it is the output head, too',
  },
  writers: [
    writer,
    {
      ...writer,
      name: 'blk.0.ffn_down.weight',
      kind: 'FFN down',
      nIn: 128,
      class: 'post-norm',
      path: [
        { kind: 'norm' },
        { kind: 'channel', tensor: 'blk.0.post_ffw_norm.weight' },
        { kind: 'constant', value: 0.25 },
      ],
    },
  ],
  leftOut: [],
};
const applied = {
  sourceMatches: true,
  sourceSha256: 'a'.repeat(64),
  sourceBytes: 4_700_000,
  outputBytes: 4_700_128,
  output: 'm.hardened.gguf',
  tensors: sampleReport().tensors.map((tensor) => ({ ...tensor, sha256: 'c'.repeat(64) })),
};
const verified = {
  ok: true,
  checksumOk: true,
  sourceMatches: true,
  tensors: [{ name: 't', sha256Ok: true, changedBytes: 5 }],
  unplannedDifferences: [],
  unchanged: [],
  recomputed: null,
};

export interface Call {
  name: string;
  args: unknown[];
}

/** A library that does nothing, and notes how it was called. */
export function library(changes: Partial<Library> = {}): Library & { calls: Call[] } {
  const calls: Call[] = [];
  const noting =
    <T>(name: string, result: T) =>
    (...args: unknown[]) => {
      calls.push({ name, args });
      return Promise.resolve(result);
    };
  return {
    calls,
    version: '1.2.3',
    harden: noting('harden', sampleReport()),
    makePlan: noting('makePlan', samplePlan()),
    readPlan: noting('readPlan', samplePlan()),
    applyPlan: noting('applyPlan', applied),
    writeOutputs: (...args) => {
      calls.push({ name: 'writeOutputs', args });
      return Promise.resolve(Object.values(args[0]).filter((path) => path !== undefined));
    },
    evaluate: noting('evaluate', sampleEvaluation()),
    inspect: noting('inspect', inspection),
    findWritersInFile: noting('findWritersInFile', foundWriters),
    verifyUpdate: noting('verifyUpdate', verified),
    revert: noting('revert', { sha256: 'ab'.repeat(32), bytes: 5000, output: 'm.gguf' }),
    doctor: noting('doctor', sampleDoctorReport()),
    generate: noting('generate', [{ prompt: 'Hi', text: 'Hello.\u001b[2J' }]),
    ...changes,
  };
}

export class Sink extends PassThrough {
  isTTY = false;
  columns = 100;
  get text(): string {
    return this.chunks.join('');
  }
  private readonly chunks: string[] = [];
  constructor() {
    super();
    this.on('data', (chunk: Buffer) => this.chunks.push(chunk.toString('utf8')));
  }
}

export async function rosi(argv: string[], lib: Library = library(), terminal = false, stdin = '') {
  const [stdout, stderr, signals] = [new Sink(), new Sink(), new EventEmitter()];
  stdout.isTTY = stderr.isTTY = terminal;
  const exits: number[] = [];
  const streams = {
    stdin: Readable.from([Buffer.from(stdin)]),
    stdout,
    stderr,
    signals,
    exit: (code: number) => void exits.push(code),
  };
  const running = run(argv, lib, streams);
  return { running, stdout, stderr, signals, exits, status: () => running };
}

export async function finished(argv: string[], lib: Library = library(), terminal = false, stdin = '') {
  const { running, stdout, stderr, exits, signals } = await rosi(argv, lib, terminal, stdin);
  const status = await running;
  await new Promise(setImmediate);
  expect(signals.eventNames()).toEqual([]);
  return { status, out: stdout.text, err: stderr.text, exits };
}
