import { kernels } from '../helpers/kernels';
import { quantisedTypes } from '../helpers/reference';
import { seededRandom } from '../../lib/random';

const wider: Record<string, string> = { Q5_0: 'Q8_0', IQ4_NL: 'Q8_0', Q3_K: 'Q6_K' };
const typeOf = (name: string) => quantisedTypes.find((type) => type.name === name)!;

/** As bits, with one NaN for all. */
const bits = (values: Float32Array) => new Uint32Array(values.map((x) => (Number.isNaN(x) ? 12345 : x)).buffer);

test.each(Object.entries(wider))(
  '%s in blocks of %s has the same values, bit for bit, whatever its bytes',
  (from, to) => {
    const source = typeOf(from);
    const nIn = 3 * source.weights;
    const nOut = 67;
    const random = seededRandom(source.id, 'bytes');
    const bytes = Uint8Array.from({ length: 3 * nOut * source.bytes }, () => Math.floor(random() * 256));
    const result = kernels._widen(source.id, bytes, nIn, nOut);
    expect(result.type).toBe(typeOf(to).id);
    const [before, after] = [
      kernels._engineDequantize(source.id, bytes, nIn * nOut),
      kernels._engineDequantize(result.type, result.bytes, nIn * nOut),
    ];
    expect(bits(after)).toEqual(bits(before));
    expect(new Set(bits(before)).size).toBeGreaterThan(1000);
  },
);

test('the other types have no wider one', () => {
  const others = quantisedTypes.filter(({ name }) => !(name in wider));
  expect(others.length).toBeGreaterThan(8);
  for (const { id, weights, bytes } of others)
    expect(() => kernels._widen(id, new Uint8Array(bytes), weights, 1)).toThrow('no wider one');
});
