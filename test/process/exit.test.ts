import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { Child, clean, timeToEnd, writeSlowModel } from '../helpers/child';
import { temporaryFolder } from '../helpers/temporary';

const folder = temporaryFolder();
const source = writeSlowModel(join(folder, 'source.gguf'));

test.each([
  ['loading', 'load'],
  ['capture', 'capture'],
  ['generation', 'generate'],
  ['the search of harden', 'search'],
  ['the evaluation of what harden wrote', 'evaluate'],
  ['an update in the middle of its file', 'update'],
  ['a draft', 'draft'],
])('process.exit(0) ends %s at once and leaves no file', async (_, operation) => {
  const child = new Child(['operation.mjs', operation, 'exit', source, join(folder, 'output.gguf')]);
  await child.said('under way');
  expect(await timeToEnd(child)).toBeLessThan(1500);
  expect(await child.ended).toMatchObject(clean);
  expect(readdirSync(folder)).toEqual(['source.gguf']);
});
