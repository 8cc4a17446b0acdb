import { RosiError } from './errors';
import type { Inspection, PlannedTensor, PromotionType } from './native';
import type { UpdatePlan } from './plan';
import type { CallOptions } from './stage';
import { byteCount } from './text';
import { trialUpdate } from './update';
import type { Writer } from './writers';

/** A tensor that is written in a wider type than its own. */
export interface Promotion {
  name: string;
  from: string;
  to: PromotionType;
  /** Bytes by which the file grows for it. */
  bytes: number;
  /** What its own type would have had; null when it can't be updated in its own type. */
  noiseToSignal: number | null;
}

/** A plan with the types in which its tensors are written. */
export interface Precision {
  plan: UpdatePlan;
  promotions: Promotion[];
  /** What its own type's noise is of each tensor that stays, where it is above the bound. */
  noisy: { name: string; noiseToSignal: number }[];
}

export interface PrecisionOptions extends CallOptions {
  /** Share of the file's size by which it may grow. 0: every tensor keeps its type. */
  maxGrowth: number;
  threads: number;
}

// Noise beside the wanted output, both as root mean squares over harmful inputs: docs/method.md.
export const mostNoise = 0.5;
const blockWeights = 32;

/**
 * Refuses before the work begins what {@link choosePrecision} would refuse whatever the edit: when not even one block's
 * writers could be promoted that have to be.
 *
 * @throws RosiError `TENSOR_UNSUPPORTED`
 */
export function checkTypes(file: Inspection, writers: readonly Writer[], maxGrowth: number): void {
  const all = widened(
    file,
    writers.map(({ name }) => name),
  );
  const ofBlock = new Map<number, Promotion[]>();
  for (const [i, { layer }] of writers.entries()) ofBlock.set(layer, [...(ofBlock.get(layer) ?? []), all[i]!]);
  const costs = [...ofBlock.values()].map((promotions) => promotions.filter(({ name }) => !canUpdate(file, name)));
  const least = costs.reduce((a, b) => (bytesOf(a) <= bytesOf(b) ? a : b));
  if (bytesOf(least) > Math.floor(maxGrowth * file.fileBytes)) throw tooLarge(file, least, writers.length, maxGrowth);
}

/**
 * Decides which tensors are written in a wider type. Those whose own type has no update in place must be; those whose
 * rounding noise on captured inputs is above half of the wanted output are, as far as `maxGrowth` allows, the noisiest
 * for its bytes first.
 *
 * @throws RosiError `TENSOR_UNSUPPORTED` when tensors must be promoted and `maxGrowth` does not allow it.
 */
export async function choosePrecision(
  model: string,
  file: Inspection,
  plan: UpdatePlan,
  options: PrecisionOptions,
): Promise<Precision> {
  const { maxGrowth } = options;
  const budget = Math.floor(maxGrowth * file.fileBytes);
  const wider = widened(
    file,
    plan.tensors.map(({ name }) => name),
  );
  const fixed = wider.filter(({ name }) => !canUpdate(file, name));
  if (bytesOf(fixed) > budget) throw tooLarge(file, fixed, plan.tensors.length, maxGrowth);
  const own = plan.tensors.filter(({ name }) => canUpdate(file, name));
  const noise = await noiseOf(model, { ...plan, tensors: own }, options);
  const noisy = wider
    .map((promotion) => ({ ...promotion, noiseToSignal: noise.get(promotion.name) ?? null }))
    .filter((promotion) => (promotion.noiseToSignal ?? 0) > mostNoise)
    .sort((a, b) => worth(b) - worth(a));
  const promotions = [...fixed];
  let left = budget - bytesOf(fixed);
  for (const promotion of noisy) {
    if (promotion.bytes > left) continue;
    promotions.push(promotion);
    left -= promotion.bytes;
  }
  const types = new Map(promotions.map(({ name, to }) => [name, to]));
  const tensors = plan.tensors.map((tensor): PlannedTensor => {
    const type = types.get(tensor.name);
    return type === undefined ? tensor : { ...tensor, type };
  });
  const stays = noisy.filter(({ name }) => !types.has(name));
  return {
    plan: { ...plan, tensors },
    promotions,
    noisy: stays.map(({ name, noiseToSignal }) => ({ name, noiseToSignal: noiseToSignal! })),
  };
}

/** Each tensor in the next wider type. */
function widened(file: Inspection, names: readonly string[]): Promotion[] {
  const sources = new Map(file.tensors.map((tensor) => [tensor.name, tensor]));
  return names.map((name) => {
    const { type: from, shape, bytes } = sources.get(name)!;
    const to = from === 'Q8_0' || shape[0]! % blockWeights !== 0 ? 'F16' : 'Q8_0';
    return { name, from, to, bytes: bytesIn(to, shape) - bytes, noiseToSignal: null };
  });
}

function canUpdate(file: Inspection, name: string): boolean {
  return file.tensors.find((tensor) => tensor.name === name)!.canUpdate;
}

function tooLarge(file: Inspection, fixed: readonly Promotion[], of: number, maxGrowth: number): RosiError {
  const { name, from, to } = fixed[0]!;
  const bytes = bytesOf(fixed);
  const least = Math.ceil((1000 * bytes) / file.fileBytes) / 1000;
  return new RosiError(
    'TENSOR_UNSUPPORTED',
    `${fixed.length} of ${of} tensors to be edited have types that can't be updated in place (${name}: ${from}). Written as ${to} ` +
      `they take ${byteCount(bytes)} more: allow a growth of ${Number((100 * least).toFixed(1))} % (maxGrowth ${least}), or write the edit as a LoRA adapter`,
    { tensor: name, type: from, bytes, maxGrowth, least },
  );
}

function bytesOf(promotions: readonly Promotion[]): number {
  return promotions.reduce((sum, { bytes }) => sum + bytes, 0);
}

async function noiseOf(model: string, plan: UpdatePlan, options: PrecisionOptions): Promise<Map<string, number>> {
  if (plan.tensors.length === 0) return new Map();
  const { threads, signal, onProgress } = options;
  const { tensors } = await trialUpdate(model, plan, { threads, signal, onProgress });
  return new Map(
    tensors.flatMap(({ name, realised: { noiseToSignal } }) => (noiseToSignal === null ? [] : [[name, noiseToSignal]])),
  );
}

/** Noise power that goes away for a byte. */
function worth({ noiseToSignal, bytes }: Promotion): number {
  return (noiseToSignal ?? 0) ** 2 / Math.max(1, bytes);
}

function bytesIn(type: PromotionType, shape: readonly number[]): number {
  const weights = shape.reduce((product, n) => product * n, 1);
  return type === 'Q8_0' ? (weights / blockWeights) * 34 : weights * (type === 'F32' ? 4 : 2);
}
