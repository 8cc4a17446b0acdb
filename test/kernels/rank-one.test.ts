import { emulatedGpu, kernels } from '../helpers/kernels';
import {
  factors,
  floatTypes,
  noise,
  quantisedTypes,
  realised,
  tensorTypes,
  type TensorType,
} from '../helpers/reference';

// Values by the addon's own dequantiser, which blocks.test.ts checks: the one in TypeScript takes seconds here.
function makeTensor(type: TensorType, nIn: number, nOut: number, seed: number) {
  const bytes = kernels._quantize(type.id, noise(nIn * nOut, seed, 0.05), nIn, nOut);
  return { type, nIn, nOut, bytes, values: kernels._dequantize(type.id, bytes, nIn, nOut) };
}
type Tensor = ReturnType<typeof makeTensor>;

function update(tensor: Tensor, left: Float32Array, right: Float32Array, threads = 1) {
  const { type, bytes, nIn, nOut } = tensor;
  const result = kernels._addRankOne(type.id, bytes, nIn, nOut, left, right, threads);
  return { ...result, values: kernels._dequantize(type.id, result.bytes, nIn, nOut) };
}

/** Jest compares arrays number by number, which takes seconds for a tensor. */
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

/** Three blocks of 32, or one of 256: no power of two where the type allows it. */
const oddWidth = (type: TensorType) => (type.weights === 256 ? 768 : 96);

describe.each(tensorTypes)('a rank-one update of $name', (type) => {
  const tensor = makeTensor(type, oddWidth(type), 61, 5);
  const { nIn, nOut } = tensor;

  test('of norm zero keeps every byte', () => {
    const { right } = factors(tensor.values, nIn, nOut, 0.02, 1);
    const zeroLeft = update(tensor, new Float32Array(nOut), right);
    expect(same(zeroLeft.bytes, tensor.bytes)).toBe(true);
    expect(zeroLeft.realised.mode).toBe('copy');
    expect(same(update(tensor, noise(nOut, 1), new Float32Array(nIn)).bytes, tensor.bytes)).toBe(true);
  });

  test('leaves rows and columns alone that it does not name', () => {
    const { left, right } = factors(tensor.values, nIn, nOut, 0.1, 2);
    const someRows = left.map((x, i) => (i % 3 === 0 ? x : 0));
    const someColumns = right.map((x, j) => (j % 5 === 0 ? x : 0));
    const { bytes, values, realised: report } = update(tensor, someRows, someColumns);
    const rowBytes = (nIn / type.weights) * type.bytes;
    const isOther = (k: number) => Math.floor(k / rowBytes) % 3 !== 0;
    expect(bytes.filter((byte, k) => isOther(k) && byte !== tensor.bytes[k])).toHaveLength(0);
    // Where a few columns carry the whole request, a new grid may be the better way; then their neighbours move too.
    if (report.mode === 'refit') return;
    expect(values.filter((x, k) => (k % nIn) % 5 !== 0 && x !== tensor.values[k])).toHaveLength(0);
  });

  test('reports what float64 finds in the bytes', () => {
    const { left, right } = factors(tensor.values, nIn, nOut, 0.03, 3);
    const result = update(tensor, left, right);
    const expected = realised(tensor.values, result.values, left, right);
    for (const [name, value] of Object.entries(expected)) {
      expect([name, result.realised[name as keyof typeof expected]]).toEqual([name, expect.closeTo(value, 4)]);
    }
  });

  test('does not depend on the number of threads', () => {
    const wide = makeTensor(type, 7 * 256, 53, 6); // seven tiles for four threads, the last one alone
    const { left, right } = factors(wide.values, wide.nIn, wide.nOut, 0.02, 4);
    const one = update(wide, left, right, 1);
    for (const threads of [2, 3, 4]) {
      const many = update(wide, left, right, threads);
      expect(same(many.bytes, one.bytes)).toBe(true);
      expect(many.realised).toEqual(one.realised);
    }
  });

  test('works on one row of one block', () => {
    const one = makeTensor(type, type.weights, 1, 7);
    const { left, right } = factors(one.values, one.nIn, 1, 0.5, 5);
    expect(Number.isFinite(update(one, left, right).realised.gain)).toBe(true);
  });

  test('refuses factors of other sizes and numbers that are not finite', () => {
    const { left, right } = factors(tensor.values, nIn, nOut, 0.01, 6);
    const refused = expect.objectContaining({ code: 'OPTION_INVALID' });
    expect(() => update(tensor, left.subarray(1), right)).toThrow(refused);
    expect(() => update(tensor, left, right.subarray(1))).toThrow(refused);
    expect(() =>
      update(
        tensor,
        left,
        right.map((x, j) => (j === 3 ? NaN : x)),
      ),
    ).toThrow(refused);
    expect(() =>
      update(
        tensor,
        left.map(() => Infinity),
        right,
      ),
    ).toThrow(refused);
  });

  test('survives any bytes as a tensor', () => {
    const bytes = Uint8Array.from({ length: tensor.bytes.length }, (_, k) => (k * 7919 + (k >> 5) * 31) & 255);
    const result = kernels._addRankOne(type.id, bytes, nIn, nOut, noise(nOut, 1), noise(nIn, 2), 2);
    expect(result.bytes.length).toBe(bytes.length);
  });
});

describe.each(floatTypes)('a rank-one update of $name', (type) => {
  const tensor = makeTensor(type, 101, 37, 8); // 101: a prime, and no whole number of SIMD registers
  // Half a last place of the type, relative to the sum; F32 sums are rounded twice here.
  const lastPlace = { F32: 2 ** -22, F16: 2 ** -11, BF16: 2 ** -8 }[type.name]!;

  test('adds and rounds each weight to the nearest', () => {
    const { left, right } = factors(tensor.values, 101, 37, 0.1, 7);
    const { values, realised: report } = update(tensor, left, right);
    expect(report.mode).toBe('add');
    const tooFar = values.filter((value, k) => {
      const sum = tensor.values[k]! + left[Math.floor(k / 101)]! * right[k % 101]!;
      // 2^-24: the spacing of F16 below its normal range.
      return Math.abs(value - sum) > lastPlace * Math.abs(sum) + 2 ** -24;
    });
    expect(tooFar).toHaveLength(0);
  });

  test('below the last place still arrives along the direction', () => {
    const wide = makeTensor(type, 512, 200, 9);
    const { left, right } = factors(wide.values, 512, 200, 0.002, 8);
    const { gain } = update(wide, left, right).realised;
    expect(gain).toBeGreaterThan(0.99);
    expect(gain).toBeLessThan(1.01);
  });
});

test('twice the strength is twice the change in F32', () => {
  const tensor = makeTensor(floatTypes[0]!, 77, 19, 10);
  const { left, right } = factors(tensor.values, 77, 19, 0.05, 9);
  const once = update(tensor, left, right).values;
  const twice = update(
    tensor,
    left.map((x) => 2 * x),
    right,
  ).values;
  const misses = tensor.values.map((before, k) => Math.abs(twice[k]! - before - 2 * (once[k]! - before)));
  // Two roundings of numbers below 0.5 in size.
  expect(Math.max(...misses)).toBeLessThan(2 ** -23);
});

describe.each(quantisedTypes)('a rank-one update of $name', (type) => {
  const tensor = makeTensor(type, 512, 300, 11);

  test.each([0.005, 0.01, 0.02, 0.05, 0.1])('of %d of the norm arrives along its direction', (share) => {
    const { left, right } = factors(tensor.values, 512, 300, share, 10);
    const { realised: report } = update(tensor, left, right);
    expect(report.gain).toBeGreaterThan(0.99);
    expect(report.gain).toBeLessThan(1.01);
    expect(report.columnError).toBeLessThan(0.03);
    expect(report.worstGroup).toBeGreaterThan(0.9);
    expect(report.relativeChange).toBeCloseTo(share, 6);
  });

  test('flips codes on the grid it has, when the update is small', () => {
    const { left, right } = factors(tensor.values, 512, 300, 0.005, 12);
    const { realised: report } = update(tensor, left, right);
    expect(report.mode).toBe('code-flips');
    expect(report.flipped).toBeLessThan(0.2);
  });
});

test.each(quantisedTypes.filter(({ name }) => /^(Q8_0|Q4_K|MXFP4)$/.test(name)))(
  'knowing the inputs of $name lowers the noise on them',
  (type) => {
    const [nIn, nOut] = [1024, 900]; // of a few hundred rows it may also rise by chance
    const tensor = makeTensor(type, nIn, nOut, 19);
    const { left, right } = factors(tensor.values, nIn, nOut, 0.02, 20);
    const squares = noise(nIn, 21).map((x) => x ** 4);
    const powerOf = (meanSquares?: Float32Array) => {
      const bytes = kernels._flipCodes(type.id, tensor.bytes, nIn, nOut, left, right, 1, meanSquares);
      const after = kernels._dequantize(type.id, bytes, nIn, nOut);
      expect(realised(tensor.values, after, left, right)).toMatchObject({ gain: expect.closeTo(1, 2) as number });
      return after.reduce((sum, value, k) => {
        const error = value - tensor.values[k]! - left[Math.floor(k / nIn)]! * right[k % nIn]!;
        return sum + squares[k % nIn]! * error * error;
      }, 0);
    };
    expect(powerOf(squares)).toBeLessThan(powerOf());
  },
);

/** Gains that turn a readout away from the left factor, as a norm's do: left = s / gain is read along s * gain. */
const gainsOf = (n: number) => noise(n, 22).map((x) => Math.exp(0.6 * x));
const readAlong = (left: Float32Array) => {
  const gains = gainsOf(left.length);
  return { left: left.map((x, i) => x / gains[i]!), readout: left.map((x, i) => x * gains[i]!) };
};

test.each(quantisedTypes)('an update of $name arrives along the readout, in every column', (type) => {
  const [nIn, nOut] = [512, 300];
  const tensor = makeTensor(type, nIn, nOut, 23);
  const given = factors(tensor.values, nIn, nOut, 0.02, 24);
  const { left, readout } = readAlong(given.left);
  const { right } = given;
  /** Share that arrived of what each column's sum along the readout was to change by, and its largest error. */
  const arrived = (p?: Float32Array) => {
    const bytes = kernels._flipCodes(type.id, tensor.bytes, nIn, nOut, left, right, 1, undefined, p);
    const after = kernels._dequantize(type.id, bytes, nIn, nOut);
    const wanted = left.reduce((sum, x, i) => sum + x * readout[i]!, 0);
    let [error, all] = [0, 0];
    for (let j = 0; j < nIn; ++j) {
      let change = 0;
      for (let i = 0; i < nOut; ++i) change += (after[i * nIn + j]! - tensor.values[i * nIn + j]!) * readout[i]!;
      error += (change - wanted * right[j]!) ** 2;
      all += (wanted * right[j]!) ** 2;
    }
    return Math.sqrt(error / all);
  };
  expect(arrived(readout)).toBeLessThan(0.02);
  expect(arrived()).toBeGreaterThan(5 * arrived(readout));
});

describe.each(quantisedTypes)('a GPU’s division of an update of $name', (type) => {
  test.each([
    { blocks: 3, nOut: 70 }, // of 32: less than a tile of 256 columns; two search parts, the second one short
    { blocks: 9, nOut: 13 }, // of 32: one tile and a run
    { blocks: 1, nOut: 1 },
  ])('gives the bytes of the CPU: $blocks blocks, $nOut rows', ({ blocks, nOut }) => {
    const nIn = blocks * type.weights;
    const tensor = makeTensor(type, nIn, nOut, 16);
    const { left, right } = factors(tensor.values, nIn, nOut, nOut === 1 ? 0.5 : 0.02, 17);
    if (nOut > 5) left[5] = 0; // a row that no tile hands on
    const cpu = (squares?: Float32Array, readout?: Float32Array) =>
      kernels._flipCodes(type.id, tensor.bytes, nIn, nOut, left, right, 2, squares, readout);
    const gpu = (squares?: Float32Array, readout?: Float32Array) =>
      kernels._gpuPass(emulatedGpu, 1, 'flip', type.id, tensor.bytes, nIn, nOut, type.id, left, right, squares, readout)
        .bytes;
    expect(same(gpu(), cpu())).toBe(true);
    expect(same(gpu(), tensor.bytes)).toBe(false);
    const squares = noise(nIn, 18).map((x) => x * x);
    expect(same(gpu(squares), cpu(squares))).toBe(true);
    const along = readAlong(left).readout;
    expect(same(gpu(squares, along), cpu(squares, along))).toBe(true);
    if (nOut > 5) expect(same(cpu(squares, along), cpu(squares))).toBe(false);
    // A readout along left says nothing, nor do inputs that are all alike.
    expect(same(cpu(squares, left), cpu(squares))).toBe(true);
    expect(same(cpu(squares.fill(0.3)), cpu())).toBe(true);
  });
});

test('Q8_0 never gets the code -128', () => {
  const type = quantisedTypes.find(({ name }) => name === 'Q8_0')!;
  const tensor = makeTensor(type, 256, 64, 12);
  for (const share of [0.02, 0.3]) {
    const { left, right } = factors(tensor.values, 256, 64, share, 13);
    const { bytes } = update(tensor, left, right);
    expect(bytes.filter((byte, k) => k % 34 >= 2 && byte === 0x80)).toHaveLength(0);
  }
});

test('MXFP4 keeps the sign of zeros that nothing flips', () => {
  const type = quantisedTypes.find(({ name }) => name === 'MXFP4')!;
  const tensor = makeTensor(type, 256, 64, 13);
  const isZero = (code: number) => (code & 7) === 0;
  const bytes = tensor.bytes.map((byte, k) => {
    if (k % 17 === 0) return byte;
    return byte | (isZero(byte & 15) ? 8 : 0) | (isZero(byte >> 4) ? 0x80 : 0);
  });
  const { left, right } = factors(tensor.values, 256, 64, 0.02, 14);
  const after = update({ ...tensor, bytes }, left, right);
  expect(same(after.bytes, bytes)).toBe(false);
  const halves = (array: Uint8Array) => [...array].flatMap((byte, k) => (k % 17 === 0 ? [] : [byte & 15, byte >> 4]));
  const [old, now] = [halves(bytes), halves(after.bytes)];
  const zeros = now.filter((code, k) => isZero(code) && old[k] === 8);
  expect(zeros.length).toBeGreaterThan(1000);
  // A few were flipped, and then back.
  expect(zeros.filter((code) => code === 0).length).toBeLessThan(0.01 * zeros.length);
});

test.each([
  ['Q8_0', 0.5, 0.05],
  ['IQ4_NL', 1, 0.2],
  ['IQ4_XS', 1, 0.2],
  ['MXFP4', 3, 0.2],
])('an update of %s beyond the grid gets a new one', (name, share, most) => {
  const type = quantisedTypes.find((other) => other.name === name)!;
  const tensor = makeTensor(type, 256, 64, 14);
  const { left, right } = factors(tensor.values, 256, 64, share, 15);
  const { realised: report } = update(tensor, left, right);
  expect(report.mode).toBe('refit');
  expect(report.collateral).toBeLessThan(most);
});
