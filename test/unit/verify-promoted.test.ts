import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { verifyUpdate } from '../../lib';
import { temporaryFolder } from '../helpers/temporary';
import { readGguf, tinyGguf, type TinyOptions } from '../helpers/tiny-gguf';
import { checksumOf } from '../helpers/checksum';
import { updateFile } from '../helpers/update-file';

const folder = temporaryFolder();
const source = join(folder, 'source.gguf');
const output = join(folder, 'output.gguf');
const changed = join(folder, 'changed.gguf');
const model: TinyOptions = {
  metadata: { 'tiny.name': { string: 'model' } },
  tensors: [
    { name: 'first', type: 'F32', shape: [5] },
    { name: 'grown', type: 'IQ4_NL', shape: [32, 5] },
    { name: 'kept', type: 'Q4_0', shape: [32, 7], gap: 32 },
    { name: 'shrunk', type: 'F32', shape: [32, 3] },
    { name: 'edited', type: 'F16', shape: [32, 3] },
    { name: 'same.size', type: 'F16', shape: [32, 3] },
    { name: 'last', type: 'Q4_0', shape: [32, 5] },
  ],
  trailing: Buffer.from('the end'),
};
const factors = (name: string, nOut: number) => ({
  name,
  left: new Float32Array(nOut).fill(0.01),
  right: Float32Array.from({ length: 32 }, (_, j) => j / 32),
});

beforeAll(async () => {
  tinyGguf(model).write(source);
  await updateFile(source, output, [
    { ...factors('grown', 5), type: 'F16' },
    { ...factors('shrunk', 3), type: 'Q8_0' },
    factors('edited', 3),
    { ...factors('same.size', 3), type: 'BF16' },
    { ...factors('last', 5), type: 'Q8_0' },
  ]);
});

const planned = ['grown', 'shrunk', 'edited', 'same.size', 'last'];
/** A copy of the output with a change in it, and with its checksum made right again. */
function forge(edit: (bytes: Buffer) => Buffer | void): string {
  const original = readFileSync(output);
  const edited = edit(original) ?? original;
  const { at } = readGguf(output).entries.find(({ key }) => key === 'rosi.checksum')!; // before every place that moves
  edited.write(checksumOf(edited, at), at);
  writeFileSync(changed, edited);
  return changed;
}
const notOk = (path: string, from?: string) =>
  verifyUpdate(from, path).then(
    ({ ok }) => !ok,
    (error: { code: string }) => error.code === 'GGUF_INVALID', // so badly hit that it is no GGUF any more
  );

test('a file with promoted tensors is right, alone and beside its source', async () => {
  const [before, after] = [readGguf(source), readGguf(output)];
  expect(await verifyUpdate(undefined, output)).toMatchObject({ ok: true });
  const result = await verifyUpdate(source, output);
  expect(result).toMatchObject({ ok: true, sourceMatches: true, unplannedDifferences: [] });
  expect(result.tensors.map(({ name, changedBytes }) => [name, changedBytes])).toEqual(
    planned.map((name) => {
      const [old, now] = [before.tensors.get(name)!, after.tensors.get(name)!];
      if (old.type !== now.type) return [name, now.bytes.length];
      return [name, now.bytes.filter((byte, i) => byte !== old.bytes[i]).length];
    }),
  );
});

describe('every flipped byte is found', () => {
  test('by the checksum, without a source', async () => {
    const size = readFileSync(output).length;
    for (let place = 0; place < size; place += 3) {
      const bytes = readFileSync(output);
      bytes[place]! ^= 1 << (place % 8);
      writeFileSync(changed, bytes);
      expect([place, await notOk(changed)]).toEqual([place, true]);
    }
  });

  test('by the source, when the checksum was made to fit', async () => {
    const { entries, bytes } = readGguf(output);
    // The strings of rosi.* alone are not in the source.
    const own = entries
      .filter(({ key }) => key.startsWith('rosi.'))
      .map(({ at, raw, text }) => ({
        begin: at + Buffer.byteLength(text!) - raw.length,
        end: at + Buffer.byteLength(text!),
      }));
    const isOwn = (place: number) => own.some(({ begin, end }) => place >= begin && place < end);
    let tried = 0;
    for (let place = 0; place < bytes.length; ++place) {
      if (isOwn(place)) continue;
      const path = forge((copy) => void (copy[place]! ^= 1 << (place % 8)));
      expect([place, await notOk(path, source)]).toEqual([place, true]);
      ++tried;
    }
    expect(tried).toBeGreaterThan(1500);
  });
});

test.each(['kept', 'first'])('a difference in %s is named with its place', async (name) => {
  const { offset } = readGguf(output).tensors.get(name)!;
  const path = forge((bytes) => void (bytes[offset + 7]! ^= 1));
  expect(await verifyUpdate(source, path)).toMatchObject({
    ok: false,
    checksumOk: true,
    unplannedDifferences: [{ where: name, firstOffset: offset + 7, bytes: 1 }],
  });
});

test.each([
  ['of zeros after a tensor that has grown', () => end('grown')],
  ['that the source has there', () => readGguf(output).tensors.get('kept')!.offset - 1],
  ['of zeros after the last tensor', () => end('last')],
  ['after it', () => readFileSync(output).length - 1],
])('a difference in the padding %s is named', async (_, find) => {
  const firstOffset = find();
  const path = forge((bytes) => void (bytes[firstOffset]! ^= 1));
  expect(await verifyUpdate(source, path)).toMatchObject({
    ok: false,
    unplannedDifferences: [{ where: 'padding', firstOffset, bytes: 1 }],
  });
});
const end = (name: string) => {
  const { offset, bytes } = readGguf(output).tensors.get(name)!;
  return offset + bytes.length;
};

test('an end that is cut off, down to the last tensor, is missing padding', async () => {
  const [firstOffset, size] = [end('last'), readFileSync(output).length];
  const result = await verifyUpdate(
    source,
    forge((bytes) => bytes.subarray(0, firstOffset)),
  );
  expect(result.ok).toBe(false);
  expect(result.unplannedDifferences.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(size - firstOffset);
});

test('a type that the record does not have is a difference, also without the source', async () => {
  const place = readFileSync(output).indexOf('"type":"BF16"');
  const path = forge((bytes) => void bytes.write('"type":"I16" ', place)); // as many bytes a weight
  await expect(verifyUpdate(undefined, path)).rejects.toMatchObject({ details: { check: 'record' } });
  const descriptions = readGguf(output);
  const type = descriptions.bytes.indexOf(Buffer.from('same.size')) + 'same.size'.length;
  const info = descriptions.bytes.indexOf(Buffer.from('same.size'), type) + 'same.size'.length + 4 + 16;
  const other = forge((bytes) => void bytes.writeUInt32LE(1, info)); // F16, as in the source
  const alone = await verifyUpdate(undefined, other);
  expect(alone.tensors.filter(({ sha256Ok }) => !sha256Ok).map(({ name }) => name)).toEqual(['same.size']);
  const { unplannedDifferences } = await verifyUpdate(source, other);
  expect(unplannedDifferences.map(({ where }) => where)).toEqual(['header']);
});

test.each(['"F17"', '"f16"', 'null', '3'])('a record of the type %s is damaged', async (type) => {
  const digest = '0'.repeat(64);
  const record = `[{"name":"first","type":${type},"sha256":"${digest}"}]`;
  const metadata = { 'rosi.source.sha256': digest, 'rosi.tensors': record, 'rosi.checksum': digest };
  const values = Object.fromEntries(Object.entries(metadata).map(([key, string]) => [key, { string }]));
  const path = tinyGguf({ ...model, metadata: values }).write(join(folder, 'record.gguf'));
  await expect(verifyUpdate(undefined, path)).rejects.toMatchObject({
    code: 'GGUF_INVALID',
    details: { check: 'record', key: 'rosi.tensors' },
  });
});

test('a record of a type whose blocks do not divide the rows is no way around', async () => {
  const digest = '0'.repeat(64);
  const record = `[{"name":"first","type":"Q8_0","sha256":"${digest}"}]`; // rows of 5
  const metadata = { 'rosi.source.sha256': digest, 'rosi.tensors': record, 'rosi.checksum': digest };
  const values = Object.fromEntries(Object.entries(metadata).map(([key, string]) => [key, { string }]));
  const path = tinyGguf({ ...model, metadata: { ...model.metadata, ...values } }).write(join(folder, 'record.gguf'));
  expect(await verifyUpdate(source, path)).toMatchObject({ ok: false, tensors: [{ name: 'first', sha256Ok: false }] });
});
