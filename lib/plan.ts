import type { Streams } from './capture';
import { separationProfile, type Direction } from './direction';
import type { PlannedTensor } from './native';
import type { RightFactor, Schedule } from './options';
import { toFactors, type Push } from './push';
import { isWithin } from './writers';

/** Where the push goes and how strong it is: everything that decides an edit, given activations and right factors. */
export interface Edit {
  /** Block after which the direction was read, from 0. */
  layer: number;
  schedule: Schedule;
  /** First and last block whose writers are edited. */
  layers: readonly [number, number];
  /** Dimensionless; see {@link planUpdate}. */
  strength: number;
}

/** What is to be added to which tensors. */
export interface UpdatePlan {
  edit: Edit & { rightFactor: RightFactor };
  /** W += left * rightᵀ for each; left [nOut], right [nIn]; of a stack of experts one of each for every expert. */
  tensors: PlannedTensor[];
}

/**
 * The updates of the writers in `edit.layers`.
 *
 * For `gated` and `mean-input` the pushes of all writers on the mean harmful input add up to `strength` times the
 * distance |mu - nu| of the direction, at the stream: left passes the gains, constants, gates and norms on the way. For
 * the mean-row factors left is the direction times the strength, as in the paper (its alpha), turned only where gains
 * would turn the push; the `profile` schedule then shares it such that the mean writer has the strength. A writer whose
 * share is 0 is left out: under `profile`, where the classes separate no further; and one that can't push.
 */
export function planUpdate(
  activations: Streams,
  direction: Direction,
  pushes: readonly Push[],
  edit: UpdatePlan['edit'],
): UpdatePlan {
  const chosen = pushes.filter(({ writer, reach }) => isWithin(writer, edit.layers) && reach !== 0);
  const asInPaper = edit.rightFactor.startsWith('mean-row');
  const profile = edit.schedule === 'profile' ? separationProfile(activations, direction, edit.layers) : undefined;
  const tensors = chosen.flatMap((push) => {
    const { layer } = push.writer;
    const perLayer = chosen.filter((other) => other.writer.layer === layer).length;
    const ofLayer = profile?.[layer]; // the token embeddings, of no layer, have the mean writer's
    const share = ofLayer === undefined ? 1 / chosen.length : ofLayer / perLayer;
    if (share === 0) return [];
    const factors = toFactors(push, direction.vector);
    const size = asInPaper
      ? (edit.strength * share * chosen.length) /
        (push.gains === null ? 1 : norm(factors.left) / Math.sqrt(push.writer.nExperts))
      : (edit.strength * share * direction.distance) / push.reach;
    return [{ ...factors, left: factors.left.map((value) => value * size), share }];
  });
  return { edit, tensors };
}

function norm(vector: Float32Array): number {
  return Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
}
