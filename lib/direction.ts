import { meanOf, type Streams } from './capture';
import type { Role } from './prompts';
import { auroc, mean } from './statistics';

/** Where and how the two classes differ. */
export interface Direction {
  /** Block after which it was read, from 0. */
  layer: number;
  /** Unit vector [dModel] from the mean harmless to the mean harmful stream. */
  vector: Float32Array;
  /** |mu - nu|: Euclidean distance of the means, in units of the stream. */
  distance: number;
  /** How well projections on `vector` tell the fitting prompts apart, .5 to 1. */
  auroc: number;
}

/** The direction read after block `layer`, from 0: s = (mu - nu) / |mu - nu|. @see arXiv:2508.20766, section 3 */
export function chooseDirection(activations: Streams, layer: number): Direction {
  const { dModel, streams } = activations;
  const mu = meanOf(streams.harmful, layer * dModel, dModel);
  const nu = meanOf(streams.harmless, layer * dModel, dModel);
  const difference = mu.map((value, j) => value - nu[j]!);
  const distance = Math.hypot(...difference);
  const vector = Float32Array.from(difference, (value) => (distance > 0 ? value / distance : 0));
  const project = (role: Role) => along(activations, { layer, vector }, role);
  return { layer, vector, distance, auroc: auroc(project('harmful'), project('harmless')) };
}

/** How well each layer's own direction tells the fitting prompts apart, and how far their means lie from each other. */
export function separationOf(activations: Streams): Omit<Direction, 'vector'>[] {
  return Array.from({ length: activations.nLayer }, (_, layer) => {
    const { distance, auroc } = chooseDirection(activations, layer);
    return { layer, distance, auroc };
  });
}

/** Where the prompts of each role lie along a direction: 0 is the mean of the harmless, 1 that of the harmful ones. */
export function projectionsOf(activations: Streams, direction: Direction): Record<Role, number[]> {
  const harmless = along(activations, direction, 'harmless');
  const zero = mean(harmless);
  const scaled = (values: readonly number[]) => values.map((value) => (value - zero) / (direction.distance || 1));
  return {
    harmful: scaled(along(activations, direction, 'harmful')),
    harmless: scaled(harmless),
    borderline: scaled(along(activations, direction, 'borderline')),
  };
}

/** Projection of each prompt's last token. */
function along(
  { dModel, streams }: Streams,
  { layer, vector }: Pick<Direction, 'layer' | 'vector'>,
  role: Role,
): number[] {
  const { count, width, data } = streams[role];
  return Array.from({ length: count }, (_, i) =>
    dot(data.subarray(i * width + layer * dModel, i * width + (layer + 1) * dModel), vector),
  );
}

/**
 * Share of the push that each layer carries under the `profile` schedule: it grows with depth as the separation of the
 * classes along `direction` does. [nLayer], sums to 1 over `layers`.
 */
export function separationProfile(
  activations: Streams,
  direction: Direction,
  layers: readonly [number, number],
): Float64Array {
  const { dModel, nLayer, streams } = activations;
  const shares = new Float64Array(nLayer);
  let before = 0;
  for (let layer = 0; layer < nLayer; ++layer) {
    const mu = meanOf(streams.harmful, layer * dModel, dModel);
    const nu = meanOf(streams.harmless, layer * dModel, dModel);
    let separation = 0;
    for (let j = 0; j < dModel; ++j) separation += (mu[j]! - nu[j]!) * direction.vector[j]!;
    if (layer >= layers[0] && layer <= layers[1]) shares[layer] = Math.max(0, separation - before);
    before = Math.max(before, separation);
  }
  const total = shares.reduce((a, b) => a + b, 0);
  return shares.map((share) => (total > 0 ? share / total : 0));
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; ++i) sum += a[i]! * b[i]!;
  return sum;
}
