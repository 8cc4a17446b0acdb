import { kernels } from '../helpers/kernels';
import { factors, floatTypes, noise, tensorTypes } from '../helpers/reference';

describe.each([...tensorTypes])('a GPU’s promotion of $name', (type) => {
  test.each(floatTypes)('to $name gives the bytes of the CPU', (target) => {
    for (const [blocks, nOut] of [
      [3, 37],
      [1, 1],
    ] as const) {
      const nIn = blocks * type.weights;
      const bytes = kernels._quantize(type.id, noise(nIn * nOut, 5, 0.05), nIn, nOut);
      const values = kernels._dequantize(type.id, bytes, nIn, nOut);
      // Large enough that rounding loses nothing, so that the CPU flips nothing either.
      const { left, right } = factors(values, nIn, nOut, 0.5, 6);
      if (nOut > 5) left[5] = 0; // a row that is only converted
      if (nOut > 6) left[6] = 1e38; // and one beyond the range of F16
      const sums = values.map((value, k) => {
        const s = left[Math.floor(k / nIn)]!;
        return s === 0 ? value : Math.fround(value + Math.fround(s * right[k % nIn]!));
      });
      const most = { F16: 65504, BF16: 3.3895313892515355e38, F32: 3.4028234663852886e38 }[target.name]!;
      const clamped = sums.map((x) => Math.max(-most, Math.min(most, x)));
      const emulated = kernels._promote(type.id, bytes, nIn, nOut, left, right, target.id, 0);
      expect(Buffer.compare(emulated, kernels._quantize(target.id, clamped, nIn, nOut))).toBe(0);
      if (nOut > 6) left[6] = 0;
      const [gpu, cpu] = [0, 2].map((n) => kernels._promote(type.id, bytes, nIn, nOut, left, right, target.id, n));
      expect(Buffer.compare(gpu!, cpu!)).toBe(0);
    }
  });
});
