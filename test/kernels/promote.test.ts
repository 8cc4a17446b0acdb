import { emulatedGpu, kernels } from '../helpers/kernels';
import { factors, floatTypes, noise, norm, quantisedTypes, tensorTypes, type TensorType } from '../helpers/reference';

const targets = [...floatTypes, quantisedTypes.find(({ name }) => name === 'Q8_0')!];
const largest = { F16: 65504, BF16: 3.3895313892515355e38, F32: 3.4028234663852886e38, Q8_0: Infinity };
/** Half the distance of neighbouring numbers, relative. */
const lastPlace = { F16: 2 ** -11, BF16: 2 ** -8, F32: 2 ** -24, Q8_0: 2 ** -8 };
const ofTarget = (numbers: typeof largest, target: TensorType) => numbers[target.name as keyof typeof largest];

const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

/** A tensor with an update of `share` times its size, and its promotions. */
function promotion(source: TensorType, target: TensorType, nIn: number, nOut: number, share: number, seed = 5) {
  const bytes = kernels._quantize(source.id, noise(nIn * nOut, seed, 0.05), nIn, nOut);
  const values = kernels._dequantize(source.id, bytes, nIn, nOut);
  const { left, right } = factors(values, nIn, nOut, share, seed + 1);
  if (nOut > 5) left[5] = 0; // a row that is only converted
  const promote = (threads: number, readout?: Float32Array) =>
    kernels._promote(source.id, bytes, nIn, nOut, left, right, target.id, threads, readout);
  return {
    left,
    values,
    gpu: (readout?: Float32Array) =>
      kernels._gpuPass(
        emulatedGpu,
        0,
        'promote',
        source.id,
        bytes,
        nIn,
        nOut,
        target.id,
        left,
        right,
        undefined,
        readout,
      ).bytes,
    cpu: (readout?: Float32Array) => promote(2, readout),
    /** Every weight or block at the nearest, and nothing else. */
    rounded() {
      const most = ofTarget(largest, target);
      const sums = values.map((value, k) => {
        const s = left[Math.floor(k / nIn)]!;
        return s === 0 ? value : Math.fround(value + Math.fround(s * right[k % nIn]!));
      });
      const clamped = sums.map((x) => Math.max(-most, Math.min(most, x)));
      return kernels._quantize(target.id, clamped, nIn, nOut);
    },
    /** By how much of itself the update missed, in these bytes. */
    gainError(promoted: Uint8Array) {
      const after = kernels._dequantize(target.id, promoted, nIn, nOut);
      const dot = after.reduce((sum, x, k) => sum + (x - values[k]!) * left[Math.floor(k / nIn)]! * right[k % nIn]!, 0);
      return Math.abs(dot / (norm(left) * norm(right)) ** 2 - 1);
    },
  };
}

/** Most of left, and something that left has nothing of. */
function readoutOf(left: Float32Array): Float32Array {
  const other = noise(left.length, 19, norm(left) / Math.sqrt(left.length));
  return left.map((x, i) => 2 * x + other[i]!);
}

/** A tile of 256 columns and a run of 32, or less; two parts of the rows that the closure searches; three tiles. */
function sizeFor(source: TensorType, target: TensorType): [nIn: number, nOut: number] {
  const unit = Math.max(source.weights, target.weights);
  return unit === 1 ? [300, 37] : unit === 32 ? [288, 70] : [768, 19];
}

describe.each(tensorTypes)('a GPU’s promotion of $name', (source) => {
  describe.each(targets)('to $name gives the bytes of the CPU', (target) => {
    const [nIn, nOut] = sizeFor(source, target);
    const isFloat = target.weights === 1;

    test('where rounding keeps the update', () => {
      const { gpu, cpu, rounded } = promotion(source, target, nIn, nOut, 0.5);
      expect(same(gpu(), cpu())).toBe(true);
      // Of floats nothing else is done; in Q8_0 some codes move until every column is right.
      expect(same(gpu(), rounded())).toBe(isFloat);
    });

    test('where rounding loses the update', () => {
      const { gpu, cpu, rounded, left, values } = promotion(
        source,
        target,
        nIn,
        nOut,
        ofTarget(lastPlace, target) / 500,
      );
      const readout = readoutOf(left);
      expect(same(gpu(), cpu())).toBe(true);
      expect(same(gpu(readout), cpu(readout))).toBe(true);
      // Of values that the type does not have, the noise of rounding may keep as much of the update as flips do.
      const converted = kernels._dequantize(target.id, kernels._quantize(target.id, values, nIn, nOut), nIn, nOut);
      if (isFloat && converted.some((x, k) => x !== values[k])) return;
      expect(same(gpu(), rounded())).toBe(false);
      expect(same(gpu(readout), gpu())).toBe(false);
    });

    test('beyond the range of the type, for one row of one block, and for an update of norm zero', () => {
      const huge = promotion(source, target, nIn, nOut, 0.5);
      huge.left[6] = 1e12; // more than a scale of Q8_0 can be
      expect(same(huge.gpu(), huge.cpu())).toBe(true);
      if (isFloat) expect(same(huge.gpu(), huge.rounded())).toBe(true);
      for (const share of [0, 1e-5, 0.5]) {
        const one = promotion(source, target, Math.max(source.weights, target.weights), 1, share);
        expect(same(one.gpu(), one.cpu())).toBe(true);
      }
      const none = promotion(source, target, nIn, nOut, 0);
      expect(same(none.gpu(), none.cpu())).toBe(true);
      expect(same(none.gpu(), none.rounded())).toBe(true);
    });
  });
});

// In tensors this small, flips may miss the update by more than rounding does.
test.each(floatTypes)('a GPU chooses between rounding to $name and flips as the CPU does', (target) => {
  const taken = { kept: 0, flipped: 0, notFlipped: 0 };
  for (let seed = 0; seed < 300; ++seed) {
    const share = ofTarget(lastPlace, target) * 4 ** ((seed % 7) - 3);
    const { gpu, cpu, rounded, gainError } = promotion(floatTypes[0]!, target, 1 + (seed % 40), 5, share, seed);
    const bytes = cpu();
    expect(same(gpu(), bytes)).toBe(true);
    ++taken[!same(bytes, rounded()) ? 'flipped' : gainError(bytes) > 0.005 ? 'notFlipped' : 'kept'];
  }
  expect(Math.min(...Object.values(taken))).toBeGreaterThan(5);
});
