import { seededRandom } from '../../../lib/random';
import { propose, type Dimension, type Observation } from '../../../lib/search/tpe';

const dimensions: Dimension[] = [
  { values: Array.from({ length: 20 }, (_, i) => i), ordered: true },
  { values: Array.from({ length: 12 }, (_, i) => i), ordered: true },
  { values: [0, 1, 2], ordered: false },
];
// One peak, at (14, 3, 1).
const merit = ([a, b, c]: readonly number[]) => -(((a! - 14) / 20) ** 2) - ((b! - 3) / 12) ** 2 - (c === 1 ? 0 : 0.2);

/** The best of `n` trials, the first eight of them at random. */
function bestOf(n: number, seed: number, guided: boolean): number {
  const random = seededRandom(seed, 'test');
  const any = () => dimensions.map(({ values }) => values[Math.floor(random() * values.length)]!);
  const observed: Observation[] = [];
  for (let i = 0; i < n; ++i) {
    const point = guided && i >= 8 ? propose(dimensions, observed, random, () => true)[0]! : any();
    observed.push({ point, merit: merit(point) });
  }
  return Math.max(...observed.map((one) => one.merit));
}

test('finds a peak that as many random trials miss', () => {
  const seeds = Array.from({ length: 40 }, (_, seed) => seed);
  const better = seeds.filter((seed) => bestOf(32, seed, true) > bestOf(32, seed, false)).length;
  const worse = seeds.filter((seed) => bestOf(32, seed, true) < bestOf(32, seed, false)).length;
  expect(better).toBeGreaterThan(3 * worse);
});

test('proposes nothing impossible, and the same for the same seed', () => {
  const observed = [
    { point: [14, 3, 1], merit: 1 },
    { point: [2, 9, 0], merit: 0 },
  ];
  const isPossible = ([a, b]: readonly number[]) => a! > b! + 5;
  const points = propose(dimensions, observed, seededRandom(3), isPossible);
  expect(points).toHaveLength(24);
  expect(points.every(isPossible)).toBe(true);
  expect(propose(dimensions, observed, seededRandom(3), isPossible)).toEqual(points);
  expect(propose(dimensions, observed, seededRandom(3), () => false)).toEqual([]);
});

test('one value a dimension is a point, too', () => {
  const single = [{ values: [5], ordered: true }];
  expect(propose(single, [{ point: [5], merit: 1 }], seededRandom(0), () => true)[0]).toEqual([5]);
});
