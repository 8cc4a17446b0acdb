import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { applyPlan, type SavedPlan } from '../../lib';
import { samplePlan } from '../helpers/plan';
import { folderPerTest } from '../helpers/temporary';
import { floats, readGguf, tinyGguf, type TinyTensor } from '../helpers/tiny-gguf';

const folder = folderPerTest();
const at = (name: string) => join(folder(), name);

const shapes: Record<string, number[]> = {
  'blk.1.attn_output.weight': [4, 6],
  'blk.1.ffn_down.weight': [10, 6],
  'blk.2.ffn_down.weight': [10, 6],
};

/** A model that the sample plan fits, with some shapes changed. */
function model(changes: Record<string, number[] | undefined> = {}, architecture = 'llama'): string {
  const tensors = Object.entries({ ...shapes, ...changes }).flatMap(([name, shape]): TinyTensor[] =>
    shape === undefined ? [] : [{ name, type: 'F32', shape }],
  );
  return tinyGguf({ tensors, metadata: { 'general.architecture': { string: architecture } } }).write(at('m.gguf'));
}

const options = () => ({ output: at('o.gguf') });

test('adds left * rightᵀ to the planned tensors, and says where the plan is from', async () => {
  const source = model();
  const saved = samplePlan();
  const result = await applyPlan(saved, source, options());
  expect(result).toMatchObject({ sourceMatches: false, tensors: saved.plan.tensors.map(({ name }) => ({ name })) });
  const [before, after] = [readGguf(source), readGguf(at('o.gguf'))];
  for (const { name, left, right } of saved.plan.tensors) {
    const old = floats(before.tensors.get(name)!.bytes);
    floats(after.tensors.get(name)!.bytes).forEach((value, i) => {
      const [row, column] = [Math.floor(i / right.length), i % right.length];
      expect(value).toBeCloseTo(old[i]! + left[row]! * right[column]!, 6);
    });
  }
  const text = (key: string) => after.entries.find((entry) => entry.key === key)?.text;
  expect(text('rosi.prompts.sha256')).toBe(saved.provenance.prompts.sha256);
  expect(JSON.parse(text('rosi.settings')!)).toEqual(saved.provenance.settings);
  expect(text('rosi.kept.sha256')).toBeUndefined();
});

test('the file says which texts were kept, as its plan does', async () => {
  const source = model();
  const saved = samplePlan();
  saved.provenance.prompts.keptSha256 = 'c'.repeat(64);
  await applyPlan(saved, source, { ...options(), overwrite: true });
  const key = readGguf(at('o.gguf')).entries.find((entry) => entry.key === 'rosi.kept.sha256');
  expect(key?.text).toBe('c'.repeat(64));
});

test('says when the model is the very file of the plan', async () => {
  const source = model();
  const saved = samplePlan();
  saved.provenance.source.sha256 = createHash('sha256').update(readFileSync(source)).digest('hex');
  expect((await applyPlan(saved, source, options())).sourceMatches).toBe(true);
});

const with3d = (saved: SavedPlan): SavedPlan => {
  saved.plan.tensors[0]!.nExperts = 2; // left [2, 3], right [2, 2]
  return saved;
};

test.each([
  ['another architecture', () => model({}, 'qwen2'), samplePlan(), { expected: 'llama', found: 'qwen2' }],
  [
    'a tensor that is missing',
    () => model({ 'blk.2.ffn_down.weight': undefined }),
    samplePlan(),
    { tensor: 'blk.2.ffn_down.weight' },
  ],
  [
    'other rows',
    () => model({ 'blk.1.ffn_down.weight': [10, 7] }),
    samplePlan(),
    { tensor: 'blk.1.ffn_down.weight', expected: [10, 6], found: [10, 7] },
  ],
  [
    'a transposed tensor',
    () => model({ 'blk.1.attn_output.weight': [6, 4] }),
    samplePlan(),
    { tensor: 'blk.1.attn_output.weight', expected: [4, 6], found: [6, 4] },
  ],
  [
    'experts that the model has not',
    () => model(),
    with3d(samplePlan()),
    { tensor: 'blk.1.attn_output.weight', expected: [2, 3, 2], found: [4, 6] },
  ],
])('refuses %s, naming it, and writes nothing', async (_, source, saved, details) => {
  await expect(applyPlan(saved, source(), options())).rejects.toMatchObject({ code: 'MODEL_UNSUPPORTED', details });
  expect(existsSync(at('o.gguf'))).toBe(false);
});
