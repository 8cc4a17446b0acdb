import { roles, type Role } from './prompts';
import { seededRandom } from './random';
import type { ModelSession } from './session';
import type { Writer } from './writers';

/** Rows of float32 vectors, one after the other. */
export interface Rows {
  count: number;
  width: number;
  data: Float32Array;
  /** [count]: the expert that each row went to. */
  experts?: Int32Array;
  /** Rows of one position, one for each expert in use. Default 1. */
  perPosition?: number;
}

/** What the stream holds while the fitting prompts run. */
export interface Streams {
  /** Of how many blocks. */
  nLayer: number;
  dModel: number;
  /** Residual stream after each block at the last prompt token: [prompts, nLayer, dModel]. */
  streams: Record<Role, Rows>;
}

/** What the writers and the stream hold. The inputs are hundreds of MB of a large model: drop them when used. */
export interface Activations extends Streams {
  /**
   * Inputs of each writer: at the last token of each prompt of a role, and at sampled other positions. Of an expert
   * tensor one row for each expert in use there.
   */
  inputs: Map<string, WriterInputs>;
}

/** `kept`: of texts to be kept as they are, both their last tokens and other positions. */
export type WriterInputs = Record<Role | 'positions', Rows> & { kept?: Rows };

// Other positions of each prompt and text to be kept: enough to cover the template's own tokens.
const positionsPerPrompt = 2;

export interface CaptureOptions {
  /** Decides which other positions are read. */
  seed: number;
  /** Whether the writers' inputs are read at other positions, too. Default true. */
  positions?: boolean | undefined;
  /** Read the first `nLayer` blocks' streams; blocks beyond them and beyond the writers are not run. Default all. */
  nLayer?: number | undefined;
}

/**
 * Runs the fitting prompts once and reads the residual stream after each block and the writers' inputs.
 *
 * @param options.keep - Texts whose inputs are kept, too; their streams are not read.
 * @param options.system - System prompt during the extraction of harmful and harmless activations; kept inputs are read
 *   without.
 */
export async function captureActivations(
  session: ModelSession,
  prompts: Record<Role, string[]>,
  writers: readonly Writer[],
  options: CaptureOptions & { system?: string | undefined; keep?: readonly string[] | undefined },
): Promise<Activations> {
  const { system, keep = [], ...capture } = options;
  const tokens = encodeRoles(prompts, (prompt) => session.encode(prompt));
  const activations = await captureTokens(session, tokens, writers, capture);
  if (keep.length > 0) await addKept(session, activations, keep, capture.seed);
  if (system === undefined) return activations;
  const prompted = encodeRoles({ ...prompts, borderline: [] }, (prompt) => session.encode(prompt, system));
  const stage = 'capture with system prompt';
  const { streams } = await captureTokens(session, prompted, [], { ...capture, nLayer: activations.nLayer }, stage);
  return { ...activations, streams: { ...streams, borderline: activations.streams.borderline } };
}

async function addKept(
  session: ModelSession,
  { inputs }: Activations,
  texts: readonly string[],
  seed: number,
): Promise<void> {
  const random = seededRandom(seed, 'kept positions');
  const tokens = texts.map((text) => session.encode(text));
  const positions = tokens.map(({ length }) => somePositions(length, random));
  const request = { streams: false, writers: [...inputs.keys()], positions };
  const found = await session.capture(tokens, request, 'capture of kept texts');
  for (const { writer, dIn, nUsed, rows, experts } of found.inputs)
    inputs.get(writer)!.kept = rowsOf(rows, dIn, experts, nUsed);
}

/** {@link captureActivations} of prompts that are tokens already. */
export async function captureTokens(
  session: ModelSession,
  prompts: Record<Role, Int32Array[]>,
  writers: readonly Writer[],
  options: CaptureOptions,
  stage = 'capture',
): Promise<Activations> {
  const random = seededRandom(options.seed, 'positions');
  const tokens = roles.flatMap((role) => prompts[role]);
  const positions = roles.flatMap((role) =>
    prompts[role].map(({ length }) =>
      options.positions === false || role === 'harmful' ? [] : somePositions(length, random),
    ),
  );
  const nLayer = options.nLayer ?? (await session.depth());
  const names = writers.map((writer) => writer.name);
  const request = { streams: true, nLayer, writers: names, positions };
  const { dModel, streams, inputs } = await session.capture(tokens, request, stage);
  const byRole = (rows: Rows, each = 1) =>
    Object.fromEntries(
      roles.map((role) => [role, slice(rows, each * offset(prompts, role), each * prompts[role].length)]),
    ) as Record<Role, Rows>;
  return {
    nLayer,
    dModel,
    streams: byRole(rowsOf(streams, nLayer * dModel)),
    inputs: new Map(
      inputs.map(({ writer, dIn, nUsed, rows: data, experts }) => {
        const rows = rowsOf(data, dIn, experts, nUsed);
        const atLast = nUsed * tokens.length;
        return [writer, { ...byRole(rows, nUsed), positions: slice(rows, atLast, rows.count - atLast) }];
      }),
    ),
  };
}

/** Of a prompt's tokens before the last. */
function somePositions(length: number, random: () => number): number[] {
  if (length < 2) return [];
  return Array.from({ length: positionsPerPrompt }, () => Math.floor(random() * (length - 1)));
}

function encodeRoles(
  prompts: Record<Role, string[]>,
  encode: (prompt: string) => Int32Array,
): Record<Role, Int32Array[]> {
  return {
    harmful: prompts.harmful.map(encode),
    harmless: prompts.harmless.map(encode),
    borderline: prompts.borderline.map(encode),
  };
}

function offset(prompts: Record<Role, readonly unknown[]>, role: Role): number {
  if (role === 'harmful') return 0;
  return prompts.harmful.length + (role === 'borderline' ? prompts.harmless.length : 0);
}

function rowsOf(data: Float32Array, width: number, experts?: Int32Array | null, perPosition = 1): Rows {
  return { count: width === 0 ? 0 : data.length / width, width, data, ...(experts && { experts, perPosition }) };
}

function slice({ width, data, experts, perPosition }: Rows, first: number, count: number): Rows {
  const part = data.subarray(first * width, (first + count) * width);
  return {
    count,
    width,
    data: part,
    ...(experts && { experts: experts.subarray(first, first + count), perPosition: perPosition! }),
  };
}

/** Mean of rows, summed in float64; `from` and `width` choose columns. */
export function meanOf(rows: Rows, from = 0, width = rows.width): Float64Array {
  const sum = new Float64Array(width);
  for (let i = 0; i < rows.count; ++i) {
    const start = i * rows.width + from;
    for (let j = 0; j < width; ++j) sum[j]! += rows.data[start + j]!;
  }
  return sum.map((value) => value / Math.max(1, rows.count));
}
