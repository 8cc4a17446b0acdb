import { seededRandom, shuffle } from '../../lib/random';

const draw = (n: number, seed: number, label?: string) => {
  const random = seededRandom(seed, label);
  return Array.from({ length: n }, random);
};

describe('seededRandom', () => {
  test('gives the same numbers for the same seed and label, and others otherwise', () => {
    expect(draw(5, 1, 'a')).toEqual(draw(5, 1, 'a'));
    expect(draw(5, 1, 'a')).not.toEqual(draw(5, 2, 'a'));
    expect(draw(5, 1, 'a')).not.toEqual(draw(5, 1, 'b'));
  });
  test('is the same in every release: reports are repeated from their seed', () => {
    // From mulberry32 and FNV-1a written separately.
    expect(draw(3, 42)).toEqual([0.5839293892495334, 0.06373292859643698, 0.767172344494611]);
  });
  test('is uniform on [0, 1)', () => {
    const numbers = draw(20_000, 7);
    const bins = Array.from({ length: 10 }, (_, bin) => numbers.filter((x) => Math.floor(x * 10) === bin).length);
    // 2000 a bin, standard deviation 42: five of them.
    for (const count of bins) expect(Math.abs(count - 2000)).toBeLessThan(210);
    expect(Math.max(...numbers)).toBeLessThan(1);
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
  });
});

describe('shuffle', () => {
  test('returns every item once and leaves its argument alone', () => {
    const items = Object.freeze(Array.from({ length: 37 }, (_, i) => i));
    const shuffled = shuffle(items, seededRandom(3));
    expect(shuffled).not.toEqual(items);
    expect([...shuffled].sort((a, b) => a - b)).toEqual(items);
  });
  test('gives every order of three items about equally often', () => {
    const random = seededRandom(11);
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; ++i) {
      const order = shuffle(['a', 'b', 'c'], random).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150); // 5 standard deviations
  });
  test('takes nothing and one thing', () => {
    expect(shuffle([], Math.random)).toEqual([]);
    expect(shuffle(['a'], Math.random)).toEqual(['a']);
  });
});
