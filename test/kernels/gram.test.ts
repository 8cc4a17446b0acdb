import { kernels } from '../helpers/kernels';
import { noise, norm } from '../helpers/reference';

const gatedFor = (kept: Float32Array, keptCount: number, mean: Float32Array, rhos: number[], threads = 1) =>
  kernels.gatedFactors({ kept, keptCount, mean, rhos, threads }).done;
const gated = async (kept: Float32Array, keptCount: number, mean: Float32Array, rho: number, threads = 1) =>
  (await gatedFor(kept, keptCount, mean, [rho], threads))[0]!;

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let j = 0; j < a.length; ++j) sum += a[j]! * b[j]!;
  return sum;
}

/** (C + lambda I) r in float64, which the factor makes parallel to the mean. */
function applied(kept: Float32Array, n: number, r: Float32Array, rho: number): Float64Array {
  const d = r.length;
  const result = Float64Array.from(r, (x) => (rho * norm(kept) ** 2 * x) / (n * d));
  for (let i = 0; i < n; ++i) {
    const row = kept.subarray(i * d, (i + 1) * d);
    const along = dot(row, r) / n;
    row.forEach((x, j) => (result[j]! += along * x));
  }
  return result;
}

describe('gatedFactors', () => {
  test('of several rhos are those of each', async () => {
    const [kept, mean] = [noise(70 * 90, 1), noise(90, 2)];
    const rhos = [3, 0.1, 1];
    const each = await Promise.all(rhos.map((rho) => gated(kept, 70, mean, rho)));
    expect(await gatedFor(kept, 70, mean, rhos)).toEqual(each);
    expect(each[0]).not.toEqual(each[1]);
    expect(await gatedFor(kept, 70, mean, [])).toEqual([]);
  });

  test.each([
    { n: 1, d: 1, rho: 1 },
    { n: 1, d: 70, rho: 0.05 },
    { n: 5, d: 3, rho: 1 },
    { n: 67, d: 131, rho: 0.05 }, // neither is a multiple of a tile
    { n: 130, d: 1100, rho: 1 },
  ])('solves (C + lambda I) r ~ m with r.m = 1: n $n, d $d, rho $rho', async ({ n, d, rho }) => {
    const kept = noise(n * d, n).map((x) => x + 0.2);
    const mean = noise(d, d).map((x) => x + 0.2);
    const r = await gated(kept, n, mean, rho);
    expect(dot(r, mean)).toBeCloseTo(1, 5);
    const image = applied(kept, n, r, rho);
    const scale = dot(image, mean) / dot(mean, mean);
    const residual = norm(image.map((x, j) => x - scale * mean[j]!)) / (scale * norm(mean));
    // float32 products, and a solution whose condition number is about d / rho.
    expect(residual).toBeLessThan(1e-3);
  });

  test('does not depend on the number of threads', async () => {
    const [kept, mean] = [noise(150 * 333, 1), noise(333, 2)];
    expect(await gated(kept, 150, mean, 0.1, 3)).toEqual(await gated(kept, 150, mean, 0.1, 1));
  });

  test('is m / |m|^2 where nothing is kept, or nothing but zeros', async () => {
    const mean = Float32Array.of(3, 4);
    expect(await gated(new Float32Array(0), 0, mean, 1)).toEqual(Float32Array.of(0.12, 0.16));
    expect(await gated(new Float32Array(4), 2, mean, 1)).toEqual(Float32Array.of(0.12, 0.16));
  });

  test.each([
    ['a size that does not fit', new Float32Array(5), 2, Float32Array.of(1, 2), 1],
    ['rho 0', new Float32Array(2), 1, Float32Array.of(1, 2), 0],
    ['a mean of zero', new Float32Array(2), 1, new Float32Array(2), 1],
    ['NaN in the mean', new Float32Array(2), 1, Float32Array.of(1, NaN), 1],
    ['infinity among the kept', Float32Array.of(1, Infinity), 1, Float32Array.of(1, 2), 1],
  ])('refuses %s', async (_, kept, count, mean, rho) => {
    await expect(gated(kept, count, mean, rho)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });
});
