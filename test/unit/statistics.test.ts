import { auroc, cohenKappa, mcnemarExact, mean, quantile, trialsFor, wilson } from '../../lib/statistics';

describe('wilson', () => {
  // Newcombe (1998), table I, method 3: 95 % intervals of 81/263, 15/148, 0/20 and 1/29.
  test.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('gives the published interval of %i in %i', (count, total, low, high) => {
    const rate = wilson(count, total);
    expect(rate.low).toBeCloseTo(low, 4);
    expect(rate.high).toBeCloseTo(high, 4);
    expect(rate).toMatchObject({ count, total, share: count / total });
  });
  test('mirrors: what is counted and what is not have mirrored intervals', () => {
    const [some, rest] = [wilson(7, 40), wilson(33, 40)];
    expect(rest.low).toBeCloseTo(1 - some.high, 12);
    expect(rest.high).toBeCloseTo(1 - some.low, 12);
  });
  test('ends exactly at 0 and 1, and is NaN of nothing', () => {
    expect(wilson(0, 40).low).toBe(0);
    expect(wilson(40, 40).high).toBe(1);
    expect(wilson(0, 0)).toEqual({ count: 0, total: 0, share: NaN, low: NaN, high: NaN });
  });
});

describe('trialsFor', () => {
  test.each([
    [0.5, 0.1],
    [0.9, 0.1],
    [0.02, 0.05],
  ])('of a share of %d has an interval of %d', (share, width) => {
    const widthAt = (n: number) => wilson(Math.round(share * n), n).high - wilson(Math.round(share * n), n).low;
    const n = trialsFor(share, width);
    expect(widthAt(n)).toBeLessThan(1.05 * width);
    expect(widthAt(Math.floor(0.85 * n))).toBeGreaterThan(width);
  });
});

describe('mean and quantile', () => {
  test('mean', () => {
    expect(mean([1, 2, 6])).toBe(3);
    expect(mean(Float32Array.of(0.5, 1.5))).toBe(1);
    expect(mean([])).toBeNaN();
  });
  test('quantile interpolates between neighbours, in any order of the values', () => {
    const values = [10, 1, 4, 3];
    expect([0, 0.25, 0.5, 0.75, 1].map((share) => quantile(values, share))).toEqual([1, 2.5, 3.5, 5.5, 10]);
    expect(values).toEqual([10, 1, 4, 3]);
    expect(quantile([5], 0.3)).toBe(5);
    expect(quantile([], 0.5)).toBeNaN();
  });
});

describe('auroc', () => {
  const pairs = (positives: number[], negatives: number[]) => {
    let wins = 0;
    for (const p of positives) for (const n of negatives) wins += p > n ? 1 : p === n ? 0.5 : 0;
    return wins / (positives.length * negatives.length);
  };
  test('is 1 when the classes are apart, 0 when they are swapped, a half when all is equal', () => {
    expect(auroc([3, 4], [1, 2])).toBe(1);
    expect(auroc([1, 2], [3, 4])).toBe(0);
    expect(auroc([5, 5, 5], [5, 5])).toBe(0.5);
    expect(auroc([], [1])).toBeNaN();
  });
  test('is the share of pairs in the right order, ties counting half', () => {
    const positives = [2, 3, 3, 7, 9, 9, 9];
    const negatives = [1, 2, 3, 3, 8, 9];
    expect(auroc(positives, negatives)).toBeCloseTo(pairs(positives, negatives), 12);
  });
});

describe('mcnemarExact', () => {
  test('is twice the binomial tail of the smaller count', () => {
    expect(mcnemarExact(5, 0)).toBeCloseTo(2 / 32, 12);
    expect(mcnemarExact(8, 1)).toBeCloseTo((2 * (1 + 9)) / 512, 12);
    expect(mcnemarExact(1, 8)).toBe(mcnemarExact(8, 1));
  });
  test('is 1 without any change, and never more', () => {
    expect(mcnemarExact(0, 0)).toBe(1);
    expect(mcnemarExact(4, 4)).toBe(1);
  });
  test('holds for counts at which 2^-n underflows', () => {
    expect(mcnemarExact(1000, 1000)).toBe(1);
    const p = mcnemarExact(1100, 1000); // the normal approximation gives .0307 with continuity correction
    expect(p).toBeGreaterThan(0.029);
    expect(p).toBeLessThan(0.032);
  });
});

describe('cohenKappa', () => {
  // By hand: (observed - chance) / (1 - chance). The second and third agree as often and differ in their margins.
  test.each([
    [
      [
        [20, 5],
        [10, 15],
      ],
      0.4,
    ],
    [
      [
        [45, 15],
        [25, 15],
      ],
      (0.6 - 0.54) / (1 - 0.54),
    ],
    [
      [
        [25, 35],
        [5, 35],
      ],
      (0.6 - 0.46) / (1 - 0.46),
    ],
    [
      [
        [2, 1, 0],
        [0, 3, 0],
        [1, 0, 3],
      ],
      (0.8 - 0.33) / (1 - 0.33),
    ],
  ])('of %j is %d', (counts, kappa) => {
    expect(cohenKappa(counts)).toBeCloseTo(kappa, 12);
    const transposed = counts.map((_, j) => counts.map((row) => row[j]!));
    expect(cohenKappa(transposed)).toBeCloseTo(cohenKappa(counts), 12);
    expect(cohenKappa(counts.map((row) => row.map((count) => 7 * count)))).toBeCloseTo(cohenKappa(counts), 12);
  });
  test('is 1 when all agree, 0 when the raters are independent, and -1 when two always differ', () => {
    expect(
      cohenKappa([
        [3, 0, 0],
        [0, 2, 0],
        [0, 0, 9],
      ]),
    ).toBe(1);
    expect(
      cohenKappa([
        [8, 4],
        [4, 2],
      ]),
    ).toBe(0);
    expect(
      cohenKappa([
        [5, 0],
        [3, 0],
      ]),
    ).toBe(0);
    expect(
      cohenKappa([
        [0, 5],
        [5, 0],
      ]),
    ).toBe(-1);
  });
  test('is NaN of nothing, and of one category that both use for all', () => {
    expect(cohenKappa([])).toBeNaN();
    expect(
      cohenKappa([
        [0, 0],
        [0, 0],
      ]),
    ).toBeNaN();
    expect(
      cohenKappa([
        [7, 0],
        [0, 0],
      ]),
    ).toBeNaN();
    expect(
      cohenKappa([
        [9007199, 0],
        [0, 0],
      ]),
    ).toBeNaN();
  });
});
