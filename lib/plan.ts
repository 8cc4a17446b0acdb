import type { Streams } from './capture';
import { separationProfile, type Direction } from './direction';
import type { WriterFactor } from './factors';
import type { PlannedTensor } from './native';
import type { RightFactor, Schedule } from './options';

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
 * distance |mu - nu| of the direction. For the mean-row factors left is the direction times the strength, as in the
 * paper (its alpha); the `profile` schedule then shares it such that the mean writer has the strength. A writer whose
 * share is 0 is left out: under `profile`, where the classes separate no further.
 */
export function planUpdate(
  activations: Streams,
  direction: Direction,
  factors: readonly WriterFactor[],
  edit: UpdatePlan['edit'],
): UpdatePlan {
  const [from, to] = edit.layers;
  const chosen = factors.filter(({ writer }) => writer.layer >= from && writer.layer <= to);
  const profile = edit.schedule === 'profile' ? separationProfile(activations, direction, edit.layers) : undefined;
  const tensors = chosen.flatMap(({ writer, right }) => {
    const perLayer = chosen.filter((other) => other.writer.layer === writer.layer).length;
    const share = profile === undefined ? 1 / chosen.length : profile[writer.layer]! / perLayer;
    const unit = edit.rightFactor.startsWith('mean-row') ? chosen.length : direction.distance;
    const push = edit.strength * share * unit;
    return share === 0 ? [] : [{ name: writer.name, left: direction.vector.map((value) => value * push), right }];
  });
  return { edit, tensors };
}
