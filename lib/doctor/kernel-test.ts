import type { KernelProbes } from './kernel-probes';
import { blockValues, f32, noise, norm, q4k, q6k, q8, type BlockType } from './block-values';

// As in the tests of the kernels: of fewer rows a quantised update may miss its size by more than a hundredth.
const [nIn, nOut] = [512, 300];
/** Of the update's norm to the weights'. */
const share = 0.02;

/**
 * Small rank-one updates by the kernels, held against float64: all of the update must arrive in the bytes, in every
 * column, be reported as it is, and not depend on the number of threads.
 */
export function testKernels(kernels: KernelProbes): string {
  const types = [f32, q8, q4k, q6k];
  for (const type of types) testType(type, kernels);
  return `rank-one updates of ${types.map(({ name }) => name).join(', ')}`;
}

function testType(type: BlockType, kernels: KernelProbes): void {
  const fail = (what: string): never => {
    throw new Error(`${type.name}: ${what}`);
  };
  const bytes = kernels._quantize(type.id, noise(nIn * nOut, type.name, 0.05), nIn, nOut);
  const before = blockValues(type, bytes);
  if (!same(kernels._dequantize(type.id, bytes, nIn, nOut), before)) fail('weights are not read as they are stored');

  const [direction, right] = [noise(nOut, 'left'), noise(nIn, 'right')];
  const strength = (share * norm(before)) / (norm(direction) * norm(right));
  const left = direction.map((x) => x * strength);
  const update = (factor: Float32Array, threads: number) =>
    kernels._addRankOne(type.id, bytes, nIn, nOut, factor, right, threads);
  const one = update(left, 1);
  if (!same(update(left, 2).bytes, one.bytes)) fail('two threads write other bytes than one');
  if (!same(update(new Float32Array(nOut), 1).bytes, bytes)) fail('an update of zero changes bytes');

  const { gain, columnError, worst } = arrived(before, blockValues(type, one.bytes), left, right);
  if (!(Math.abs(gain - 1) < 0.01)) fail(`${gain.toFixed(4)} of an update arrives, expected 0.99 to 1.01`);
  if (!(columnError < 0.03)) fail(`columns miss their update by ${columnError.toFixed(4)} of it, expected below 0.03`);
  if (!(Math.abs(one.realised.gain - gain) < 1e-4)) fail(`a gain of ${one.realised.gain} is reported, it is ${gain}`);
  // The product and the sum are each rounded to float32, so by half a last place.
  if (type === f32 && !(worst < 2 ** -22)) fail(`a weight is off by ${worst.toExponential(1)} of its size`);
}

/** `after - before` against left * rightᵀ, in float64: native/kernels/rank_one.h defines gain and columnError. */
function arrived(before: Float32Array, after: Float32Array, left: Float32Array, right: Float32Array) {
  const [leftNorm, rightNorm] = [norm(left), norm(right)];
  const columns = new Float64Array(nIn);
  let worst = 0;
  for (let i = 0; i < nOut; ++i) {
    for (let j = 0; j < nIn; ++j) {
      const k = i * nIn + j;
      const change = left[i]! * right[j]!;
      const off = Math.abs(after[k]! - before[k]! - change);
      columns[j]! += (left[i]! / leftNorm) * (after[k]! - before[k]!);
      if (off > 0) worst = Math.max(worst, off / (Math.abs(before[k]!) + Math.abs(change)));
    }
  }
  const size = leftNorm * rightNorm;
  return {
    gain: columns.reduce((sum, x, j) => sum + (x * right[j]!) / rightNorm, 0) / size,
    columnError: norm(columns.map((x, j) => x - leftNorm * right[j]!)) / size,
    worst,
  };
}

function same(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let k = 0; k < a.length; ++k) if (a[k] !== b[k]) return false;
  return true;
}
