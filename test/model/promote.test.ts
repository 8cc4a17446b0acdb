import { join } from 'node:path';

import { generate, inspect, trialUpdate, verifyUpdate, type PlannedTensor, type PromotionType } from '../../lib';
import { applyUpdate } from '../../lib/update';
import type { UpdatePlan } from '../../lib/plan';
import { kernels } from '../helpers/kernels';
import { noise, norm } from '../helpers/reference';
import { temporaryFolder } from '../helpers/temporary';
import { tinyChat, tinyPrompts } from '../helpers/tiny-chat';

const folder = temporaryFolder();
const prompts = tinyPrompts(6).test.harmless;
const answers = (model: string) => generate(model, prompts, { maxTokens: 12, threads: 1 });
const targets: PromotionType[] = ['F16', 'BF16', 'F32', 'Q8_0'];

/** Every second matrix that writes to the stream, in another type, with an update of `strength`. */
async function planFor(model: string, strength: number): Promise<UpdatePlan> {
  const { tensors } = await inspect(model);
  const writers = tensors.filter(({ name }) => /(attn_output|ffn_down)\.weight$/.test(name));
  const planned = writers.flatMap(({ name, shape, type }, i): PlannedTensor[] => {
    const [nIn = 0, nOut = 0] = shape;
    const left = noise(nOut, i);
    const scale = strength / norm(left);
    const target = targets[i % targets.length]!;
    if (target === type) return [];
    return [{ name, left: left.map((x) => x * scale), right: noise(nIn, i + 100, 0.1), type: target }];
  });
  return {
    edit: { layer: 0, schedule: 'equal', layers: [0, 0], strength, rightFactor: 'gated' },
    tensors: planned,
  };
}

// File types of the engine's quantiser: Q8_0, and IQ4_NL, of another kind.
test.each([
  [7, 'Q8_0'],
  [25, 'IQ4_NL'],
])('a model of file type %d, %s, promoted in part, runs and answers as before', async (fileType, type) => {
  const source = join(folder, `${type}.gguf`);
  const output = join(folder, `${type}.promoted.gguf`);
  kernels._engineQuantize(tinyChat, source, fileType, 1);
  const plan = await planFor(source, 0);
  const trial = await trialUpdate(source, plan);
  const written = await applyUpdate(source, plan, { output });
  expect(written.outputBytes).toBe(trial.outputBytes);
  expect(new Set(written.tensors.map((tensor) => tensor.type)).size).toBeGreaterThanOrEqual(3);
  const [before, after] = [await inspect(source), await inspect(output)];
  expect(after.fileBytes).toBeGreaterThan(before.fileBytes);
  expect(after.metadata['general.file_type']).toBe(before.metadata['general.file_type']);
  expect(await verifyUpdate(source, output)).toMatchObject({ ok: true });
  const [old, now] = [await answers(source), await answers(output)];
  // The engine rounds inputs differently for each type of matrix, which may turn one answer of the six.
  expect(now.filter(({ text }, i) => text === old[i]!.text).length).toBeGreaterThanOrEqual(prompts.length - 1);
});

test('an update on the way into another type acts', async () => {
  const output = join(folder, 'acting.gguf');
  const plan = await planFor(tinyChat, 20);
  await applyUpdate(tinyChat, plan, { output });
  expect(await verifyUpdate(tinyChat, output)).toMatchObject({ ok: true });
  expect(await answers(output)).not.toEqual(await answers(tinyChat));
});
