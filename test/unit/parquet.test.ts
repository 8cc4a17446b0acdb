import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { readParquet } from '../../lib/parquet';
import { readPrompts, readPromptSet } from '../../lib/prompt-files';
import { parquetFile } from '../helpers/parquet';
import { temporaryFolder } from '../helpers/temporary';

const folder = temporaryFolder();
const counts = Array.from({ length: 50 }, (_, i) => `Count to ${i} and “back”`);

async function write(name: string, content: Uint8Array | Promise<Uint8Array>): Promise<string> {
  const path = join(folder, name);
  writeFileSync(path, await content);
  return path;
}

test('prompts are read from Parquet, null cells beside them or not', async () => {
  const path = await write('a.PARQUET', parquetFile({ n: [1, null, 3], question: ['a', 'é', 'c'] }));
  expect(await readPrompts(path)).toEqual(['a', 'é', 'c']);
  const set = await write('b.parquet', parquetFile({ prompt: ['a', 'b'], role: ['harmless', 'harmful'] }));
  expect(await readPromptSet(set)).toEqual({ harmful: ['b'], harmless: ['a'], borderline: [] });
});
test('a missing prompt is named by its row', async () => {
  const path = await write('c.parquet', parquetFile({ prompt: ['a', null] }));
  await expect(readPrompts(path)).rejects.toMatchObject({ code: 'PROMPTS_INVALID', details: { path, item: 2 } });
});
test('limits are on bytes without compression and on rows', async () => {
  const bytes = Buffer.from(await parquetFile({ prompt: new Array<string>(1000).fill('Say it again. '.repeat(9)) }));
  expect(await readParquet(bytes, 2 ** 20)).toHaveLength(1000);
  await expect(readParquet(bytes, 2 ** 20, 999)).rejects.toThrow('1000 rows; prompt files end at 999');
  await expect(readParquet(bytes, 99)).rejects.toThrow(/bytes uncompressed; prompt files end at 99$/u);
});
test('a damaged file is refused, wherever it is cut or changed', async () => {
  const whole = await parquetFile({ prompt: counts });
  for (let at = 0; at < whole.length; at += 7) {
    const path = await write('cut.parquet', Buffer.concat([whole.subarray(0, at), whole.subarray(at + 16)]));
    await expect(readPrompts(path)).rejects.toMatchObject({ code: 'PROMPTS_INVALID', details: { path } });
  }
});
