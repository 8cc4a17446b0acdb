import type { Rows, Streams } from './capture';
import { chooseDirection, dot, type Direction } from './direction';
import { seededRandom } from './random';
import { mean, quantile } from './statistics';

/** How much a direction hangs on which prompts it was read from. */
export interface Stability {
  /** Cosine between the direction and that of prompts drawn again with replacement, over the resamples. */
  cosine: { mean: number; /** 95 % of the resamples lie between these. */ low: number; high: number };
  resamples: number;
}

const resamples = 200;

/**
 * Bootstrap of a direction: each class's prompts are drawn again with replacement, as many as there are, and the direction
 * is read from them. NaN where a class has fewer than two prompts.
 *
 * @see Efron (1979), https://doi.org/10.1214/aos/1176344552
 */
export function directionStability(activations: Streams, direction: Direction, seed: number): Stability {
  const random = seededRandom(seed, 'bootstrap');
  const { layer, vector } = direction;
  if (layer >= activations.nLayer) throw new RangeError(`block ${layer} of ${activations.nLayer}`);
  const { harmful, harmless } = activations.streams;
  if (harmful.count < 2 || harmless.count < 2) return { cosine: { mean: NaN, low: NaN, high: NaN }, resamples: 0 };
  const one = oneLayer(activations, layer);
  const cosines = Array.from({ length: resamples }, () => dot(directionAgain(one, 0, random).vector, vector));
  return {
    cosine: { mean: mean(cosines), low: quantile(cosines, 0.025), high: quantile(cosines, 0.975) },
    resamples,
  };
}

/** The direction after a block, of prompts drawn again with replacement. */
export function directionAgain(activations: Streams, layer: number, random: () => number): Direction {
  const { dModel, streams } = oneLayer(activations, layer);
  const { harmful, harmless } = streams;
  const again = { harmful: redrawn(harmful, random), harmless: redrawn(harmless, random), borderline: harmless };
  return { ...chooseDirection({ nLayer: 1, dModel, streams: again }, 0), layer };
}

/** The streams after one block alone. */
function oneLayer({ nLayer, dModel, streams }: Streams, layer: number): Streams {
  if (nLayer === 1) return { nLayer, dModel, streams };
  const at = (rows: Rows): Rows => layerOf(rows, layer, dModel);
  const { harmful, harmless, borderline } = streams;
  return { nLayer: 1, dModel, streams: { harmful: at(harmful), harmless: at(harmless), borderline: at(borderline) } };
}

/** The stream after one block: [prompts, dModel]. */
function layerOf({ count, width, data }: Rows, layer: number, dModel: number): Rows {
  const one = new Float32Array(count * dModel);
  for (let i = 0; i < count; ++i) {
    const from = i * width + layer * dModel;
    one.set(data.subarray(from, from + dModel), i * dModel);
  }
  return { count, width: dModel, data: one };
}

function redrawn({ count, width, data }: Rows, random: () => number): Rows {
  const drawn = new Float32Array(count * width);
  for (let i = 0; i < count; ++i) {
    const which = Math.floor(random() * count);
    drawn.set(data.subarray(which * width, (which + 1) * width), i * width);
  }
  return { count, width, data: drawn };
}
