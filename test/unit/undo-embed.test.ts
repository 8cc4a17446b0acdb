import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { applyUpdate, inspect, revert, verifyUpdate, writeUndo } from '../../lib';
import { embeddedBytes, embedUndo, undoPlaceholder } from '../../lib/undo/embed';
import { draftUpdate } from '../../lib/update';
import { finished, inspection, library } from '../helpers/command';
import { everyType, everyTypePlan as plan } from '../helpers/every-type';
import { folderPerTest } from '../helpers/temporary';
import { tinyGguf, type TinyOptions } from '../helpers/tiny-gguf';

const ownFolder = folderPerTest();
let folder: string;
let source: string;
let hardened: string;
let restored: string;
beforeEach(() => {
  folder = ownFolder();
  [source, hardened, restored] = ['s.gguf', 'h.gguf', 'r.gguf'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
});
const left = () => readdirSync(folder).sort();
const draft = (from = source, output = hardened) =>
  draftUpdate(from, plan, { output, metadata: { 'rosi.note': 'x', ...undoPlaceholder } });

async function harden(from = source, output = hardened): Promise<number> {
  const written = await draft(from, output);
  const bytes = await embedUndo(from, written, { sourceSha256: written.written.sourceSha256 });
  written.publish();
  return bytes;
}
const write = (options: TinyOptions = everyType) => tinyGguf(options).write(source);
const same = (a: string, b: string) => readFileSync(a).equals(readFileSync(b));
function flip(path: string, at: number, by = 1): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= by;
  writeFileSync(path, bytes);
}

test('gives back the source, byte for byte, of every type, without another file', async () => {
  write();
  const bytes = await harden();
  expect(left()).toEqual(['h.gguf', 's.gguf']);
  const result = await revert(hardened, { output: restored });
  expect(same(restored, source)).toBe(true);
  expect(result).toMatchObject({ bytes: readFileSync(source).length, output: restored });
  expect(embeddedBytes((await inspect(hardened)).metadata)).toBe(bytes);
});

test('the rest of the file is what it is without, but for two values', async () => {
  write();
  const bytes = await harden();
  const plain = join(folder, 'plain.gguf');
  await applyUpdate(source, plan, { output: plain, metadata: { 'rosi.note': 'x', ...undoPlaceholder } });
  const [a, b] = [readFileSync(hardened), readFileSync(plain)];
  expect(a.length - b.length).toBe(bytes);
  const own = (file: Buffer) => file.lastIndexOf('rosi.checksum') + 13 + 12;
  for (const file of [a, b]) {
    file.fill(0, own(file), own(file) + 64);
    const size = file.lastIndexOf('rosi.undo') + 9 + 12;
    file.fill(0, size, size + 16);
  }
  expect(a.subarray(0, b.length).equals(b)).toBe(true);
});

test('verifies, with and without the source, and finds a change of any byte', async () => {
  write({ ...everyType, trailing: Buffer.from('after the tensors') });
  const bytes = await harden();
  const ok = { ok: true, checksumOk: true, unplannedDifferences: [] };
  expect(await verifyUpdate(source, hardened)).toMatchObject({ ...ok, sourceMatches: true });
  expect(await verifyUpdate(undefined, hardened)).toMatchObject(ok);
  const { length } = readFileSync(hardened);
  const begin = length - bytes;
  const places = [8, begin - 1, begin, begin + 1, begin + (bytes >> 1), length - 21, length - 1];
  for (const at of places) {
    flip(hardened, at, 1);
    const found = await verifyUpdate(source, hardened).catch((error: unknown) => error);
    if (!(found instanceof Error)) expect(found).toMatchObject({ ok: false, checksumOk: false });
    flip(hardened, at, 1);
  }
  expect(await verifyUpdate(undefined, hardened)).toMatchObject(ok);
  // Not only the checksum: what is not the delta must be the source's.
  flip(hardened, begin - 1);
  expect((await verifyUpdate(source, hardened)).unplannedDifferences).toEqual([
    { where: 'padding', firstOffset: begin - 1, bytes: 1 },
  ]);
});

test.each<[string, (begin: number, length: number) => void]>([
  ['without its last byte', (_, length) => truncateSync(hardened, length - 1)],
  ['cut off by a tool that writes tensors alone', (begin) => truncateSync(hardened, begin)],
  ['with another byte in a piece', (begin, length) => flip(hardened, begin + ((length - begin) >> 3), 0xff)],
  ['with an index of another length', (_, length) => flip(hardened, length - 16)],
  [
    'said to be longer than the file',
    () => {
      const bytes = readFileSync(hardened);
      bytes.write('9999999999999999', bytes.lastIndexOf('rosi.undo') + 9 + 12);
      writeFileSync(hardened, bytes);
    },
  ],
])('a delta %s is refused, and nothing is written', async (_, damage) => {
  write();
  const bytes = await harden();
  const { length } = readFileSync(hardened);
  damage(length - bytes, length);
  await expect(revert(hardened, { output: restored })).rejects.toMatchObject({
    code: 'UNDO_INVALID',
  });
  expect(left()).toEqual(['h.gguf', 's.gguf']);
});

test("no digit of the checksum, which changes yet, is taken for the source's", async () => {
  const only = { ...plan, tensors: [{ name: 'w', left: Float32Array.of(0.5), right: new Float32Array(8).fill(0.25) }] };
  const tensors = [{ name: 'w', type: 'F32' as const, shape: [8, 1] }];
  const make = (note: string) =>
    draftUpdate(source, only, { output: hardened, metadata: { 'rosi.note': note, ...undoPlaceholder } });
  let note = '';
  for (let i = 0; i < 48; ++i) {
    // An older key of ours ends the source's metadata with a digit, and the headers are padded alike: one in sixteen
    // matches by chance.
    write({ metadata: { 'rosi.last': { string: `${10 + i}${(i % 16).toString(16)}` } }, tensors });
    if (note === '') {
      const [trial, { infosOffset }] = [await make(note), await inspect(source)];
      note = 'x'.repeat(32 - (((await inspect(trial.path)).infosOffset - infosOffset + 3200) % 32));
      trial.discard();
    }
    const written = await make(note);
    await embedUndo(source, written);
    await revert(written.path, { output: restored, overwrite: true });
    expect(same(restored, source)).toBe(true);
    written.discard();
  }
});

test('what is hardened twice is given back twice', async () => {
  write();
  await harden();
  const [again, before] = [join(folder, 'h2.gguf'), join(folder, 'r2.gguf')];
  await harden(hardened, again);
  expect(await verifyUpdate(hardened, again)).toMatchObject({ ok: true, unplannedDifferences: [] });
  await revert(again, { output: before });
  expect(same(before, hardened)).toBe(true);
  await revert(before, { output: restored });
  expect(same(restored, source)).toBe(true);
});

test('an undo file beside it, or one that is named, comes first; embed asks for what the file holds', async () => {
  write();
  await harden();
  const beside = `${hardened}.undo`;
  writeFileSync(beside, 'no undo file');
  const refused = { code: 'UNDO_INVALID', details: { path: beside } };
  await expect(revert(hardened, { output: restored })).rejects.toMatchObject(refused);
  await expect(revert(hardened, { output: restored, undo: join(folder, 'none') })).rejects.toMatchObject({
    code: 'FILE_FAILED',
  });
  await revert(hardened, { output: restored, undo: 'embed' });
  expect(same(restored, source)).toBe(true);
  await writeUndo(source, hardened, beside, { overwrite: true });
  await revert(hardened, { output: restored, overwrite: true });
  expect(same(restored, source)).toBe(true);
});

test('a file with neither says what is missing', async () => {
  write();
  await applyUpdate(source, plan, { output: hardened });
  const error = { code: 'FILE_FAILED', details: { path: hardened } };
  const wanted = expect.stringContaining(`${hardened}.undo`) as unknown;
  await expect(revert(hardened, { output: restored })).rejects.toMatchObject({ ...error, message: wanted });
  await expect(revert(hardened, { output: restored, undo: 'embed' })).rejects.toMatchObject(error);
});

test('a draft without room for the size is refused; a draft is gone when it is stopped or the source is another', async () => {
  write();
  const without = await draftUpdate(source, plan, { output: hardened });
  await expect(embedUndo(source, without)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  expect(existsSync(without.path)).toBe(false);
  const other = await draft();
  await expect(embedUndo(source, other, { sourceSha256: 'a'.repeat(64) })).rejects.toMatchObject({
    code: 'UNDO_INVALID',
  });
  other.discard();
  const stopped = await draft();
  await expect(embedUndo(source, stopped, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' });
  stopped.discard();
  expect(left()).toEqual(['s.gguf']);
});

test('rosi inspect says that there is one, and how large', async () => {
  const metadata = { ...inspection.metadata, 'rosi.version': '1', 'rosi.undo': '0000000000070000' };
  const lib = library({ inspect: () => Promise.resolve({ ...inspection, metadata }) });
  expect((await finished(['inspect', 'm.gguf'], lib)).out).toMatch(/^undo +70\.0 kB at the end of the file/mu);
  expect((await finished(['inspect', 'm.gguf'])).out).not.toMatch(/^undo/mu);
});

test('rosi harden --undo embed passes the word on', async () => {
  const lib = library();
  await finished(['harden', 'm.gguf', '--undo', 'embed'], lib);
  expect(lib.calls[0]?.args[2]).toMatchObject({ undo: 'embed' });
});
