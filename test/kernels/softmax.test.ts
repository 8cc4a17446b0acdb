import { kernels } from '../helpers/kernels';
import { seededRandom } from '../../lib/random';

/** In float64, one after the other. */
function reference(logits: Float32Array, others: Float32Array) {
  const logNorm = (row: Float32Array) => {
    const highest = row.reduce((a, b) => Math.max(a, b));
    return highest + Math.log(row.reduce((sum, value) => sum + Math.exp(value - highest), 0));
  };
  const [norm, otherNorm] = [logNorm(logits), logNorm(others)];
  const divergence = logits.reduce((sum, value, i) => {
    const p = Math.exp(value - norm);
    return p === 0 ? sum : sum + p * (value - norm - (others[i]! - otherNorm));
  }, 0);
  return { top: logits.indexOf(logits.reduce((a, b) => Math.max(a, b))), logNorm: norm, divergence };
}

function rows(n: number, spread: number, distance: number): [Float32Array, Float32Array] {
  const random = seededRandom(n, 'softmax');
  const logits = Float32Array.from({ length: n }, () => (random() - 0.5) * spread);
  return [logits, logits.map((value) => value + (random() - 0.5) * distance)];
}

function expectReference([logits, others]: [Float32Array, Float32Array]): void {
  const [ours, expected] = [kernels._softmax(logits, others), reference(logits, others)];
  expect(ours.top).toBe(expected.top);
  expect(Math.abs(ours.logNorm - expected.logNorm)).toBeLessThan(2e-7 * Math.max(1, Math.abs(expected.logNorm)));
  expect(Math.abs(ours.divergence - expected.divergence)).toBeLessThan(1e-6 * Math.max(0.1, expected.divergence));
}

describe('what is said of logits is what float64 says', () => {
  test.each([1, 2, 15, 16, 17, 1023, 1024, 1025, 4096, 151_936])('of %i tokens', (n) => {
    for (const [spread, distance] of [
      [1, 0.1],
      [20, 0.01],
      [20, 5],
      [400, 300],
    ] as const) {
      expectReference(rows(n, spread, distance));
    }
  });

  test('where some are ruled out', () => {
    const [logits, others] = rows(100, 20, 1);
    for (const i of [0, 17, 99]) logits[i] = -Infinity;
    expectReference([logits, others]);
    others[17] = -Infinity; // in both
    expectReference([logits, others]);
    others[3] = -Infinity;
    expect(kernels._softmax(logits, others).divergence).toBe(Infinity);
  });

  test('of equal ones the first is the top', () => {
    const logits = new Float32Array(3000).fill(-2);
    for (const i of [2999, 2047, 1040]) {
      logits[i] = 7;
      expect(kernels._softmax(logits, logits)).toMatchObject({ top: i, divergence: 0 });
    }
    expect(kernels._softmax(new Float32Array(40), new Float32Array(40)).top).toBe(0);
  });

  test('and no number gives no number', () => {
    const logits = new Float32Array(40);
    logits[21] = NaN;
    const { logNorm, divergence, top } = kernels._softmax(logits, logits);
    expect(logNorm).toBeNaN();
    expect(divergence).toBeNaN();
    expect(top).toBe(0);
  });
});
