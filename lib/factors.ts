import { meanOf, type Activations, type Rows } from './capture';
import { dot } from './direction';
import { native, runTask, type InputStatistics } from './native';
import type { RightFactor } from './options';
import { ticker, type CallOptions } from './stage';
import type { Writer } from './writers';

/** A writer's right factor. */
export interface WriterFactor {
  writer: Writer;
  /** [nExperts, nIn]; `mean` inputs of harmful prompts give right . mean = 1, except for the mean-row factors. */
  right: Float32Array;
  /** Of the harmful last tokens, for each expert those that reach it; null of token embeddings, whose inputs are tokens. */
  inputs: InputStatistics | null;
  /** Experts that too few harmful prompts reach: they have one factor, from the inputs of all experts. */
  sharing: number[];
}

/** What is solved for one matrix, or for one expert's. */
interface Inputs {
  harmful: Rows;
  kept: Rows;
}

type FactorOptions = CallOptions & { rightFactor: RightFactor; rhos: readonly number[]; threads: number };

// Writers that are solved for at once: each holds its kept inputs twice.
const mostAtOnce = 4;

// Below this an expert's mean input is that of a few prompts' words.
const fewestOfExpert = 8;

/**
 * The right factor of every writer, for an expert tensor one of each expert.
 *
 * - `gated`: r = (C + lambda I)^-1 m / (mᵀ (C + lambda I)^-1 m), m the mean harmful input at the last token, C the
 *   second moment of the inputs to keep (harmless and borderline last tokens, sampled positions, texts to keep),
 *   lambda = rho trace(C) / nIn; solved in the dual.
 * - `mean-input`: m / |m|². `mean-row`: mean of the rows of W (the paper). `mean-row-signed`: its sign set so that the
 *   mean harmful input gives a positive push.
 */
export async function rightFactorsOf(
  model: string,
  activations: Activations,
  writers: readonly Writer[],
  { rho, ...options }: Omit<FactorOptions, 'rhos'> & { rho: number },
): Promise<WriterFactor[]> {
  return (await rightFactorsFor(model, activations, writers, { ...options, rhos: [rho] }))[0]!;
}

/** {@link rightFactorsOf} for each of several rhos, of which only `gated` depends on. */
export async function rightFactorsFor(
  model: string,
  activations: Activations,
  writers: readonly Writer[],
  options: FactorOptions,
): Promise<WriterFactor[][]> {
  const { rightFactor, rhos, threads, signal } = options;
  const tick = ticker(options, 'factors', writers.length, 'tensors');
  const names = writers.map((writer) => writer.name);
  const rows = rightFactor.startsWith('mean-row')
    ? await runTask(() => native.meanRows(model, names, tick), signal)
    : undefined;
  const atOnce = Math.min(threads, mostAtOnce);
  let done = 0;
  const factors = await inTurn(writers, atOnce, async (writer, i) => {
    const { harmless, borderline, positions, harmful, kept } = activations.inputs.get(writer.name)!;
    const all = { harmful, kept: concatenate([harmless, borderline, positions, ...(kept ? [kept] : [])]) };
    const meanRow = (expert: number) => rows?.[i]?.subarray(expert * writer.nIn, (expert + 1) * writer.nIn);
    const found = await factorsOf(writer, all, meanRow, { ...options, threads: Math.floor(threads / atOnce) });
    tick(++done / writers.length);
    return found;
  });
  return rhos.map((_, k) => factors.map((ofRhos) => ofRhos[k]!));
}

/** What `work` makes of each item, in order, `atOnce` of them under way. After one has failed no other is begun. */
async function inTurn<Item, T>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item, i: number) => Promise<T>,
): Promise<T[]> {
  const made: T[] = [];
  let next = 0;
  const lane = async () => {
    try {
      while (next < items.length) {
        const i = next++;
        made[i] = await work(items[i]!, i);
      }
    } finally {
      next = items.length;
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: atOnce }, lane));
  for (const ended of lanes) if (ended.status === 'rejected') throw ended.reason;
  return made;
}

/** One for each rho. */
async function factorsOf(
  writer: Writer,
  all: Inputs,
  meanRow: (expert: number) => Float32Array | undefined,
  options: FactorOptions,
): Promise<WriterFactor[]> {
  if (all.harmful.experts === undefined) {
    const rights = await solve(all, meanRow(0), options);
    return rights.map((right) => ({ writer, right, inputs: statistics([all.harmful], right), sharing: [] }));
  }
  const rights = options.rhos.map(() => new Float32Array(writer.nExperts * writer.nIn));
  const reached: Rows[] = [];
  const sharing: number[] = [];
  let shared: Float32Array[] | undefined;
  for (let expert = 0; expert < writer.nExperts; ++expert) {
    const own = { harmful: rowsOfExpert(all.harmful, expert), kept: rowsOfExpert(all.kept, expert) };
    const enough = own.harmful.count >= fewestOfExpert;
    if (!enough) sharing.push(expert);
    const inputs = enough ? own : all;
    reached.push(own.harmful);
    const ofExpert = meanRow(expert);
    if (ofExpert === undefined && !enough) shared ??= await solve(all, undefined, options);
    const solved = (!enough && shared) || (await solve(inputs, ofExpert, options));
    for (const [k, right] of rights.entries()) right.set(solved[k]!, expert * writer.nIn);
  }
  return rights.map((right) => ({ writer, right, inputs: statistics(reached, right), sharing }));
}

/** `rows` of each expert. */
function statistics(rows: readonly Rows[], right: Float32Array): InputStatistics {
  const nIn = right.length / rows.length;
  const meanSquares = new Float32Array(right.length);
  let [power, count] = [0, 0];
  for (const [expert, { data, ...inputs }] of rows.entries()) {
    const squares = new Float64Array(nIn);
    for (let i = 0; i < inputs.count; ++i) {
      let response = 0;
      for (let j = 0; j < nIn; ++j) {
        const value = data[i * nIn + j]!;
        squares[j]! += value * value;
        response += value * right[expert * nIn + j]!;
      }
      power += response * response;
    }
    count += inputs.count;
    meanSquares.set(
      squares.map((sum) => sum / Math.max(1, inputs.count)),
      expert * nIn,
    );
  }
  return { meanSquares, responseRms: Math.sqrt(power / Math.max(1, count)) };
}

/** A right factor for each rho. */
async function solve(
  { harmful, kept }: Inputs,
  meanRow: Float32Array | undefined,
  { rightFactor, rhos, threads, signal }: FactorOptions,
): Promise<Float32Array[]> {
  const mean = Float32Array.from(meanOf(harmful));
  if (meanRow !== undefined) return rhos.map(() => signed(meanRow, rightFactor, dot(meanRow, mean)));
  if (rightFactor === 'mean-input') {
    const norm = dot(mean, mean);
    return rhos.map(() => mean.map((value) => value / norm));
  }
  const request = { kept: kept.data, keptCount: kept.count, mean, rhos: [...rhos], threads };
  return runTask(() => native.gatedFactors(request), signal);
}

/**
 * The right factor of the token embeddings, [nTokens]: the mean over each token's channels, which is the mean row as for
 * every other writer.
 *
 * @param harmful - Prompts as tokens. With `mean-row-signed` the mean of their last tokens is pushed along the direction.
 */
export async function embeddingFactor(
  model: string,
  writer: Writer,
  harmful: readonly Int32Array[],
  { rightFactor, signal }: Pick<FactorOptions, 'rightFactor' | 'signal'>,
): Promise<WriterFactor> {
  const [means] = await runTask(() => native.rowMeans(model, [writer.name]), signal);
  const response = harmful.reduce((sum, tokens) => sum + means![tokens.at(-1)!]!, 0);
  return { writer, right: signed(means!, rightFactor, response), inputs: null, sharing: [] };
}

/** `response`: a mean row's to harmful inputs, of which `mean-row-signed` fixes the sign. */
function signed(meanRow: Float32Array, rightFactor: RightFactor, response: number): Float32Array {
  const turned = rightFactor === 'mean-row-signed' && response < 0;
  return turned ? meanRow.map((value) => -value) : meanRow;
}

function rowsOfExpert({ width, data, experts }: Rows, expert: number): Rows {
  const which = Array.from(experts!.keys()).filter((row) => experts![row] === expert);
  const chosen = new Float32Array(which.length * width);
  for (const [i, row] of which.entries()) chosen.set(data.subarray(row * width, (row + 1) * width), i * width);
  return { count: which.length, width, data: chosen };
}

function concatenate(parts: Rows[]): Rows {
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const width = parts[0]!.width;
  const data = new Float32Array(count * width);
  const experts = parts.every((part) => part.experts !== undefined) ? new Int32Array(count) : undefined;
  let row = 0;
  for (const part of parts) {
    data.set(part.data, row * width);
    if (experts && part.experts) experts.set(part.experts, row);
    row += part.count;
  }
  return { count, width, data, ...(experts && { experts }) };
}
