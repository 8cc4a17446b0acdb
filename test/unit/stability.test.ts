import type { Rows, Streams } from '../../lib/capture';
import { chooseDirection } from '../../lib/direction';
import { seededRandom } from '../../lib/random';
import { directionStability } from '../../lib/stability';

const dModel = 40;
const nLayer = 3;

/** Two classes that are `apart` from each other along the first coordinate after block 1, with noise of size 1. */
function classes(count: number, apart: number): Streams {
  const random = seededRandom(count, 'classes');
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const rows = (shift: number): Rows => {
    const data = Float32Array.from({ length: count * nLayer * dModel }, normal);
    for (let i = 0; i < count; ++i) data[(i * nLayer + 1) * dModel]! += shift;
    return { count, width: nLayer * dModel, data };
  };
  return { nLayer, dModel, streams: { harmful: rows(apart), harmless: rows(0), borderline: rows(0) } };
}
const cosineOf = (activations: Streams, layer = 1, seed = 0) =>
  directionStability(activations, chooseDirection(activations, layer), seed).cosine;

describe('directionStability', () => {
  test('is near 1 where the classes are far apart, and falls with fewer prompts', () => {
    // |noise of the mean difference| is sqrt(2 dModel / n), that of a resample about as much again.
    const expected = (n: number, apart: number) => {
      const [signal, noise] = [apart ** 2, (2 * dModel) / n];
      return (signal + noise) / Math.sqrt((signal + noise) * (signal + 2 * noise));
    };
    for (const [n, apart] of [
      [128, 8],
      [128, 2],
      [16, 2],
    ] as const)
      expect(Math.abs(cosineOf(classes(n, apart)).mean - expected(n, apart))).toBeLessThan(0.3 / Math.sqrt(n));
    expect(cosineOf(classes(128, 8)).mean).toBeGreaterThan(0.99);
    expect(cosineOf(classes(16, 2)).mean).toBeLessThan(0.9);
  });
  test('has a range around its mean, at the layer that was asked for, and depends on the seed alone', () => {
    const activations = classes(32, 3);
    const { mean, low, high } = cosineOf(activations);
    expect(low).toBeLessThan(mean);
    expect(high).toBeGreaterThan(mean);
    expect(cosineOf(activations, 0).mean).toBeLessThan(low); // noise alone there
    expect(cosineOf(activations)).toEqual({ mean, low, high });
    expect(cosineOf(activations, 1, 1).mean).not.toBe(mean);
  });
  test('of one prompt says nothing', () => {
    expect(cosineOf(classes(1, 3)).mean).toBeNaN();
  });
});
