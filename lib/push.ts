import type { Streams } from './capture';
import { chooseDirection, type Direction } from './direction';
import type { WriterFactor } from './factors';
import { native, runTask, type PlannedTensor, type RankOneFactors } from './native';
import type { ModelSession } from './session';
import { isExact, type Writer } from './writers';

/** A writer's right factor, and what stands between the matrix and the stream. */
export interface Push extends WriterFactor {
  /** [nOut], the gains that multiply the channels on the way, one by one; null: none. */
  gains: Float32Array | null;
  /** [nExperts], what the experts' outputs are multiplied by; null: nothing. */
  expertScale: Float32Array | null;
  /**
   * How far the mean harmful stream moves along a unit vector s when left = s / gains: constants on the way, or, behind
   * routers, gates and norms, as measured. 0: such a writer can't push.
   */
  reach: number;
  /** Whether `reach` was measured on prompts rather than read off the graph. */
  measured: boolean;
}

// Of the largest gain: beyond it left = s / gain would be that channel alone, and a norm would shrink all else for its
// sake. In early blocks of Gemma 3 most gains are below it.
const smallestGain = 0.02;
// Prompts that the reach is measured on: it is a mean of gates that differ by tens of percent.
const fewPrompts = 16;
// A router or gate that lets less through is not made up for: where it opens, the push would be as many times too far.
const leastReach = 0.1;

/**
 * What each writer's update comes to at the stream. Constants and gains are read from the file; what routers, gates,
 * norms and hyper-connections let through is measured on the first harmful prompts, given as tokens.
 */
export async function pushesOf(
  session: ModelSession,
  activations: Streams,
  factors: readonly WriterFactor[],
  harmful: readonly Int32Array[],
  options: { signal?: AbortSignal | undefined } = {},
): Promise<Push[]> {
  const vectors = await readVectors(session.path, factors, options.signal);
  const pushes = factors.map((factor): Push => {
    const { gains, expertScale, factor: constant } = factor.writer;
    return {
      ...factor,
      gains: gains.length === 0 ? null : floored(productOf(gains.map((name) => vectors.get(name)!))),
      expertScale: expertScale === null ? null : floored(vectors.get(expertScale)!),
      reach: constant ?? 1,
      measured: false,
    };
  });
  const inexact = pushes.filter(({ writer }) => !isExact(writer));
  if (inexact.length === 0) return pushes;
  // Any direction will do: the update is parallel to it, and a small one. This one is about what will be used.
  const { vector } = someDirection(activations);
  const trial = inexact.map((push) => toFactors(push, vector));
  const measured = await session.reach(harmful.slice(0, fewPrompts), vector, trial);
  const reachOf = new Map(inexact.map(({ writer }, i) => [writer.name, measured[i]!]));
  return pushes.map((push) => {
    const reach = reachOf.get(push.writer.name);
    if (reach === undefined) return push;
    if (reach === null) return { ...push, reach: 0, measured: true }; // a step on its way is not understood
    return { ...push, reach: bounded(push.writer, reach), measured: true };
  });
}

/** From the middle on the first at which the classes differ. */
function someDirection(activations: Streams): Direction {
  const { nLayer } = activations;
  const order = Array.from({ length: nLayer }, (_, i) => (Math.floor(nLayer / 2) + i) % nLayer);
  const directions = order.map((layer) => chooseDirection(activations, layer));
  return directions.find(({ distance }) => distance > 0) ?? directions[0]!;
}

/** The update for which the mean harmful stream moves by about `reach` along the unit vector `s`. */
export function toFactors(push: Push, s: Float32Array): PlannedTensor {
  const { writer, right, gains, expertScale } = push;
  const { name, nExperts, nOut } = writer;
  // Each token's row together: the file has the transposed matrix.
  if (writer.class === 'embedding') return { name, left: right, right: s, ...adapterWay(writer, null) };
  const one = gains === null ? s : s.map((value, i) => value / gains[i]!);
  const readout = gains === null ? {} : { readout: s.map((value, i) => value * gains[i]!) };
  const left = new Float32Array(nExperts * nOut);
  for (let expert = 0; expert < nExperts; ++expert) {
    const scale = expertScale?.[expert] ?? 1;
    left.set(scale === 1 ? one : one.map((value) => value / scale), expert * nOut);
  }
  return {
    name,
    left,
    right,
    ...(nExperts > 1 && { nExperts }),
    ...(push.inputs && { inputs: push.inputs }),
    ...readout,
    ...adapterWay(writer, expertScale),
  };
}

/**
 * The same edit as a run-time adapter: the engine adds its term at another place on the way to the stream in some
 * graphs. Null when it ignores the adapter of one of the matrices.
 */
export function adapterOf(tensors: readonly PlannedTensor[]): RankOneFactors[] | null {
  const adapter: RankOneFactors[] = [];
  for (const { name, left, right, nExperts = 1, adapter: way } of tensors) {
    if (way === null) return null;
    const factors = { name, left, right, nExperts };
    if (way === undefined) adapter.push(factors);
    else {
      const { ratio, expertScale } = way;
      const nOut = left.length / nExperts;
      const by = (i: number) => ratio * (expertScale?.[Math.floor(i / nOut)] ?? 1);
      adapter.push({ ...factors, left: left.map((value, i) => value * by(i)) });
    }
  }
  return adapter;
}

/**
 * For the tensor's plan: null where the engine ignores an adapter, nothing where its factors are the edit's.
 *
 * @param expertScale - [nExperts], of the writer; null: none.
 */
export function adapterWay(
  { adapter: way }: Pick<Writer, 'adapter'>,
  expertScale: Float32Array | null,
): Pick<PlannedTensor, 'adapter'> {
  if (way === null || !way.honoured || way.ratio === null) return { adapter: null };
  if (way.ratio === 1 && !way.expertScale) return {};
  return { adapter: { ratio: way.ratio, expertScale: way.expertScale ? expertScale : null } };
}

async function readVectors(
  path: string,
  factors: readonly WriterFactor[],
  signal: AbortSignal | undefined,
): Promise<Map<string, Float32Array>> {
  const names = new Set(
    factors.flatMap(({ writer }) => [...writer.gains, ...(writer.expertScale === null ? [] : [writer.expertScale])]),
  );
  if (names.size === 0) return new Map();
  const vectors = await runTask(() => native.readVectors(path, [...names]), signal);
  return new Map([...names].map((name, i) => [name, vectors[i]!]));
}

function productOf(gains: readonly Float32Array[]): Float32Array {
  return gains[0]!.map((value, i) => gains.slice(1).reduce((all, gain) => all * gain[i]!, value));
}

/** None smaller than a share of the largest: what it is divided by. Where all are zero, nothing comes through: all ones. */
function floored(values: Float32Array): Float32Array {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const least = largest > 0 ? smallestGain * largest : 1;
  return values.map((value) => (Math.abs(value) >= least ? value : value < 0 ? -least : least));
}

/** A norm takes every size away, so that the reach behind it has no scale of its own. */
function bounded({ class: kind, factor }: Writer, reach: number): number {
  const least = leastReach * Math.abs(factor ?? 1);
  return kind === 'post-norm' || Math.abs(reach) >= least ? reach : Math.sign(reach) * least;
}
