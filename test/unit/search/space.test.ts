import { dimensionsOf, editAt, isPossible, rangesOf, spaceOf, strengthFor } from '../../../lib/search/space';
import type { Trial } from '../../../lib/search/trial';
import { sampleReport } from '../../helpers/report';

const free = { layer: null, layers: null, strength: null, schedule: null, maxKl: 0.1 };
const trial = (changes: Partial<Trial> & { kl: number }): Trial => {
  const { kl, ...others } = changes;
  const sample = sampleReport().trials[0]!;
  return { ...sample, ...others, screening: { ...sample.screening, kl } };
};

describe('rangesOf', () => {
  test('begins with the middle blocks, then all, and has each once', () => {
    const ranges = rangesOf(24, free);
    expect(ranges.slice(0, 2)).toEqual([
      [4, 16],
      [0, 23],
    ]);
    expect(new Set(ranges.map(String)).size).toBe(ranges.length);
    expect(ranges.every(([first, last]) => first < last && last <= 23)).toBe(true);
  });
  test('what is given is the one', () => {
    expect(rangesOf(24, { ...free, layers: [3, 5] })).toEqual([[3, 5]]);
    expect(rangesOf(24, { ...free, layer: 3, strength: 1 })).toEqual([[0, 23]]);
  });
  test.each([1, 2, 3, 6])('a model of %i blocks has some', (nLayer) => {
    const ranges = rangesOf(nLayer, free);
    expect(ranges.length).toBeGreaterThan(0);
    expect(ranges.every(([first, last]) => first >= 0 && first <= last && last < nLayer)).toBe(true);
    const { layers } = spaceOf(nLayer, ranges, free);
    expect(layers.every((layer) => layer >= 0 && layer < nLayer)).toBe(true);
  });
});

test('a space has every layer between those that are compared first, and only ranges that are affordable', () => {
  const space = spaceOf(
    24,
    [
      [4, 16],
      [0, 23],
    ],
    free,
  );
  expect(space.spread).toEqual([8, 11, 13, 16, 18, 21]);
  expect(space.layers).toEqual(Array.from({ length: 14 }, (_, i) => 8 + i));
  expect(dimensionsOf(space, free)).toHaveLength(5);
  expect(dimensionsOf(space, { strength: 2 })).toHaveLength(4);
  expect(isPossible(space, [8, 4, 16, 0, 0])).toBe(true);
  expect(isPossible(space, [8, 4, 23, 0, 0])).toBe(false);
});

describe('strengthFor', () => {
  test('takes drift for the square of one strength, and for the power that two show', () => {
    expect(strengthFor([trial({ kl: 0.02, strength: 1 })], 0.08)).toBe(2);
    const known = [trial({ kl: 0.01, strength: 1 }), trial({ kl: 0.08, strength: 2 })];
    expect(strengthFor(known, 0.01 * 1.5 ** 3)).toBe(1.5);
  });
  test('goes no farther than twice or half', () => {
    expect(strengthFor([trial({ kl: 1e-6, strength: 1 })], 0.1)).toBe(2);
    expect(strengthFor([trial({ kl: 10, strength: 1 })], 0.1)).toBe(0.5);
  });
});

test('an edit has the strength that the most similar shapes tell', () => {
  const space = spaceOf(
    24,
    [
      [4, 16],
      [0, 23],
    ],
    free,
  );
  const tried = [
    trial({ kl: 0.05, strength: 1, layer: 13, layers: [4, 16], schedule: 'equal' }),
    trial({ kl: 0.05, strength: 9, layer: 13, layers: [4, 16], schedule: 'profile' }),
  ];
  const aim = Math.log(0.5);
  expect(editAt(space, [14, 0, 23, 0, aim], tried, free)).toEqual({
    layer: 14,
    layers: [0, 23],
    schedule: 'equal',
    strength: 1,
  });
  expect(editAt(space, [13, 4, 16, 1, aim], tried, free).strength).toBe(9);
  expect(editAt(space, [13, 4, 16, 1], tried, { ...free, strength: 3 }).strength).toBe(3);
});
