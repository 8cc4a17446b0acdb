import { join } from 'node:path';

import { evaluate, ModelSession, plainSuite, readControlVector, writeControlVector, type LayerPush } from '../../lib';
import { temporaryFolder } from '../helpers/temporary';
import { tinyChat, tinyPrompts } from '../helpers/tiny-chat';

const folder = temporaryFolder();
const path = join(folder, 'control.gguf');
const { test: prompts } = tinyPrompts(8);
let session: ModelSession;
let push: LayerPush;
beforeAll(async () => {
  session = await ModelSession.open(tinyChat, { threads: 1 });
  const vector = Float32Array.from({ length: session.info.dModel }, (_, i) => Math.sin(i));
  push = { layer: 3, vector };
  await writeControlVector(path, session.info.architecture, [push]);
});
afterAll(() => session.close());

async function streams(edit?: { pushes: LayerPush[]; scale: number }): Promise<Float32Array[]> {
  const tokens = prompts.harmful.map((prompt) => session.encode(prompt));
  const run = edit && { adapter: session.loadPushes(edit.pushes), scale: edit.scale };
  const { streams, dModel } = await session.capture(tokens, { streams: true, writers: [], ...(run && { edit: run }) });
  const { nLayer } = session.info;
  return Array.from({ length: nLayer }, (_, layer) => streams.slice(layer * dModel, (layer + 1) * dModel)); // of the first
}

describe('a control vector', () => {
  test('moves the stream after its block by its vector times the scale, and nothing before', async () => {
    const [before, after] = [await streams(), await streams({ pushes: await readControlVector(path), scale: 0.5 })];
    for (const layer of [0, 1, 2]) expect(after[layer]).toEqual(before[layer]);
    const moved = after[3]!.map((value, i) => value - before[3]![i]!);
    // The stream's numbers are of size 10, in float32.
    moved.forEach((value, i) => expect(Math.abs(value - 0.5 * push.vector[i]!)).toBeLessThan(1e-5));
    expect(after[4]).not.toEqual(before[4]);
  });

  test('is read back at a scale', async () => {
    expect(await readControlVector(path, -2)).toEqual([{ layer: 3, vector: push.vector.map((value) => -2 * value) }]);
    await expect(readControlVector(tinyChat)).rejects.toMatchObject({ code: 'GGUF_INVALID' });
  });

  test.each<[string, () => LayerPush[]]>([
    ['none', () => []],
    ['block 0', () => [{ ...push, layer: 0 }]],
    ['a block that the model has not', () => [{ ...push, layer: 6 }]],
    ['another width', () => [{ ...push, vector: push.vector.slice(1) }]],
    ['a block twice', () => [push, push]],
    ['numbers that are none', () => [{ ...push, vector: push.vector.map(() => NaN) }]],
  ])('with %s is refused', (_, pushes) => {
    expect(() => session.loadPushes(pushes())).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  });

  test('is a column of an evaluation', async () => {
    const suites = [plainSuite('harmful', 'harmful', prompts.harmful)];
    const controlVector = await readControlVector(path, 300);
    const options = { threads: 1, maxTokens: 16, cache: false } as const;
    const { models, suites: found } = await evaluate([tinyChat, { model: tinyChat, controlVector }], suites, options);
    expect(models[1]).toMatchObject({ name: 'tiny-chat.Q8_0 + control vector' });
    expect(models[1]!.edit).toMatch(/^control vector of 1 block, /u);
    const [plain, pushed] = [0, 1].map((m) => found[0]!.rows.map(({ answers }) => answers[m]!.text));
    expect(pushed).not.toEqual(plain);
  });
});
