import { kernels } from '../helpers/kernels';
import { dequantise, noise, quantisedTypes, tensorTypes } from '../helpers/reference';
import { seededRandom } from '../../lib/random';

/** Any bytes are a valid tensor: every code, every scale, subnormal and infinite halves among them. */
function anyBytes(length: number, seed: number): Uint8Array {
  const random = seededRandom(seed, 'bytes');
  return Uint8Array.from({ length }, () => Math.floor(random() * 256));
}

/** Of the two zeros of MXFP4 the one with a sign, 8, is kept where it is and never written. */
function withoutSecondZero(byte: number): number {
  const upper = (byte & 15) === 8 ? byte & 0xf0 : byte;
  return upper >> 4 === 8 ? upper & 15 : upper;
}

/** NaN has many bit patterns, of which no reader promises one. */
const withoutNaN = (values: Float32Array) => values.map((x) => (Number.isNaN(x) ? 12345 : x));

describe.each(tensorTypes)('$name', (type) => {
  const nIn = 3 * type.weights; // three blocks: no power of two
  const nOut = 41;
  const bytes = anyBytes(nOut * 3 * type.bytes, type.id);

  test('values equal the published definition bit for bit', () => {
    expect(withoutNaN(kernels._dequantize(type.id, bytes, nIn, nOut))).toEqual(withoutNaN(dequantise(type, bytes)));
  });

  test('values equal the engine’s bit for bit', () => {
    const own = kernels._dequantize(type.id, bytes, nIn, nOut);
    expect(withoutNaN(own)).toEqual(withoutNaN(kernels._engineDequantize(type.id, bytes, nIn * nOut)));
  });

  test('the mean row is the mean over rows in float64', () => {
    const tensor = kernels._quantize(type.id, noise(nIn * nOut, 3), nIn, nOut);
    const values = dequantise(type, tensor);
    const expected = new Float32Array(nIn).map((_, j) => {
      let sum = 0;
      for (let i = 0; i < nOut; ++i) sum += values[i * nIn + j]!;
      return sum / nOut;
    });
    expect(kernels._columnMean(type.id, tensor, nIn, nOut)).toEqual(expected);
  });

  test('refuses rows and sizes that do not fit', () => {
    expect(() => kernels._dequantize(type.id, bytes.subarray(1), nIn, nOut)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
    expect(() => kernels._columnMean(type.id, bytes, nIn, 0)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
    if (type.weights > 1) {
      expect(() => kernels._dequantize(type.id, bytes, nIn + 1, nOut)).toThrow(
        expect.objectContaining({ code: 'TENSOR_UNSUPPORTED' }),
      );
    }
  });
});

describe.each(quantisedTypes)('$name', (type) => {
  const any = anyBytes(23 * type.bytes, 100 + type.id);
  const bytes = type.name === 'MXFP4' ? any.map(withoutSecondZero) : any;
  const nIn = type.weights;

  test.each([false, true])('packing what was unpacked gives the bytes back (by lanes: %s)', (byLanes) => {
    expect(kernels._repack(type.id, bytes, nIn, 23, byLanes)).toEqual(bytes);
  });

  test('quantising keeps what is on a grid already', () => {
    const once = kernels._quantize(type.id, noise(nIn * 5, 7), nIn, 5);
    const values = dequantise(type, once);
    const twice = dequantise(type, kernels._quantize(type.id, values, nIn, 5));
    const error = Math.hypot(...twice.map((x, k) => x - values[k]!)) / Math.hypot(...values);
    // Grids are found by a search over 17 scales and stored in half precision, so not always met exactly.
    expect(error).toBeLessThan(0.02);
  });
});

describe.each(quantisedTypes.filter(({ name }) => /^IQ4|^MX/.test(name)))('$name', (type) => {
  const header = type.bytes - type.weights / 2;

  test('quantising takes the nearest of the table’s codes', () => {
    const x = noise(type.weights * 7, 9);
    const bytes = kernels._quantize(type.id, x, type.weights, 7);
    const misses = dequantise(type, bytes).map((value, k) => Math.abs(value - x[k]!));
    for (let code = 0; code < 16; ++code) {
      const others = dequantise(
        type,
        bytes.map((byte, k) => (k % type.bytes < header ? byte : code * 17)),
      );
      expect(misses.filter((miss, k) => miss > Math.abs(others[k]! - x[k]!) + 1e-6)).toHaveLength(0);
    }
  });
});

test('a type that has no codes of its own is refused', () => {
  const iq2 = 16;
  expect(() => kernels._dequantize(iq2, new Uint8Array(66), 256, 1)).toThrow(
    expect.objectContaining({ code: 'TENSOR_UNSUPPORTED', details: { type: iq2 } }),
  );
});
