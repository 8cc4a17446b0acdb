import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { verifyUpdate } from '../../lib';
import { Child, clean, writeSlowModel } from '../helpers/child';
import { splitGguf, splitPaths } from '../helpers/split-gguf';
import { folderPerTest, temporaryFolder } from '../helpers/temporary';

const source = writeSlowModel(join(temporaryFolder(), 'source.gguf'), 3);
const ownFolder = folderPerTest();
let folder: string;
let output: string;
beforeEach(() => {
  folder = ownFolder();
  output = join(folder, 'output.gguf');
});

const partials = () => readdirSync(folder).filter((name) => name.startsWith('output.gguf.partial-'));
const update = (...more: string[]) => new Child(['update.mjs', source, output, ...more]);

async function killedHalfWay(...more: string[]): Promise<string> {
  const child = update(...more);
  await child.said('under way');
  child.signal('SIGKILL');
  expect(await child.ended).toMatchObject({ signal: 'SIGKILL' });
  expect(partials()).toHaveLength(1);
  return partials()[0]!;
}

test('an update that is killed leaves no output, and its partial file goes with the next update', async () => {
  const stale = await killedHalfWay();
  expect(existsSync(output)).toBe(false);
  const child = update();
  await child.said('under way');
  expect(partials()).toHaveLength(1);
  expect(partials()).not.toContain(stale);
  expect(await child.said('result')).toEqual({ code: 'FULFILLED' });
  expect(readdirSync(folder)).toEqual(['output.gguf']);
  expect(await verifyUpdate(source, output)).toMatchObject({ ok: true });
});

test('an update that is killed leaves the file it was to replace', async () => {
  writeFileSync(output, 'kept');
  await killedHalfWay('overwrite');
  expect(readFileSync(output, 'utf8')).toBe('kept');
});

test('the partial files of a split model go with its next update', async () => {
  const [first] = splitGguf(source, join(folder, 'm'));
  const updateParts = () => new Child(['update.mjs', first!, output]);
  const child = updateParts();
  await child.said('under way');
  child.signal('SIGKILL');
  await child.ended;
  const stale = readdirSync(folder).filter((name) => name.startsWith('output'));
  const form = /^output\.partial-\d+-[0-9a-f]{8}(-0000[123]-of-00003\.gguf)$/;
  expect(stale.map((name) => form.exec(name)?.[1])).toEqual(splitPaths('', 3));
  expect(await updateParts().said('result')).toEqual({ code: 'FULFILLED' });
  expect(readdirSync(folder).sort()).toEqual([...splitPaths('m', 3), ...splitPaths('output', 3)]);
  expect(await verifyUpdate(first, splitPaths(join(folder, 'output'), 3)[0]!)).toMatchObject({ ok: true });
});

test('files that only look like partial ones are left alone', async () => {
  const others = ['output.gguf.partial-1-0123456', 'output.gguf.partial-x-01234567', 'other.gguf.partial-1-01234567'];
  for (const name of others) writeFileSync(join(folder, name), 'kept');
  mkdirSync(join(folder, 'output.gguf.partial-1-01234567'));
  expect(await update().said('result')).toEqual({ code: 'FULFILLED' });
  expect(readdirSync(folder).sort()).toEqual([...others, 'output.gguf.partial-1-01234567', 'output.gguf'].sort());
});

describe('two updates of one output at once', () => {
  async function both(...more: string[]): Promise<string[]> {
    const children = [update(...more), update(...more)];
    await Promise.all(children.map((child) => child.said('under way')));
    expect(partials()).toHaveLength(2);
    const results = await Promise.all(children.map((child) => child.said<{ code: string }>('result')));
    for (const child of children) expect(await child.ended).toMatchObject(clean);
    expect(readdirSync(folder)).toEqual(['output.gguf']);
    expect(await verifyUpdate(source, output)).toMatchObject({ ok: true });
    return results.map(({ code }) => code);
  }

  test('give one output', async () => {
    expect((await both()).sort()).toEqual(['FULFILLED', 'OUTPUT_EXISTS']);
  });

  test('both succeed when they may overwrite', async () => {
    expect(await both('overwrite')).toEqual(['FULFILLED', 'FULFILLED']);
  });
});

test('an evaluation that is killed goes on where it was, to the result of an undisturbed one', async () => {
  const evaluation = (cache: string) => new Child(['evaluate.mjs', cache]);
  const cache = join(folder, 'cache');
  const child = evaluation(cache);
  await child.said('answers', (note: string) => note.endsWith('answers 49 to 96 of 120'));
  child.signal('SIGKILL');
  expect(await child.ended).toMatchObject({ signal: 'SIGKILL' });
  const again = evaluation(cache);
  expect(await again.said('answers')).toMatch(/answers 1 to 48 of 72$/);
  const result = await again.said('result');
  expect(result).toBe(await evaluation(join(folder, 'other')).said('result'));
});

test('a search that is killed goes on where it was, to the file of an undisturbed one', async () => {
  const search = (cache: string, to: string) => new Child(['search.mjs', cache, to]);
  const [cache, again, undisturbed] = ['cache', 'again.gguf', 'undisturbed.gguf'].map((name) => join(folder, name));
  const child = search(cache!, output);
  await child.said('trial', (note: string) => note.startsWith('answers of'));
  child.signal('SIGKILL');
  expect(await child.ended).toMatchObject({ signal: 'SIGKILL' });
  const notes = await search(cache!, again!).said<string[]>('trials');
  const all = await search(join(folder, 'other'), undisturbed!).said<string[]>('trials');
  expect(all.length).toBeGreaterThan(10);
  expect(notes.length).toBeLessThan(all.length / 2);
  expect(all).toEqual(expect.arrayContaining(notes));
  expect(readFileSync(again!).equals(readFileSync(undisturbed!))).toBe(true);
});
