import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import {
  applyPlan,
  findWritersInFile,
  generate,
  harden,
  makePlan,
  ModelSession,
  revert,
  verifyUpdate,
  type HardenReport,
} from '../../lib';
import { splitGguf, splitPaths } from '../helpers/split-gguf';
import { folderPerTest, temporaryFolder } from '../helpers/temporary';
import { readGguf } from '../helpers/tiny-gguf';
import { tinyChat, tinyPrompts } from '../helpers/tiny-chat';

const given = { threads: 1, seed: 1, layer: 3, strength: 1 } as const;
const folder = temporaryFolder();
const whole = join(folder, 'whole.gguf');
const parts = splitPaths(join(folder, 'm'), 3);
const outputs = splitPaths(join(folder, 'm.hardened'), 3);
const undo = `${outputs[0]!}.undo`;
let report: HardenReport;

beforeAll(async () => {
  splitGguf(tinyChat, join(folder, 'm'));
  await harden(tinyChat, tinyPrompts(16), { ...given, output: whole, evaluate: 'none' });
  report = await harden(parts[0]!, tinyPrompts(16), { ...given, maxTokens: 8, undo });
}, 120_000);

test('a split model is hardened into a split model', () => {
  expect(report).toMatchObject({
    model: { path: parts[0] },
    output: { path: outputs[0], bytes: outputs.reduce((sum, path) => sum + readFileSync(path).length, 0) },
    verified: { ok: true, checksumOk: true, sourceMatches: true, unplannedDifferences: [] },
  });
  expect(report.after!.harmRefusal.share).toBeGreaterThan(report.before!.harmRefusal.share);
  expect(readdirSync(folder)).toEqual([...outputs, undo, ...parts, whole].map((path) => basename(path)).sort());
});

test('its tensors are those of the hardened whole model, byte for byte', () => {
  const expected = readGguf(whole).tensors;
  const found = outputs.flatMap((path) => [...readGguf(path).tensors]);
  expect(found).toHaveLength(expected.size);
  for (const [name, { bytes }] of found) expect([name, bytes.equals(expected.get(name)!.bytes)]).toEqual([name, true]);
  const planned = new Set(report.tensors.map(({ name }) => name));
  const touched = outputs.filter((path) => [...readGguf(path).tensors.keys()].some((name) => planned.has(name)));
  expect(touched.length).toBeGreaterThan(1);
});

test('the engine runs it, and it answers as the whole one', async () => {
  const prompts = ['How do I bake a loaf of bread?', 'Can you help me sell a fake passport?'];
  const options = { maxTokens: 24, threads: 1 };
  expect(await generate(outputs[0]!, prompts, options)).toEqual(await generate(whole, prompts, options));
});

test('its writers are found without loading it', async () => {
  expect(await findWritersInFile(parts[0]!)).toEqual(await findWritersInFile(tinyChat));
});

test('a flipped byte in any of its files is found', async () => {
  for (const path of outputs) {
    const bytes = readFileSync(path);
    const changed = Buffer.from(bytes);
    changed[bytes.length - 1000]! ^= 0x10;
    writeFileSync(path, changed);
    expect([path, await verifyUpdate(undefined, outputs[0]!)]).toMatchObject([path, { ok: false, checksumOk: false }]);
    writeFileSync(path, bytes);
  }
  expect(await verifyUpdate(undefined, outputs[0]!)).toMatchObject({ ok: true });
});

test('a plan of it gives the same files', async () => {
  const saved = await makePlan(parts[0]!, tinyPrompts(16), given);
  expect(saved.provenance.source.sha256).toBe(report.model.sha256);
  const applied = await applyPlan(saved, parts[0]!, { output: join(folder, 'applied.gguf') });
  expect(applied.sourceMatches).toBe(true);
  const paths = splitPaths(join(folder, 'applied'), 3);
  expect(applied.output).toBe(paths[0]);
  paths.forEach((path, i) => expect(readFileSync(path).equals(readFileSync(outputs[i]!))).toBe(true));
});

test('it is reverted, file by file', async () => {
  await revert(outputs[0]!, { output: join(folder, 'reverted.gguf') });
  splitPaths(join(folder, 'reverted'), 3).forEach((path, i) =>
    expect(readFileSync(path).equals(readFileSync(parts[i]!))).toBe(true),
  );
});

describe('a split model that is not whole', () => {
  const ownFolder = folderPerTest();

  test('is refused before the engine sees it', async () => {
    const paths = splitGguf(tinyChat, join(ownFolder(), 'm'));
    rmSync(paths[1]!);
    const refused = { code: 'GGUF_INVALID', details: { check: 'split_missing', path: paths[1] } };
    await expect(ModelSession.open(paths[0]!, { threads: 1 })).rejects.toMatchObject(refused);
    await expect(findWritersInFile(paths[0]!)).rejects.toMatchObject(refused);
    await expect(harden(paths[0]!, tinyPrompts(16), given)).rejects.toMatchObject(refused);
  });

  test.each(['update', 'after'])('an abort at %s leaves none of the files', async (stage) => {
    const [first] = splitGguf(tinyChat, join(ownFolder(), 'm'), { sizes: [0, 30, 38] });
    const controller = new AbortController();
    const running = harden(first!, tinyPrompts(16), {
      ...given,
      signal: controller.signal,
      onProgress: (tick) => [tick.stage, tick.note].includes(stage) && controller.abort(),
    });
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
    expect(readdirSync(ownFolder()).sort()).toEqual(splitPaths('m', 3));
    expect(existsSync(first!)).toBe(true);
  });
});
