import type { RightFactor, Schedule, Settings } from '../options';
import { schedules } from '../options';
import type { Edit } from '../plan';
import type { Dimension, Observation } from './tpe';
import { type Shape, type Trial } from './trial';

export type Range = readonly [number, number];

/** The edits that a search may try. */
export interface Space {
  /** Blocks after which a direction may be read. */
  layers: readonly number[];
  /** Those of them that are compared first. */
  spread: readonly number[];
  /** Blocks that may be edited, first and last; the middle ones come first. */
  ranges: readonly Range[];
  schedules: readonly Schedule[];
}

// Where the strength is first looked for; it is then set by what it does.
export const probes: Readonly<Record<RightFactor, number>> = {
  gated: 1.2,
  'mean-input': 0.5,
  'mean-row': 30,
  'mean-row-signed': 30,
};
// Depths, as shares of the model's.
const compared = [0.35, 0.46, 0.57, 0.68, 0.79, 0.9];
const firsts = [0, 0.17, 0.35, 0.55];
const lasts = [0.6, 0.7, 0.85, 1];
const narrowest = 0.3;
/** Shares of the KL bound that a trial may aim at. */
const spending = [0.1, 0.15, 0.22, 0.33, 0.47, 0.66, 0.9];
// A strength that is predicted from others is not trusted farther away than this factor.
const farthest = 2;

/** What was given is not varied. */
export function spaceOf(
  nLayer: number,
  ranges: readonly Range[],
  { layer, schedule }: Pick<Settings, 'layer' | 'schedule'>,
): Space {
  const spread = layer === null ? unique(compared.map((share) => blockAt(share, nLayer))) : [layer];
  const layers = Array.from({ length: spread.at(-1)! - spread[0]! + 1 }, (_, i) => spread[0]! + i);
  return { layers, spread, ranges, schedules: schedule === null ? schedules : [schedule] };
}

/** The blocks, first and last, that an edit may have: the middle ones first, unless given. */
export function rangesOf(
  nLayer: number,
  { layer, layers, strength }: Pick<Settings, 'layer' | 'layers' | 'strength'>,
): Range[] {
  if (layers !== null) return [layers];
  const all = [0, nLayer - 1] as const;
  if (layer !== null && strength !== null) return [all];
  const at = (share: number) => blockAt(share, nLayer);
  const grid = firsts.flatMap((first) =>
    lasts.filter((last) => last - first >= narrowest).map((last) => [at(first), at(last)] as const),
  );
  const ranges = [[at(0.17), at(0.7)] as const, all, ...grid];
  return ranges.filter((range, i) => ranges.findIndex((other) => other.join() === range.join()) === i);
}

/** Layer, first and last block, schedule, and unless the strength is given the logarithm of the drift's share of the bound. */
export function dimensionsOf(
  { layers, ranges, schedules }: Space,
  { strength }: Pick<Settings, 'strength'>,
): Dimension[] {
  return [
    { values: layers, ordered: true },
    { values: unique(ranges.map(([first]) => first)), ordered: true },
    { values: unique(ranges.map(([, last]) => last)), ordered: true },
    { values: schedules.map((_, i) => i), ordered: false },
    ...(strength === null ? [{ values: spending.map(Math.log), ordered: true }] : []),
  ];
}

export function isPossible({ ranges }: Space, [, first, last]: readonly number[]): boolean {
  return ranges.some((range) => range[0] === first && range[1] === last);
}

/** What a trial was, by what it spent rather than what it aimed at. */
export function observationOf(
  { schedules }: Space,
  trial: Trial,
  settings: Pick<Settings, 'strength' | 'maxKl'>,
): Observation {
  const { layer, layers, schedule, screening } = trial;
  const spent = Math.log(Math.max(screening.kl, 1e-9) / Math.max(settings.maxKl, 1e-9));
  const point = [layer, ...layers, schedules.indexOf(schedule), ...(settings.strength === null ? [spent] : [])];
  return { point, merit: merit(trial) };
}

/** The edit at a point: its strength is what should spend the share, from what was tried. */
export function editAt(
  { schedules }: Space,
  [layer, first, last, schedule, spend]: readonly number[],
  tried: readonly Trial[],
  { strength, maxKl }: Pick<Settings, 'strength' | 'maxKl'>,
): Edit {
  const shape: Shape = { layer: layer!, schedule: schedules[schedule!]!, layers: [first!, last!] };
  if (strength !== null) return { ...shape, strength };
  const distances = tried.map((trial) => distance(shape, trial));
  const least = Math.min(...distances);
  const near = tried.filter((_, i) => distances[i] === least);
  return { ...shape, strength: strengthFor(near, Math.exp(spend!) * maxKl) };
}

/** A trial past the bound even where it was predicted to be within is no choice. */
export function merit({ score, breaks }: Trial): number {
  return score - (breaks.includes('maxKl') ? 1 : 0);
}

/**
 * The strength at which one shape would drift by `kl`, from what it does at others. Drift is a power of the strength:
 * of two where it is small, of more near the cliff; two strengths tell which.
 */
export function strengthFor(known: readonly Trial[], kl: number): number {
  const drift = ({ screening }: Trial) => Math.log(Math.max(screening.kl, 1e-9));
  const distance = (trial: Trial) => Math.abs(drift(trial) - Math.log(kl));
  const [near, next] = [...known].sort((a, b) => distance(a) - distance(b)) as [Trial, Trial | undefined];
  const slope =
    next === undefined ? 2 : (drift(near) - drift(next)) / (Math.log(near.strength) - Math.log(next.strength));
  const power = Number.isFinite(slope) ? Math.min(8, Math.max(1, slope)) : 2;
  const factor = Math.exp((Math.log(kl) - drift(near)) / power);
  return rounded(near.strength * Math.min(farthest, Math.max(1 / farthest, factor)));
}

/** Strengths are for people to read, too. */
export function rounded(strength: number): number {
  return Number(strength.toPrecision(3));
}

/** How unlike two shapes are in what their strength does: the blocks and the schedule count for more than the layer. */
function distance(a: Shape, b: Shape): number {
  const blocks = Math.abs(a.layers[0] - b.layers[0]) + Math.abs(a.layers[1] - b.layers[1]);
  return Math.abs(a.layer - b.layer) + 2 * blocks + (a.schedule === b.schedule ? 0 : 1000);
}

function blockAt(share: number, nLayer: number): number {
  return Math.round(share * (nLayer - 1));
}

function unique(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}
