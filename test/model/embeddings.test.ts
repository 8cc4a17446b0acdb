// Token embeddings as a writer: the file has the transposed matrix, and the engine an adapter of its own form, or none.
import { join } from 'node:path';

import {
  applyPlan,
  findWriters,
  makePlan,
  ModelSession,
  readPlan,
  verifyUpdate,
  writeOutputs,
  type SavedPlan,
} from '../../lib';
import { embeddingFactor } from '../../lib/factors';
import { withEdit } from '../../lib/trial-edit';
import { distance, logitsOf } from '../helpers/logits';
import { temporaryFolder } from '../helpers/temporary';
import { tinyChat, tinyPrompts } from '../helpers/tiny-chat';
import { floats, readGguf } from '../helpers/tiny-gguf';
import { tinyModel } from '../helpers/tiny-model';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const name = 'token_embd.weight';
const edit = {
  rightFactor: 'mean-row', embeddings: true, layer: 1, layers: [0, 1], strength: 20, threads: 1, uncensored: false,
} as const; // prettier-ignore
const words = (n: number, seed: number) =>
  Array.from({ length: n }, (_, i) =>
    [...(seed * 1009 + 37 * i).toString(9)].map((digit) => 'abcdefghi'[+digit]).join(' '),
  );
const prompts = { harmful: words(32, 1), harmless: words(32, 4).map((text) => `${text} z`) };
const tested = prompts.harmful.slice(0, 8);
const logits = (model: string, adapter?: string) => logitsOf(model, tested, adapter);

/** Rows of the table in a file. */
function rowsOf(path: string): Float32Array[] {
  const { shape, bytes } = readGguf(path).tensors.get(name)!;
  const all = Float32Array.from(floats(bytes));
  return Array.from({ length: shape[1]! }, (_, i) => all.subarray(i * shape[0]!, (i + 1) * shape[0]!));
}

describe.each([
  ['a table of its own', true],
  ['a table that is the output head, too', false],
])('%s', (_, head) => {
  const model = at(`${head}.gguf`);
  let saved: SavedPlan;
  beforeAll(async () => {
    tinyModel({ nLayer: 2, dModel: 64, nHead: 4, nFf: 96, nContext: 256, head }).write(model);
    saved = await makePlan(model, prompts, edit);
  });

  test('is found, and whether an adapter of it is honoured', async () => {
    const session = await ModelSession.open(model, { threads: 1 });
    const { embedding } = await findWriters(session);
    session.close();
    expect(embedding).toMatchObject({ name, layer: -1, class: 'embedding', nIn: 262, nOut: 64, uses: head ? 0 : 1 });
    expect(embedding!.adapter).toEqual({ honoured: head, ratio: head ? 1 : 0, expertScale: false });
  });

  test('moves by the strength times the mean of each row, along the direction', async () => {
    await applyPlan(saved, model, { output: at('edited.gguf'), overwrite: true });
    const { vector } = saved.provenance.direction;
    const after = rowsOf(at('edited.gguf'));
    for (const [i, row] of rowsOf(model).entries()) {
      const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
      for (const [j, value] of row.entries())
        expect(after[i]![j]).toBeCloseTo(value + edit.strength * mean * vector[j]!, 6);
    }
  });

  test('the edit at run time is that of the file, which verifies', async () => {
    const { realised } = (await applyPlan(saved, model, { output: at('edited.gguf'), overwrite: true })).tensors.at(
      -1,
    )!;
    expect(realised.gain).toBeCloseTo(1, 4);
    const [before, after] = [await logits(model), await logits(at('edited.gguf'))];
    const withoutTable = { ...saved.plan, tensors: saved.plan.tensors.filter((tensor) => tensor.name !== name) };
    const session = await ModelSession.open(model, { threads: 1 });
    const tokens = tested.map((prompt) => session.encode(prompt));
    const run = (plan: SavedPlan['plan']) =>
      withEdit(session, plan, {}, async (edited, adapter) => {
        expect(adapter !== undefined).toBe(head || plan === withoutTable); // otherwise an edited copy
        return edited.nextTokenLogits(tokens, adapter);
      });
    expect(distance(await run(saved.plan), after)).toBeLessThan(1e-3 * distance(after, before));
    expect(distance(await run(withoutTable), after)).toBeGreaterThan(0.05 * distance(after, before));
    session.close();
    expect((await verifyUpdate(model, at('edited.gguf'), { plan: saved.plan })).ok).toBe(true);
  });

  test('is in the plan file, and in the LoRA file where the engine has an adapter of it', async () => {
    await writeOutputs({ plan: at('plan.json') }, saved, { overwrite: true });
    const read = (await readPlan(at('plan.json'))).plan.tensors.find((tensor) => tensor.name === name)!;
    expect(read).toMatchObject(saved.plan.tensors.find((tensor) => tensor.name === name)!);
    const lora = writeOutputs({ lora: at('lora.gguf') }, saved, { overwrite: true });
    if (!head) {
      await expect(lora).rejects.toMatchObject({ code: 'MODEL_UNSUPPORTED', details: { tensor: name } });
      return;
    }
    await lora;
    await applyPlan(saved, model, { output: at('edited.gguf'), overwrite: true });
    const [before, after] = [await logits(model), await logits(at('edited.gguf'))];
    expect(distance(await logits(model, at('lora.gguf')), after)).toBeLessThan(1e-4 * distance(after, before));
  });

  test('an adapter that would end the process is refused', async () => {
    const session = await ModelSession.open(model, { threads: 1 });
    const load = () =>
      session.loadAdapter([{ name, left: new Float32Array(262).fill(0.1), right: new Float32Array(64).fill(0.1) }]);
    if (head) session.closeAdapter(load());
    else expect(load).toThrow(expect.objectContaining({ code: 'OPTION_INVALID', details: { tensor: name } }));
    session.close();
  });
});

test('the signed factor pushes the last tokens of harmful prompts along the direction', async () => {
  const session = await ModelSession.open(tinyChat, { threads: 1 });
  const embedding = (await findWriters(session)).embedding!;
  const harmful = tinyPrompts(4).test.harmful.map((prompt) => session.encode(prompt));
  const factor = (rightFactor: 'mean-row' | 'mean-row-signed', tokens: Int32Array[]) =>
    embeddingFactor(tinyChat, embedding, tokens, { rightFactor });
  const { right } = await factor('mean-row', harmful);
  expect(right).toHaveLength(1504);
  const [negative, positive] = [right.findIndex((value) => value < 0), right.findIndex((value) => value > 0)];
  const signed = (last: number) => factor('mean-row-signed', [Int32Array.of(positive, last)]);
  expect((await signed(positive)).right).toEqual(right);
  expect((await signed(negative)).right).toEqual(right.map((value) => -value));
  session.close();
});

test('under the profile schedule they have the share of the mean writer', async () => {
  const { plan } = await makePlan(tinyChat, tinyPrompts(16), {
    ...edit,
    schedule: 'profile',
    layer: 3,
    layers: [0, 5],
  });
  const table = plan.tensors.find((tensor) => tensor.name === name)!;
  expect(table.share).toBeCloseTo(1 / 13, 9); // 6 blocks of two writers, and itself
  const session = await ModelSession.open(tinyChat, { threads: 1 });
  const { right } = await embeddingFactor(tinyChat, (await findWriters(session)).embedding!, [], {
    rightFactor: 'mean-row',
  });
  session.close();
  expect(
    distance(
      table.left,
      right.map((value) => value * edit.strength),
    ),
  ).toBeLessThan(1e-4 * Math.hypot(...table.left));
});

test('the factors that detect have nothing to detect in a token', async () => {
  await expect(makePlan(tinyChat, undefined, { embeddings: true })).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    details: { option: 'embeddings', rightFactor: 'gated' },
  });
});
