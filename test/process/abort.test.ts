import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Child, clean, writeSlowModel } from '../helpers/child';
import { splitGguf, splitPaths } from '../helpers/split-gguf';
import { temporaryFolder } from '../helpers/temporary';

const folder = temporaryFolder();
const source = writeSlowModel(join(folder, 'source.gguf'));

test.each([
  ['loading', 'load'],
  ['capture', 'capture'],
  ['logits', 'logits'],
  ['generation', 'generate'],
  ['an operation that waits for another on its session', 'waiting'],
  ['the search of harden', 'search'],
  ['an update in the middle of its file', 'update'],
])('an abort ends %s within a second and leaves no file', async (_, operation) => {
  const child = new Child(['operation.mjs', operation, 'abort', source, join(folder, 'output.gguf')]);
  await child.said('under way');
  const result = await child.said<{ milliseconds: number }>('result');
  expect(result).toMatchObject({ name: 'RosiError', code: 'ABORTED' });
  expect(result.milliseconds).toBeLessThan(1000);
  expect(await child.ended).toMatchObject(clean);
  expect(readdirSync(folder)).toEqual(['source.gguf']);
});

test('an abort in the middle of the files of a split model leaves none of them', async () => {
  const parts = splitGguf(source, join(folder, 'm'), { sizes: [0, 2, 2] });
  const child = new Child(['operation.mjs', 'update', 'abort', parts[0]!, join(folder, 'output.gguf')]);
  await child.said('under way');
  expect(await child.said('result')).toMatchObject({ name: 'RosiError', code: 'ABORTED' });
  expect(await child.ended).toMatchObject(clean);
  expect(readdirSync(folder).sort()).toEqual([...splitPaths('m', 3), 'source.gguf']);
  for (const path of parts) rmSync(path);
});

test('an abort while harden evaluates what it wrote leaves the file that was to be replaced', async () => {
  const output = join(folder, 'output.gguf');
  writeFileSync(output, 'old');
  const child = new Child(['operation.mjs', 'evaluate', 'abort', source, output]);
  await child.said('under way');
  expect(await child.said('result')).toMatchObject({ name: 'RosiError', code: 'ABORTED' });
  expect(await child.ended).toMatchObject(clean);
  expect(readFileSync(output, 'utf8')).toBe('old');
  rmSync(output);
  expect(readdirSync(folder)).toEqual(['source.gguf']);
});
