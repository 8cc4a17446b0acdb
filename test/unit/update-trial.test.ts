import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { applyUpdate, trialUpdate } from '../../lib';
import type { UpdatePlan } from '../../lib/plan';
import { inChild } from '../helpers/in-child';
import { temporaryFolder } from '../helpers/temporary';
import { readGguf, tinyGguf } from '../helpers/tiny-gguf';
import { factorsOf } from '../helpers/update-file';

const folder = temporaryFolder();
const source = join(folder, 'source.gguf');
const output = join(folder, 'output.gguf');
let plan: UpdatePlan;
beforeAll(() => {
  tinyGguf({
    metadata: { 'rosi.before': { string: 'of an earlier edit' } },
    tensors: [
      { name: 'flipped', type: 'Q4_0', shape: [96, 31] },
      { name: 'kept', type: 'F32', shape: [5] },
      { name: 'promoted', type: 'IQ4_NL', shape: [96, 31], gap: 64 },
      { name: 'experts', type: 'Q8_0', shape: [96, 31, 4] },
    ],
    trailing: Buffer.from('the end'),
  }).write(source);
  const { tensors } = readGguf(source);
  const factors = (name: string) => ({ name, ...factorsOf(tensors.get(name)!, 0.05, 3) });
  const inputs = { meanSquares: new Float32Array(96).fill(2), responseRms: 3 };
  plan = {
    edit: { layer: 0, schedule: 'equal', layers: [0, 0], strength: 1, rightFactor: 'gated' },
    tensors: [{ ...factors('flipped'), inputs }, { ...factors('promoted'), type: 'F16' }, factors('experts')],
  };
});

test('a trial tells what the update then does, and writes nothing', async () => {
  const ticks: number[] = [];
  const trial = await trialUpdate(source, plan, { threads: 2, onProgress: ({ done }) => ticks.push(done) });
  expect(readdirSync(folder)).toEqual(['source.gguf']);
  expect(ticks.at(-1)).toBe(1);
  const written = await applyUpdate(source, plan, { output });
  expect(trial).toEqual({
    sourceBytes: written.sourceBytes,
    outputBytes: written.outputBytes,
    tensors: written.tensors,
  });
  expect(trial.outputBytes).toBe(readFileSync(output).length);
  expect(trial.tensors.map(({ type, realised }) => [type, realised.mode, realised.noiseToSignal !== null])).toEqual([
    ['Q4_0', 'code-flips', true],
    ['F16', 'promote', false],
    ['Q8_0', 'refit', false],
  ]);
});

test('a trial of keys that the output will have counts them', async () => {
  const { outputBytes } = await trialUpdate(source, plan);
  const more = await trialUpdate(source, plan, { metadata: { 'rosi.note': 'x'.repeat(3200) } });
  expect(more.outputBytes - outputBytes).toBeGreaterThanOrEqual(3200);
});

test('a trial of a plan that does not fit is refused as the update is', async () => {
  const tensors = [{ ...plan.tensors[0]!, right: new Float32Array(3) }];
  await expect(trialUpdate(source, { ...plan, tensors })).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    details: { tensor: 'flipped', factor: 'right' },
  });
});

test('a trial can be stopped', async () => {
  const shape = [1024, 4096];
  const big = tinyGguf({ tensors: [{ name: 'w', type: 'F32', shape, bytes: Buffer.alloc(4 * 1024 * 4096) }] });
  const tensors = [{ name: 'w', left: new Float32Array(4096).fill(1), right: new Float32Array(1024).fill(1) }];
  const controller = new AbortController();
  const options = { signal: controller.signal };
  const running = trialUpdate(big.write(join(folder, 'big.gguf')), { ...plan, tensors }, options);
  controller.abort();
  await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
});

test('takes memory for one tensor at a time', () => {
  const [count, size] = [24, 1024];
  const bytes = Buffer.alloc(2 * size * size);
  const names = Array.from({ length: count }, (_, i) => `w${i}`);
  const many = tinyGguf({ tensors: names.map((each) => ({ name: each, type: 'F16', shape: [size, size], bytes })) });
  const measure = `
    const vector = new Float32Array(args.size).fill(0.01);
    const tensors = args.names.map((name) => ({ name, left: vector, right: vector, type: 'F32' }));
    const rss = () => process.memoryUsage().rss / 2 ** 20;
    const before = rss();
    let most = 0;
    const tick = () => { most = Math.max(most, rss()); };
    await addon.update({ source: args.path, trial: true, threads: 1, tensors, metadata: {} }, tick).done;
    print(most - before);`;
  const { lines } = inChild(measure, { path: many.write(join(folder, 'many.gguf')), names, size });
  // MiB: a tensor of 4 with the pages of its source and its copies; 24 of those are 96, and the source alone is 48.
  expect(lines[0]).toBeGreaterThan(4);
  expect(lines[0]).toBeLessThan(30);
});
