import { join } from 'node:path';

import { native, runTask, type PlannedTensor, type PromotionType } from '../../lib/native';
import { norm, realised } from '../helpers/reference';
import { temporaryFolder } from '../helpers/temporary';
import { readGguf, tinyGguf, type TinyTensor, type TypeName } from '../helpers/tiny-gguf';
import { factorsOf, updateFile, valuesOf } from '../helpers/update-file';
import { randomBlocks } from '../helpers/random-blocks';

const [nIn, nOut] = [512, 41]; // two blocks of the largest type a row
const targets: PromotionType[] = ['Q8_0', 'F16', 'BF16', 'F32'];
const sources = [
  ...(['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0', 'Q5_1', 'Q2_K', 'Q3_K', 'Q4_K', 'Q6_K'] as const),
  ...(['IQ1_S', 'IQ1_M', 'IQ2_XXS', 'IQ2_XS', 'IQ2_S', 'IQ3_XXS', 'IQ3_S', 'IQ4_NL', 'IQ4_XS'] as const),
  ...(['TQ1_0', 'TQ2_0', 'MXFP4', 'NVFP4', 'Q1_0', 'Q2_0'] as const),
];
const matrix = (type: TypeName, options: Partial<TinyTensor> = {}): TinyTensor => ({
  name: `${type}.weight`,
  type,
  shape: [nIn, nOut],
  bytes: randomBlocks(type, nIn * nOut, 1),
  ...options,
});

const folder = temporaryFolder();
const source = join(folder, 'source.gguf');
const output = join(folder, 'output.gguf');
beforeAll(
  () =>
    void tinyGguf({
      tensors: [
        { name: 'first', type: 'F32', shape: [3] },
        ...sources.map((type) => matrix(type)),
        matrix('NVFP4', { name: 'scaled.weight' }),
        { name: 'scaled.scale', type: 'F32', shape: [1] },
        { name: 'narrow', type: 'F32', shape: [48, 2] },
        { name: 'whole', type: 'I32', shape: [32, 2] },
        { name: 'last', type: 'F32', shape: [3], gap: 32 },
      ],
      trailing: Buffer.from('the end'),
    }).write(source),
);

const planFor = (type: TypeName, to: PromotionType, share = 0.02): PlannedTensor => ({
  name: `${type}.weight`,
  type: to,
  ...factorsOf(readGguf(source).tensors.get(`${type}.weight`)!, share, 3),
});
/** The values of a promoted tensor, before and after. */
const bothOf = (name: string) => [source, output].map((path) => valuesOf(readGguf(path).tensors.get(name)!));

describe.each(targets)('a promotion to %s', (to) => {
  test.each(sources.filter((type) => type !== to))('of %s adds left * rightᵀ to the very values', async (type) => {
    const plan = planFor(type, to);
    const { tensors } = await updateFile(source, output, [plan]);
    expect(tensors[0]).toMatchObject({ name: plan.name, type: to, realised: { mode: 'promote' } });
    expect(readGguf(output).tensors.get(plan.name)!.type).toBe(to);
    const [before, after] = bothOf(plan.name);
    const wanted = before!.map((w, k) => w + Math.fround(plan.left[Math.floor(k / nIn)]! * plan.right[k % nIn]!));
    if (to === 'F32') expect(after).toEqual(wanted);
    // Half a step of the grid; closing a column of Q8_0 moves single codes on by steps.
    const step = (k: number) => {
      if (to !== 'Q8_0') return Math.max(Math.abs(wanted[k]!) * (to === 'F16' ? 2 ** -10 : 2 ** -7), 2 ** -24);
      const block = wanted.subarray(k - (k % 32), k - (k % 32) + 32);
      return Math.max(...block.map(Math.abs)) / 126; // the scale that fits a block best is not always that of its end
    };
    const misses = Array.from(wanted, (w, k) => Math.abs(after![k]! - w) / Math.max(step(k), 1e-30));
    expect(misses.filter((miss) => !(miss <= 0.51)).length).toBeLessThan(to === 'Q8_0' ? 0.1 * misses.length : 1);
    expect(Math.max(...misses)).toBeLessThan(6);
  });

  test.each(sources.filter((type) => type !== to))('of %s reports what float64 finds', async (type) => {
    const plan = planFor(type, to);
    const { tensors } = await updateFile(source, output, [plan]);
    const [before, after] = bothOf(plan.name);
    const { offDirection, ...expected } = realised(before!, after!, plan.left, plan.right);
    const report = tensors[0]!.realised;
    for (const [name, value] of Object.entries(expected)) {
      expect([name, report[name as keyof typeof expected]]).toEqual([name, expect.closeTo(value, 4)]);
    }
    // A root of a difference of squares, of factors in float32.
    expect(report.offDirection).toBeCloseTo(offDirection, 3);
    expect(Math.abs(report.gain - 1)).toBeLessThan(to === 'BF16' ? 5e-3 : 1e-3); // of 10^4 weights
  });

  // Rounding to BF16 alone would lose all of it: the values of MXFP4 are numbers of BF16.
  test.each(['MXFP4', 'Q4_K', 'IQ2_S'] as const)('of %s keeps an update of a 2000th of the weights', async (type) => {
    const { tensors } = await updateFile(source, output, [planFor(type, to, 0.0005)]);
    const most = { Q8_0: 1e-3, F16: 1e-2, BF16: 0.1, F32: 1e-5 }[to];
    expect(Math.abs(tensors[0]!.realised.gain - 1)).toBeLessThan(most);
  });

  test('of strength zero is a conversion', async () => {
    await updateFile(source, output, [planFor('IQ4_NL', to, 0)]);
    const [before, after] = bothOf('IQ4_NL.weight');
    const error = norm(after!.map((w, k) => w - before![k]!)) / norm(before!);
    expect(error).toBeLessThan({ Q8_0: 6e-3, F16: 3e-4, BF16: 2.5e-3, F32: 1e-12 }[to]);
  });

  test('gives the same bytes for any number of threads', async () => {
    const plans = sources.filter((type) => type !== to).map((type) => planFor(type, to));
    const one = await updateFile(source, output, plans);
    const many = await updateFile(source, `${output}.3`, plans, { threads: 3 });
    expect(many).toEqual({ ...one, output: `${output}.3` });
    expect(readGguf(`${output}.3`).bytes.equals(readGguf(output).bytes)).toBe(true);
  });
});

test('MXFP4 and IQ4_NL are read as they are defined', async () => {
  // A shared exponent of 2^(118 - 127) and four-bit floats, without a minus zero; a half-precision scale and a table of 16 values.
  const e2m1 = [0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6];
  const table = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
  const codes = Buffer.from(Array.from({ length: 16 }, (_, k) => k | ((15 - k) << 4)));
  const path = tinyGguf({
    tensors: [
      { name: 'mx', type: 'MXFP4', shape: [32, 1], bytes: Buffer.concat([Buffer.from([118]), codes]) },
      { name: 'nl', type: 'IQ4_NL', shape: [32, 1], bytes: Buffer.concat([Buffer.from([0, 0x1c]), codes]) },
    ],
  }).write(join(folder, 'defined.gguf'));
  const zero = { left: new Float32Array(1), right: new Float32Array(32), type: 'F32' as const };
  await updateFile(path, output, [
    { name: 'mx', ...zero },
    { name: 'nl', ...zero },
  ]);
  const { tensors } = readGguf(output);
  const each = (values: number[], scale: number) =>
    Float32Array.from({ length: 32 }, (_, k) => scale * values[k < 16 ? k : 31 - k]!);
  expect(valuesOf(tensors.get('mx')!)).toEqual(each(e2m1, 2 ** -9));
  expect(valuesOf(tensors.get('nl')!)).toEqual(each(table, 2 ** -8));
});

test('numbers outside the range of F16 end at its largest', async () => {
  const bytes = Buffer.from(Float32Array.from({ length: 64 }, (_, k) => (k < 32 ? 1e6 : -1e6)).buffer);
  const path = tinyGguf({ tensors: [{ name: 'w', type: 'F32', shape: [32, 2], bytes }] }).write(
    join(folder, 'large.gguf'),
  );
  await updateFile(path, output, [{ name: 'w', left: new Float32Array(2), right: new Float32Array(32), type: 'F16' }]);
  expect(valuesOf(readGguf(output).tensors.get('w')!)).toEqual(
    Float32Array.from({ length: 64 }, (_, k) => (k < 32 ? 65504 : -65504)),
  );
});

test('a type that is the tensor’s own changes nothing', async () => {
  const { name, left, right } = planFor('Q8_0', 'Q8_0');
  await updateFile(source, output, [{ name, left, right, type: 'Q8_0' }]);
  const { bytes } = readGguf(output);
  const { tensors } = await updateFile(source, output, [{ name, left, right }]);
  expect(readGguf(output).bytes.equals(bytes)).toBe(true);
  expect(tensors[0]!.realised.mode).not.toBe('promote');
});

describe('the file of a promotion', () => {
  const plans = () => [planFor('Q4_K', 'F16'), planFor('IQ2_S', 'Q8_0'), planFor('F32', 'BF16')];

  test('has all other tensors byte for byte, in order, aligned and without gaps of its own', async () => {
    await updateFile(source, output, plans());
    const [before, after] = [readGguf(source), readGguf(output)];
    expect([...after.tensors.keys()]).toEqual([...before.tensors.keys()]);
    const promoted = new Map(plans().map(({ name, type }) => [name, type]));
    let [end, oldEnd] = [after.dataOffset, before.dataOffset];
    for (const [name, { type, shape, bytes, offset }] of after.tensors) {
      const old = before.tensors.get(name)!;
      expect([name, type, shape]).toEqual([name, promoted.get(name) ?? old.type, old.shape]);
      if (!promoted.has(name)) expect([name, bytes.equals(old.bytes)]).toEqual([name, true]);
      const aligned = (place: number) => Math.ceil(place / 32) * 32;
      expect([name, offset - aligned(end)]).toEqual([name, old.offset - aligned(oldEnd)]);
      [end, oldEnd] = [offset + bytes.length, old.offset + old.bytes.length];
    }
    expect(after.bytes.subarray(end)).toEqual(before.bytes.subarray(oldEnd));
    const kept = ({ entries }: typeof after) => entries.filter(({ key }) => !key.startsWith('rosi.')).map((e) => e.raw);
    expect(kept(after)).toEqual(kept(before));
    const last = after.tensors.get('last')!;
    expect(after.bytes.subarray(last.offset - 32, last.offset)).toEqual(Buffer.alloc(32, 0xee));
  });

  test.each([8, 64, 4096])('keeps an alignment of %i, and pads its last tensor', async (alignment) => {
    const path = tinyGguf({
      alignment,
      tensors: [
        { name: 'a', type: 'Q8_0', shape: [32, 3] },
        { name: 'b', type: 'F32', shape: [32, 3] },
        { name: 'c', type: 'Q8_0', shape: [32, 3] },
      ],
    }).write(join(folder, 'aligned.gguf'));
    const factors = { left: new Float32Array(3).fill(0.01), right: new Float32Array(32).fill(0.01) };
    const tensors = [
      { name: 'a', type: 'F16' as const, ...factors },
      { name: 'c', type: 'F32' as const, ...factors },
    ];
    const { outputBytes } = await updateFile(path, output, tensors);
    const { dataOffset, bytes, tensors: found } = readGguf(output);
    for (const { offset } of found.values()) expect((offset - dataOffset) % alignment).toBe(0);
    expect(dataOffset % alignment).toBe(0);
    expect(outputBytes).toBe(bytes.length);
    expect((bytes.length - dataOffset) % alignment).toBe(0);
    expect(found.get('b')!.bytes).toEqual(readGguf(path).tensors.get('b')!.bytes);
    expect((await runTask(() => native.inspect(output))).alignment).toBe(alignment);
  });

  test('of the same size has the layout of the source', async () => {
    await updateFile(source, output, [planFor('F16', 'BF16')]);
    const [before, after] = [readGguf(source), readGguf(output)];
    const places = ({ tensors, dataOffset }: typeof after) => [...tensors.values()].map((t) => t.offset - dataOffset);
    expect(places(after)).toEqual(places(before));
    expect(after.bytes.length - after.dataOffset).toBe(before.bytes.length - before.dataOffset);
  });

  test('is reported on up to 1', async () => {
    const ticks: number[] = [];
    const request = { source, output, overwrite: true, threads: 1, metadata: {}, tensors: plans() };
    await runTask(() => native.update(request, (done) => ticks.push(done)));
    expect(ticks.at(-1)).toBeCloseTo(1, 9);
    expect(Math.max(...ticks)).toBeLessThanOrEqual(1);
    expect([...ticks].sort((a, b) => a - b)).toEqual(ticks);
  });

  test('says the new type in its record, and only of promoted tensors', async () => {
    const { tensors } = await updateFile(source, output, [planFor('Q4_K', 'F16'), planFor('Q8_0', 'Q8_0')]);
    const text = readGguf(output).entries.find(({ key }) => key === 'rosi.tensors')!.text!;
    expect(text).toBe(
      JSON.stringify([
        { name: 'Q4_K.weight', type: 'F16', sha256: tensors[0]!.sha256 },
        { name: 'Q8_0.weight', sha256: tensors[1]!.sha256 },
      ]),
    );
  });
});

test('a stack of experts is promoted expert by expert, those without an update too', async () => {
  const shape = [64, 5, 3];
  const path = tinyGguf({
    tensors: [{ name: 'w', type: 'IQ4_NL', shape, bytes: randomBlocks('IQ4_NL', 960, 4) }],
  }).write(join(folder, 'experts.gguf'));
  const before = valuesOf(readGguf(path).tensors.get('w')!);
  const factors = factorsOf(readGguf(path).tensors.get('w')!, 0.05, 2);
  factors.left.fill(0, 5, 10);
  const { tensors } = await updateFile(path, output, [{ name: 'w', type: 'F32', ...factors }]);
  const after = valuesOf(readGguf(output).tensors.get('w')!);
  const product = (row: number, j: number) => factors.left[row]! * factors.right[Math.floor(row / 5) * 64 + j]!;
  expect(after).toEqual(before.map((w, k) => w + Math.fround(product(Math.floor(k / 64), k % 64))));
  expect(tensors[0]!.realised).toMatchObject({ mode: 'promote', flipped: 1 });
});

test.each<[string, () => PlannedTensor, string, object]>([
  ['to a type of few bits', () => planFor('Q4_K', 'Q4_0' as PromotionType), 'OPTION_INVALID', { type: 'Q4_0' }],
  ['to a type in other letters', () => planFor('Q4_K', 'f16' as PromotionType), 'OPTION_INVALID', { type: 'f16' }],
  [
    'of rows that are no whole number of blocks',
    () => ({ name: 'narrow', type: 'Q8_0', left: new Float32Array(2), right: new Float32Array(48) }),
    'TENSOR_UNSUPPORTED',
    { tensor: 'narrow', rowWeights: 48 },
  ],
  [
    'of whole numbers',
    () => ({ name: 'whole', type: 'F32', left: new Float32Array(2), right: new Float32Array(32) }),
    'TENSOR_UNSUPPORTED',
    { tensor: 'whole', type: 'I32' },
  ],
  [
    'of NVFP4 with a scale of its own',
    () => ({ ...planFor('NVFP4', 'F16'), name: 'scaled.weight' }),
    'TENSOR_UNSUPPORTED',
    { tensor: 'scaled.weight', scale: 'scaled.scale' },
  ],
])('a promotion %s is refused', async (_, plan, code, details) => {
  await expect(updateFile(source, join(folder, 'none.gguf'), [plan()])).rejects.toMatchObject({ code, details });
});
