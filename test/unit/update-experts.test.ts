import { join } from 'node:path';

import type { PlannedTensor } from '../../lib/native';
import { kernels } from '../helpers/kernels';
import { norm, realised } from '../helpers/reference';
import { temporaryFolder } from '../helpers/temporary';
import { readGguf, tinyGguf, typeId, type TinyOptions, type TypeName } from '../helpers/tiny-gguf';
import { factorsOf, updateFile, valuesOf } from '../helpers/update-file';

const [nIn, nOut, nExperts] = [512, 21, 5];
const quiet = 3; // the expert that the plan leaves alone
const types: TypeName[] = ['F32', 'BF16', 'Q8_0', 'Q4_0', 'Q4_K'];
const model: TinyOptions = {
  tensors: [
    { name: 'norm', type: 'F32', shape: [7] },
    ...types.map((type) => ({ name: type, type, shape: [nIn, nOut, nExperts] })),
    { name: 'matrix', type: 'F32', shape: [nIn, nOut] },
    { name: 'cube', type: 'F32', shape: [32, 2, 2, 2] },
  ],
};

const folder = temporaryFolder();
const source = join(folder, 'source.gguf');
const output = join(folder, 'output.gguf');
beforeAll(() => void tinyGguf(model).write(source));

/** An update of every expert but one. */
function planFor(name: string, share = 0.05): Required<Pick<PlannedTensor, 'name' | 'left' | 'right' | 'nExperts'>> {
  const factors = factorsOf(readGguf(source).tensors.get(name)!, share, 3);
  factors.left.fill(0, quiet * nOut, (quiet + 1) * nOut);
  return { name, ...factors };
}
const slice = <T extends Float32Array | Buffer>(all: T, expert: number): T =>
  all.subarray((expert * all.length) / nExperts, ((expert + 1) * all.length) / nExperts) as T;
const edited = [...Array(nExperts).keys()].filter((expert) => expert !== quiet);

describe.each(types)('a stack of %s experts', (type) => {
  test('is updated like so many matrices, and an expert without update keeps its bytes', async () => {
    const plan = planFor(type);
    await updateFile(source, output, [plan]);
    const [before, after] = [source, output].map((path) => readGguf(path).tensors.get(type)!.bytes);
    for (let e = 0; e < nExperts; ++e) {
      const [left, right] = [slice(plan.left, e), slice(plan.right, e)];
      const { bytes } = kernels._addRankOne(typeId(type), slice(before!, e), nIn, nOut, left, right, 1);
      expect([e, Buffer.compare(slice(after!, e), bytes)]).toEqual([e, 0]);
      expect([e, slice(after!, e).equals(slice(before!, e))]).toEqual([e, e === quiet]);
    }
  });

  test('is reported as one matrix of blocks', async () => {
    const plan = planFor(type);
    const { tensors } = await updateFile(source, output, [plan]);
    const [before, after] = [source, output].map((path) => valuesOf(readGguf(path).tensors.get(type)!));
    const parts = edited.map((e) => ({
      ...realised(slice(before!, e), slice(after!, e), slice(plan.left, e), slice(plan.right, e)),
      size: norm(slice(plan.left, e)) * norm(slice(plan.right, e)),
      weights: norm(slice(before!, e)),
    }));
    type Part = (typeof parts)[number];
    const sum = (value: (part: Part) => number) => parts.reduce((total, part) => total + value(part), 0);
    const squares = sum(({ size }) => size ** 2);
    const whole = (value: (part: Part) => number) => Math.sqrt(sum((part) => (value(part) * part.size) ** 2) / squares);
    const gains = parts.map(({ gain }) => gain);
    expect(tensors[0]!.realised).toMatchObject({
      relativeChange: expect.closeTo(Math.sqrt(squares / sum(({ weights }) => weights ** 2)), 5) as number,
      gain: expect.closeTo(sum(({ gain, size }) => gain * size ** 2) / squares, 5) as number,
      worstGain: expect.closeTo(
        gains.reduce((worst, gain) => (Math.abs(gain - 1) > Math.abs(worst - 1) ? gain : worst)),
        5,
      ) as number,
      offDirection: expect.closeTo(
        whole(({ offDirection }) => offDirection),
        3, // what float32 factors leave of a difference of squares
      ) as number,
      columnError: expect.closeTo(
        whole(({ columnError }) => columnError),
        5,
      ) as number,
      collateral: expect.closeTo(
        whole(({ collateral }) => collateral),
        5,
      ) as number,
      flipped: expect.closeTo(sum(({ flipped }) => flipped) / parts.length, 5) as number,
      noiseToSignal: null,
    });
  });

  test('does not depend on the number of threads', async () => {
    const plan = planFor(type);
    const one = await updateFile(source, output, [plan]);
    const many = await updateFile(source, `${output}.3`, [plan], { threads: 3 });
    expect(many).toEqual({ ...one, output: `${output}.3` });
    expect(readGguf(`${output}.3`).bytes.equals(readGguf(output).bytes)).toBe(true);
  });
});

test('the worst numbers are those of the worst expert', async () => {
  const plan = planFor('Q4_0');
  const scale = (expert: number, by: number) =>
    plan.left.set(
      slice(plan.left, expert).map((x) => x * by),
      expert * nOut,
    );
  scale(0, 1e-7); // too small to arrive at all, and too small to matter
  scale(1, 4000); // far more than its codes can move
  const { tensors } = await updateFile(source, output, [plan]);
  const before = readGguf(source).tensors.get('Q4_0')!.bytes;
  const alone = edited.map((e) => {
    const [left, right] = [slice(plan.left, e), slice(plan.right, e)];
    return kernels._addRankOne(typeId('Q4_0'), slice(before, e), nIn, nOut, left, right, 1).realised;
  });
  const { worstGain, worstGroup, gain } = tensors[0]!.realised;
  const loud = alone[1]!;
  expect({ worstGain, worstGroup, gain }).toEqual({
    worstGain: loud.gain,
    worstGroup: loud.worstGroup, // the others ask for less than 1e-6 of the whole
    gain: expect.closeTo(loud.gain, 5) as number,
  });
  expect(tensors[0]!.realised.mode).toBe(loud.mode);
});

test('a stack whose update is zero is a copy', async () => {
  const plan = { ...planFor('Q8_0'), left: new Float32Array(nOut * nExperts) };
  const { tensors } = await updateFile(source, output, [plan]);
  expect(tensors[0]!.realised).toMatchObject({ mode: 'copy', gain: 1, worstGain: 1 });
  const [before, after] = [source, output].map((path) => readGguf(path).tensors.get('Q8_0')!.bytes);
  expect(after).toEqual(before);
});

test.each<[string, () => PlannedTensor, string, object]>([
  [
    'fewer experts than the tensor has',
    () => ({ ...planFor('F32'), nExperts: 4 }),
    'OPTION_INVALID',
    { tensor: 'F32', nExperts: 4, expected: 5 },
  ],
  [
    'experts of a matrix',
    () => ({ ...planFor('F32'), name: 'matrix' }),
    'OPTION_INVALID',
    { tensor: 'matrix', nExperts: 5, expected: 1 },
  ],
  [
    'a left factor for one expert',
    () => ({ ...planFor('F32'), left: new Float32Array(nOut) }),
    'OPTION_INVALID',
    { factor: 'left', length: nOut, expected: nOut * nExperts },
  ],
  [
    'a right factor for one expert',
    () => ({ ...planFor('F32'), right: new Float32Array(nIn) }),
    'OPTION_INVALID',
    { factor: 'right', length: nIn, expected: nIn * nExperts },
  ],
  [
    'a tensor of four dimensions',
    () => ({ name: 'cube', left: new Float32Array(4), right: new Float32Array(64), nExperts: 2 }),
    'TENSOR_UNSUPPORTED',
    { tensor: 'cube', dimensions: 4 },
  ],
])('%s is refused', async (_, plan, code, details) => {
  await expect(updateFile(source, join(folder, 'none.gguf'), [plan()])).rejects.toMatchObject({ code, details });
});
