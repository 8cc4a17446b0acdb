import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { applyPlan, harden, makePlan, readPlan, verifyUpdate, writeOutputs, type SavedPlan } from '../../lib';
import { kernels } from '../helpers/kernels';
import { logitsOf } from '../helpers/logits';
import { temporaryFolder } from '../helpers/temporary';
import { tinyChat, tinyPrompts } from '../helpers/tiny-chat';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const prompts = tinyPrompts(32);
const edit = { layer: 3, layers: [3, 5], strength: 2.2, threads: 1, seed: 1 } as const;
let saved: SavedPlan;
beforeAll(async () => {
  kernels._engineQuantize(tinyChat, at('f32.gguf'), 0, 1);
  saved = await makePlan(at('f32.gguf'), prompts, edit);
  await writeOutputs({ plan: at('plan.json'), lora: at('lora.gguf') }, saved);
});

const tested = [...prompts.test.harmful.slice(0, 8), ...prompts.test.harmless.slice(0, 8)];
const logits = (model: string, adapter?: string) => logitsOf(model, tested, adapter);

function furthest(a: Float32Array, b: Float32Array): number {
  expect(a).toHaveLength(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

test('the LoRA file in the engine is the edited F32 file, on every logit', async () => {
  await applyPlan(saved, at('f32.gguf'), { output: at('edited.gguf') });
  const [before, after] = [await logits(at('f32.gguf')), await logits(at('edited.gguf'))];
  const effect = furthest(after, before);
  expect(effect).toBeGreaterThan(1);
  // The adapter adds left * (right . x) where the file multiplies by the sum: float32 in another order.
  expect(furthest(await logits(at('f32.gguf'), at('lora.gguf')), after)).toBeLessThan(1e-4 * effect);
});

test('a saved plan makes the file that harden makes, byte for byte', async () => {
  await harden(at('f32.gguf'), prompts, { ...edit, output: at('hardened.gguf'), evaluate: 'none' });
  const applied = await applyPlan(await readPlan(at('plan.json')), at('f32.gguf'), { output: at('applied.gguf') });
  expect(applied.sourceMatches).toBe(true);
  expect(readFileSync(at('applied.gguf')).equals(readFileSync(at('hardened.gguf')))).toBe(true);
});

test('a plan computes the update once more, and another one is called out', async () => {
  const [source, output] = [at('f32.gguf'), at('hardened.gguf')];
  const { plan } = await readPlan(at('plan.json'));
  const same = await verifyUpdate(source, output, { plan });
  expect(same.ok).toBe(true);
  expect(same.recomputed).toHaveLength(6);
  for (const { equal, realised } of same.recomputed!)
    expect({ equal, exact: Math.abs(realised!.gain - 1) < 1e-3 }).toEqual({ equal: true, exact: true });
  const twice = {
    ...plan,
    tensors: plan.tensors.map((t, i) => (i === 2 ? { ...t, left: t.left.map((v) => 2 * v) } : t)),
  };
  const other = await verifyUpdate(source, output, { plan: twice });
  expect(other.ok).toBe(false);
  expect(other.recomputed!.map(({ equal }) => equal)).toEqual([true, true, false, true, true, true]);
  const part = await verifyUpdate(source, output, { plan: { ...plan, tensors: plan.tensors.slice(1) } });
  expect(part.ok).toBe(false);
  expect(part.recomputed!.filter(({ equal }) => !equal)).toEqual([
    { name: plan.tensors[0]!.name, equal: false, realised: null },
  ]);
  const another = await verifyUpdate(tinyChat, output, { plan });
  expect(another).toMatchObject({ ok: false, sourceMatches: false, recomputed: null });
  await expect(verifyUpdate(undefined, output, { plan })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
});

test('what can not be written is refused before anything is, and a second edit unless asked', async () => {
  const hardened = at('hardened.gguf');
  const twice = { output: at('twice.gguf') };
  await expect(applyPlan(saved, hardened, twice)).rejects.toMatchObject({ code: 'ALREADY_HARDENED' });
  expect((await applyPlan(saved, hardened, { ...twice, again: true })).tensors).toHaveLength(6);
  const ignored = saved.plan.tensors.map((tensor) => ({ ...tensor, adapter: null }));
  const paths = { plan: at('p2.json'), lora: at('l2.gguf') };
  await expect(writeOutputs(paths, { ...saved, plan: { ...saved.plan, tensors: ignored } })).rejects.toMatchObject({
    code: 'MODEL_UNSUPPORTED',
  });
  expect(readdirSync(folder).filter((name) => /2\.(json|gguf)$/u.test(name))).toEqual(['f32.gguf']);
});

test('a plan of one quantisation moves another in the same way', async () => {
  const applied = await applyPlan(saved, tinyChat, { output: at('q8.gguf') });
  expect(applied.sourceMatches).toBe(false);
  for (const { realised } of applied.tensors) expect(Math.abs(realised.gain - 1)).toBeLessThan(0.01);
  const full = await logits(at('edited.gguf'));
  const moved = await logits(at('q8.gguf'));
  expect(furthest(moved, full)).toBeLessThan(0.25 * furthest(moved, await logits(tinyChat)));
});

test('what can be refused is, before anything is written', async () => {
  const other = {
    ...saved,
    provenance: { ...saved.provenance, source: { ...saved.provenance.source, architecture: 'x' } },
  };
  await expect(writeOutputs({ plan: at('new.json'), peft: at('peft') }, other)).rejects.toMatchObject({
    code: 'MODEL_UNSUPPORTED',
  });
  await expect(writeOutputs({ plan: at('new.json'), modelfile: at('Modelfile') }, saved)).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    details: { option: 'gguf' },
  });
  expect(() => readFileSync(at('new.json'))).toThrow(/ENOENT/);
});

test('writeOutputs makes a Modelfile of the model that it is given', async () => {
  const written = await writeOutputs({ modelfile: at('Modelfile'), peft: at('peft') }, saved, { gguf: tinyChat });
  expect(written).toEqual([at('peft'), at('Modelfile')]);
  expect(readFileSync(at('Modelfile'), 'utf8')).toMatch(
    /^FROM .*tiny-chat\.Q8_0\.gguf\nTEMPLATE """[^]*<\|im_start\|>/mu,
  );
});
