import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { native } from '../../lib/native';
import type { UpdatePlan } from '../../lib/plan';
import { applyUpdate, draftUpdate, type UpdateDraft } from '../../lib/update';
import { verifyUpdate } from '../../lib/verify';
import { folderPerTest } from '../helpers/temporary';
import { tinyGguf } from '../helpers/tiny-gguf';

const [nIn, nOut] = [96, 5];
const plan: UpdatePlan = {
  edit: { layer: 0, schedule: 'equal', layers: [0, 0], strength: 1, rightFactor: 'gated' },
  tensors: [{ name: 'w', left: new Float32Array(nOut).fill(0.5), right: new Float32Array(nIn).fill(0.25) }],
};
const ownFolder = folderPerTest();
let folder: string;
let source: string;
let output: string;
beforeEach(() => {
  folder = ownFolder();
  source = tinyGguf({ tensors: [{ name: 'w', type: 'Q8_0', shape: [nIn, nOut] }] }).write(join(folder, 'source.gguf'));
  output = join(folder, 'output.gguf');
});

const draft = (overwrite = false) => draftUpdate(source, plan, { output, overwrite });
const files = () => readdirSync(folder).sort();
function thrownBy(call: () => void): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

test('a draft is the whole output, beside it, until it is published', async () => {
  const { path, written, publish } = await draft();
  expect(path.startsWith(`${output}.partial-`)).toBe(true);
  expect(existsSync(output)).toBe(false);
  expect(await verifyUpdate(source, path)).toMatchObject({ ok: true, sourceMatches: true });
  const bytes = readFileSync(path);
  expect(written.outputBytes).toBe(bytes.length);
  publish();
  expect(files()).toEqual(['output.gguf', 'source.gguf']);
  expect(readFileSync(output).equals(bytes)).toBe(true);
  rmSync(output);
  await applyUpdate(source, plan, { output });
  expect(readFileSync(output).equals(bytes)).toBe(true);
});

test('a draft that is discarded is gone, once and for all', async () => {
  const { publish, discard } = await draft();
  discard();
  discard();
  expect(files()).toEqual(['source.gguf']);
  expect(thrownBy(publish)).toMatchObject({ name: 'RosiError', code: 'OPTION_INVALID' });
});

test('a published draft can be neither published again nor discarded', async () => {
  const { publish, discard } = await draft();
  publish();
  expect(thrownBy(publish)).toMatchObject({ name: 'RosiError', code: 'OPTION_INVALID' });
  discard();
  expect(files()).toEqual(['output.gguf', 'source.gguf']);
});

test('the old output stays as it is until the draft takes its place', async () => {
  writeFileSync(output, 'old');
  const { path, publish } = await draft(true);
  expect(readFileSync(output, 'utf8')).toBe('old');
  const bytes = readFileSync(path);
  publish();
  expect(readFileSync(output).equals(bytes)).toBe(true);
});

test('an output that is there already is refused before the work', async () => {
  writeFileSync(output, 'old');
  await expect(draft()).rejects.toMatchObject({ code: 'OUTPUT_EXISTS', details: { path: output } });
  expect(files()).toEqual(['output.gguf', 'source.gguf']);
});

describe('publishing that fails', () => {
  test.each<[string, () => void, string]>([
    ['an output that has come in the meantime', () => writeFileSync(output, 'mine'), 'OUTPUT_EXISTS'],
    ['a folder that has come in the meantime', () => mkdirSync(output), 'OPTION_INVALID'],
    ['a folder that has gone', () => rmSync(folder, { recursive: true }), 'FILE_FAILED'],
  ])('for %s can be tried again', async (_, change, code) => {
    const { path, publish, discard } = await draft();
    change();
    expect(thrownBy(publish)).toMatchObject({ name: 'RosiError', code });
    if (code === 'FILE_FAILED') return discard();
    expect(existsSync(path)).toBe(true);
    rmSync(output, { recursive: true });
    publish();
    expect(files()).toEqual(['output.gguf', 'source.gguf']);
  });

  test('leaves the file that it met as it was', async () => {
    const { publish, discard } = await draft();
    writeFileSync(output, 'mine');
    expect(thrownBy(publish)).toMatchObject({ code: 'OUTPUT_EXISTS' });
    discard();
    expect(readFileSync(output, 'utf8')).toBe('mine');
    expect(files()).toEqual(['output.gguf', 'source.gguf']);
  });
});

test('another update of the same output does not take a draft for abandoned', async () => {
  const { path, discard } = await draft();
  await applyUpdate(source, plan, { output });
  expect(existsSync(path)).toBe(true);
  discard();
  expect(files()).toEqual(['output.gguf', 'source.gguf']);
});

test('a draft that nobody holds any more goes with the garbage', async () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  let held: UpdateDraft | undefined = await draft();
  expect(existsSync(held.path)).toBe(true);
  held = undefined;
  for (let i = 0; i < 20 && files().length > 1; ++i) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(files()).toEqual(['source.gguf']);
});

test('only a draft can be published', () => {
  expect(() => native.publish({} as never, false)).toThrow('expected a draft');
  expect(() => native.discard(undefined as never)).toThrow('expected a draft');
});
