import { RosiError } from './errors';
import type { Inspection, PlannedTensor, PromotionType, RealisedUpdate } from './native';
import type { UpdatePlan } from './plan';
import { byteCount, shortPercent } from './text';
import { isWithin, type Writer } from './writers';

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
}

// Noise beside the wanted output, both as root mean squares over harmful inputs: docs/method.md.
export const mostNoise = 0.5;
const blockWeights = 32;

/**
 * The ranges of blocks whose writers can be written: those that need no more growth than allowed for the types that have no
 * update of their own.
 *
 * @throws RosiError `TENSOR_UNSUPPORTED` when there is none, before the work that would lead to it.
 */
export function affordableRanges<Range extends readonly [number, number]>(
  file: Inspection,
  writers: readonly Writer[],
  ranges: readonly Range[],
  maxGrowth: number,
): Range[] {
  const needed = ranges.map((range) => {
    const inside = namesOf(writers.filter((writer) => isWithin(writer, range)));
    return { of: inside.length, fixed: requiredPromotions(file, inside) };
  });
  const fits = ({ fixed }: (typeof needed)[number]) => bytesOf(fixed) <= Math.floor(maxGrowth * file.fileBytes);
  const affordable = ranges.filter((_, i) => fits(needed[i]!));
  if (affordable.length > 0) return affordable;
  const cheapest = needed.reduce((a, b) => (bytesOf(a.fixed) <= bytesOf(b.fixed) ? a : b));
  throw tooLarge(file, cheapest.fixed, cheapest.of, maxGrowth);
}

/** Least growth, a share of the file's size, with which all these writers can be edited. */
export function leastGrowth(file: Inspection, writers: readonly Writer[]): number {
  return growthOf(file, requiredPromotions(file, namesOf(writers)));
}

/**
 * Promotes the tensors whose types have no update in place.
 *
 * @param maxGrowth - Share of the file's size.
 * @throws RosiError `TENSOR_UNSUPPORTED` when `maxGrowth` does not allow it.
 */
export function requiredTypes(file: Inspection, plan: UpdatePlan, maxGrowth: number): Precision {
  const promotions = requiredPromotions(file, namesOf(plan.tensors));
  if (bytesOf(promotions) > Math.floor(maxGrowth * file.fileBytes))
    throw tooLarge(file, promotions, plan.tensors.length, maxGrowth);
  return withTypes(plan, promotions);
}

/**
 * Promotes also the tensors whose rounding noise is above half of the wanted output, as far as `maxGrowth` allows, those
 * first that lose the most noise for their bytes.
 *
 * @param realised - Of each tensor in the type it has now, for its `noiseToSignal`.
 */
export function promoteNoisy(
  file: Inspection,
  { plan, promotions: required }: Precision,
  realised: readonly { name: string; realised: Pick<RealisedUpdate, 'noiseToSignal'> }[],
  maxGrowth: number,
): Precision {
  const promotions = [...required];
  const noise = new Map(realised.map((one) => [one.name, one.realised.noiseToSignal]));
  const done = new Set(required.map(({ name }) => name));
  const noisy = widened(file, namesOf(plan.tensors))
    .map((promotion) => ({ ...promotion, noiseToSignal: noise.get(promotion.name) ?? null }))
    .filter(({ name, bytes, noiseToSignal }) => !done.has(name) && bytes > 0 && (noiseToSignal ?? 0) > mostNoise)
    .sort((a, b) => worth(b) - worth(a));
  let left = Math.floor(maxGrowth * file.fileBytes) - bytesOf(required);
  for (const promotion of noisy) {
    if (promotion.bytes > left) continue;
    promotions.push(promotion);
    left -= promotion.bytes;
  }
  return withTypes(plan, promotions);
}

function withTypes(plan: UpdatePlan, promotions: Promotion[]): Precision {
  const types = new Map(promotions.map(({ name, to }) => [name, to]));
  const tensors = plan.tensors.map((tensor): PlannedTensor => {
    const type = types.get(tensor.name);
    return type === undefined ? tensor : { ...tensor, type };
  });
  return { plan: { ...plan, tensors }, promotions };
}

function namesOf(tensors: readonly { name: string }[]): string[] {
  return tensors.map(({ name }) => name);
}

/** Those of the tensors that have no update in their own type. */
function requiredPromotions(file: Inspection, names: readonly string[]): Promotion[] {
  const updatable = new Set(namesOf(file.tensors.filter(({ canUpdate }) => canUpdate)));
  return widened(
    file,
    names.filter((name) => !updatable.has(name)),
  );
}

/** Each tensor in the next wider type. */
function widened(file: Inspection, names: readonly string[]): Promotion[] {
  const sources = new Map(file.tensors.map((tensor) => [tensor.name, tensor]));
  return names.map((name) => {
    const { type: from, shape, bytes } = sources.get(name)!;
    const to = nextType(from, shape);
    return { name, from, to, bytes: bytesIn(to, shape) - bytes, noiseToSignal: null };
  });
}

function nextType(from: string, shape: readonly number[]): PromotionType {
  if (from === 'F16' || from === 'BF16' || from === 'F32') return 'F32';
  return from === 'Q8_0' || shape[0]! % blockWeights !== 0 ? 'F16' : 'Q8_0';
}

function tooLarge(file: Inspection, fixed: readonly Promotion[], of: number, maxGrowth: number): RosiError {
  const { name, from, to } = fixed[0]!;
  const bytes = bytesOf(fixed);
  const least = growthOf(file, fixed);
  return new RosiError(
    'TENSOR_UNSUPPORTED',
    `${fixed.length} of ${of} tensors to be edited have types that can't be updated in place (${name}: ${from}). Written as ${to} ` +
      `they take ${byteCount(bytes)} more: allow a growth of ${shortPercent(least)} (maxGrowth ${least}), or write the edit as a LoRA adapter`,
    { tensor: name, type: from, bytes, maxGrowth, least },
  );
}

/** In tenths of a percent, rounded up. */
function growthOf(file: Inspection, promotions: readonly Promotion[]): number {
  return Math.ceil((1000 * bytesOf(promotions)) / file.fileBytes) / 1000;
}

function bytesOf(promotions: readonly Promotion[]): number {
  return promotions.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Noise power that goes away for a byte. */
function worth({ noiseToSignal, bytes }: Promotion): number {
  return (noiseToSignal ?? 0) ** 2 / bytes;
}

function bytesIn(type: PromotionType, shape: readonly number[]): number {
  const weights = shape.reduce((product, n) => product * n, 1);
  return type === 'Q8_0' ? (weights / blockWeights) * 34 : weights * (type === 'F32' ? 4 : 2);
}
