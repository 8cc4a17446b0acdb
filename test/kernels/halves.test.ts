import { kernels } from '../helpers/kernels';
import { noise } from '../helpers/reference';

const all = new Uint8Array(Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits).buffer);
const bitsOf = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);

// Nothing, below the last place, about as much as a weight, to the largest number and beyond. Factors are finite; a product may not be.
test.each([0, 1e-9, 6e-8, 1e-3, 1, 300, 65504, 1e30, Infinity])(
  'all halves plus about %d are the same with and without the processor’s conversions',
  (size) => {
    const right = noise(2 ** 16, 3);
    right.fill(0, 5000, 5100);
    const [fast, portable] = [false, true].map((how) => kernels._halves(all, size, right, how));
    expect(Buffer.compare(fast!.sums, portable!.sums)).toBe(0);
    for (const name of ['values', 'before', 'after'] as const) {
      expect(bitsOf(fast![name])).toEqual(bitsOf(portable![name]));
    }
    expect(bitsOf(fast!.before)).toEqual(bitsOf(fast!.values));
    expect(bitsOf(fast!.after)).toEqual(bitsOf(kernels._halves(fast!.sums, 0, right, false).values));
    if (size === 0) expect(Buffer.compare(fast!.sums, all)).toBe(0);
  },
);

test('halves are what IEEE 754 says', () => {
  const { values } = kernels._halves(all, 0, new Float32Array(2 ** 16), false);
  for (let bits = 0; bits < 2 ** 16; ++bits) {
    const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    const finite = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
    expect(values[bits]).toBe(exponent < 31 ? sign * finite : fraction ? NaN : sign * Infinity);
  }
});

test.each([0, 1, 7, 8, 9, 31])('%d halves: what is left of eights is done, and nothing beyond', (n) => {
  const bytes = all.slice(2 * 0x3c00, 2 * (0x3c00 + n));
  const right = noise(n, 4);
  const { sums, values } = kernels._halves(bytes, 1, right, false);
  expect(sums).toEqual(kernels._halves(bytes, 1, right, true).sums);
  expect(values).toHaveLength(n);
});
