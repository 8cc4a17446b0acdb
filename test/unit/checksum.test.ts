import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { verifyUpdate } from '../../lib';
import { checksumOf } from '../helpers/checksum';
import { folderPerTest } from '../helpers/temporary';
import { readGguf, tinyGguf } from '../helpers/tiny-gguf';
import { updateFile } from '../helpers/update-file';

const folder = folderPerTest();
const at = (name: string) => join(folder(), name);

/** `rows` of 512 numbers, 2 KiB each, in a tensor that is kept; one of 8 rows is edited. */
async function written(rows: number, threads: number) {
  const shapes = [
    { name: 'kept', type: 'F32' as const, shape: [512, rows] },
    { name: 'edited', type: 'F32' as const, shape: [512, 8] },
  ];
  const source = tinyGguf({ tensors: shapes }).write(at('source.gguf'));
  const tensors = [{ name: 'edited', left: new Float32Array(8).fill(0.1), right: new Float32Array(512).fill(0.1) }];
  await updateFile(source, at('output.gguf'), tensors, { threads });
  return { source, output: at('output.gguf') };
}

test.each([
  [10, 1],
  [500, 3], // less than a piece of 1 MiB
  [600, 2], // two pieces
  [1200, 3], // three, the last with none beside it
  [2100, 8],
])('a checksum of %d rows by %d threads is that of its definition', async (rows, threads) => {
  const { output } = await written(rows, threads);
  const { bytes, entries } = readGguf(output);
  const { at: place, text } = entries.find(({ key }) => key === 'rosi.checksum')!;
  expect(text).toBe(checksumOf(bytes, place));
});

test('a changed byte is found wherever it is, by any number of threads', async () => {
  const { source, output } = await written(2100, 2);
  for (const threads of [1, 2, 5]) {
    expect(await verifyUpdate(source, output, { threads })).toMatchObject({ ok: true, checksumOk: true });
  }
  const whole = readFileSync(output);
  const { dataOffset } = readGguf(output);
  for (const place of [dataOffset, 2 ** 20, 2 ** 21 - 1, 2 ** 22, whole.length - 1]) {
    const bytes = Buffer.from(whole);
    bytes[place]! ^= 4;
    writeFileSync(at('changed.gguf'), bytes);
    expect(await verifyUpdate(undefined, at('changed.gguf'), { threads: 3 })).toMatchObject({ checksumOk: false });
  }
});
