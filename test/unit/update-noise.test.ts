import { join } from 'node:path';

import { seededRandom } from '../../lib/random';
import type { InputStatistics, PlannedTensor } from '../../lib/native';
import { norm } from '../helpers/reference';
import { temporaryFolder } from '../helpers/temporary';
import { readGguf, tinyGguf, type TypeName } from '../helpers/tiny-gguf';
import { factorsOf, updateFile, valuesOf } from '../helpers/update-file';

const [nIn, nOut, nExperts] = [96, 33, 3];
const types: TypeName[] = ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0', 'Q5_1'];
const folder = temporaryFolder();
const source = join(folder, 'source.gguf');
const output = join(folder, 'output.gguf');
beforeAll(
  () =>
    void tinyGguf({
      tensors: types.flatMap((type) => [
        { name: type, type, shape: [nIn, nOut] },
        { name: `${type}.experts`, type, shape: [nIn, nOut, nExperts] },
      ]),
    }).write(source),
);

/** Independent normal numbers with a scale for each element. */
function samplesOf(scales: Float32Array, count: number, seed: number): Float32Array {
  const random = seededRandom(seed, 'inputs');
  return Float32Array.from({ length: count * scales.length }, (_, k) => {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    return scales[k % scales.length]! * radius * Math.cos(2 * Math.PI * random());
  });
}

const root = (sum: number, count: number) => Math.sqrt(sum / count);
const planFor = (name: string, share: number) => ({
  name,
  ...factorsOf(readGguf(source).tensors.get(name)!, share, 5),
});
/** dW - D. */
function errorOf({ name, left, right }: PlannedTensor): Float64Array {
  const [before, after] = [source, output].map((path) => valuesOf(readGguf(path).tensors.get(name)!));
  return Float64Array.from(before!, (w, k) => {
    const row = Math.floor(k / nIn);
    return after![k]! - w - left[row]! * right[Math.floor(row / nOut) * nIn + (k % nIn)]!;
  });
}

// Large and small inputs beside each other, as behind an FFN's activation.
const scales = Float32Array.from({ length: nIn }, (_, j) => 0.1 + ((j * 7) % 13) ** 2 / 20);
const meanSquares = scales.map((x) => x * x);

test.each(types)('noise to signal of %s is what random inputs of these second moments find', async (type) => {
  const plan = planFor(type, 0.02);
  const count = 4000;
  const x = samplesOf(scales, count, 1);
  let response = 0;
  for (let n = 0; n < count; ++n) response += plan.right.reduce((sum, r, j) => sum + r * x[n * nIn + j]!, 0) ** 2;
  const inputs: InputStatistics = { meanSquares, responseRms: root(response, count) };
  const { tensors } = await updateFile(source, output, [{ ...plan, inputs }]);
  const error = errorOf(plan);
  let [noise, signal] = [0, 0];
  for (let n = 0; n < count; ++n) {
    const r = plan.right.reduce((sum, value, j) => sum + value * x[n * nIn + j]!, 0);
    for (let i = 0; i < nOut; ++i) {
      let e = 0;
      for (let j = 0; j < nIn; ++j) e += error[i * nIn + j]! * x[n * nIn + j]!;
      noise += e * e;
      signal += (plan.left[i]! * r) ** 2;
    }
  }
  // The mean of 4000 sums of some ten squares: its standard deviation is below .01, and of its root half of that.
  expect(Math.abs(tensors[0]!.realised.noiseToSignal! / Math.sqrt(noise / signal) - 1)).toBeLessThan(0.02);
});

/** sum_j E[x_j²] |column j of the expert's error|². */
function noisePower(error: Float64Array, expert: number, squares: Float32Array): number {
  let power = 0;
  for (let k = 0; k < nIn * nOut; ++k) power += squares[k % nIn]! * error[expert * nIn * nOut + k]! ** 2;
  return power;
}

describe.each<[string, Partial<PlannedTensor>]>([
  ['in its own type', {}],
  ['promoted to Q8_0', { type: 'Q8_0' }],
])('a stack of experts, %s', (_, options) => {
  test.each([
    ['inputs of its own for each', 1],
    ['inputs that all share', 0],
  ])('has the mean noise power over the mean signal power, with %s', async (_, own) => {
    const plan = { ...planFor('Q4_0.experts', 0.05), ...options };
    plan.left.fill(0, nOut, 2 * nOut); // and the second is not edited
    const perExpert = Float32Array.from(
      { length: nExperts * nIn },
      (_, k) => (1 + Math.floor(k / nIn)) * scales[k % nIn]!,
    );
    const inputs: InputStatistics = { meanSquares: own ? perExpert : meanSquares, responseRms: 0.7 };
    const { tensors } = await updateFile(source, output, [{ ...plan, inputs }]);
    const error = errorOf(plan);
    let [noise, signal] = [0, 0];
    for (const e of [0, 2]) {
      noise += noisePower(error, e, own ? perExpert.subarray(e * nIn, (e + 1) * nIn) : meanSquares);
      signal += (norm(plan.left.subarray(e * nOut, (e + 1) * nOut)) * 0.7) ** 2;
    }
    expect(tensors[0]!.realised.noiseToSignal).toBeCloseTo(Math.sqrt(noise / signal), 4);
  });
});

test('without inputs, or without an update, there is no noise to tell', async () => {
  const inputs: InputStatistics = { meanSquares, responseRms: 1 };
  const [plan, other] = [planFor('Q4_0', 0.05), planFor('F16', 0)];
  const { tensors } = await updateFile(source, output, [plan, { ...other, inputs }]);
  expect(tensors.map(({ realised }) => realised.noiseToSignal)).toEqual([null, null]);
});

test.each<[string, InputStatistics, object]>([
  ['of no length', { meanSquares: new Float32Array(0), responseRms: 1 }, { factor: 'meanSquares', length: 0 }],
  ['of another length', { meanSquares: new Float32Array(7), responseRms: 1 }, { factor: 'meanSquares', length: 7 }],
  [
    'that are not finite',
    { meanSquares: meanSquares.map(() => NaN), responseRms: 1 },
    { factor: 'meanSquares', index: 0 },
  ],
  ['below zero', { meanSquares: meanSquares.map((x, j) => (j === 5 ? -x : x)), responseRms: 1 }, { index: 5 }],
  ['without response', { meanSquares, responseRms: 0 }, { responseRms: 0 }],
])('inputs %s are refused', async (_, inputs, details) => {
  const update = updateFile(source, join(folder, 'none.gguf'), [{ ...planFor('Q4_0', 0.05), inputs }]);
  await expect(update).rejects.toMatchObject({ code: 'OPTION_INVALID', details: { tensor: 'Q4_0', ...details } });
});
