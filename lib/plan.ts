import type { Activations } from './capture';
import { separationProfile, type Direction } from './direction';
import type { WriterFactor } from './factors';
import type { RankOneFactors } from './native';
import type { RightFactor, Schedule } from './options';

/** Where the push goes and how strong it is: everything that decides an edit, given direction and right factors. */
export interface Edit {
  layer: number;
  schedule: Schedule;
  /** First and last block whose writers are edited. */
  layers: readonly [number, number];
  /** Dimensionless; see {@link unitUpdate}. */
  strength: number;
}

/**
 * The updates of strength 1: W += left * rightᵀ for each writer in `edit.layers`.
 *
 * For `gated` and `mean-input` the pushes of all writers on the mean harmful input add up to the distance |mu - nu| of
 * the direction's layer. For the mean-row factors left is the direction itself, as in the paper (alpha = 1).
 */
export function unitUpdate(
  activations: Activations,
  direction: Direction,
  factors: readonly WriterFactor[],
  rightFactor: RightFactor,
  edit: Pick<Edit, 'schedule' | 'layers'>,
): RankOneFactors[] {
  const [from, to] = edit.layers;
  const chosen = factors.filter(({ writer }) => writer.layer >= from && writer.layer <= to);
  const profile = edit.schedule === 'profile' ? separationProfile(activations, direction, edit.layers) : undefined;
  return chosen.flatMap(({ writer, right }) => {
    const perLayer = chosen.filter((other) => other.writer.layer === writer.layer).length;
    const share = profile === undefined ? 1 / chosen.length : profile[writer.layer]! / perLayer;
    // The paper's rule has no unit of its own: profile then scales alpha so that the mean share is 1.
    const push = rightFactor.startsWith('mean-row') ? share * chosen.length : share * direction.distance;
    if (push === 0) return [];
    return [{ name: writer.name, left: direction.vector.map((value) => value * push), right }];
  });
}

/** The same updates at a strength. */
export function scaled(updates: readonly RankOneFactors[], strength: number): RankOneFactors[] {
  return updates.map(({ name, left, right }) => ({ name, left: left.map((value) => value * strength), right }));
}
