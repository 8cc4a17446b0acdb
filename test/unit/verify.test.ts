import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { native, runTask, type NativeVerifyResult } from '../../lib/native';
import { checksumOf } from '../helpers/checksum';
import { temporaryFolder } from '../helpers/temporary';
import { randomBytes, readGguf, tinyGguf, type TinyOptions } from '../helpers/tiny-gguf';

const folder = temporaryFolder();
const source = join(folder, 'source.gguf');
const output = join(folder, 'output.gguf');
const changed = join(folder, 'changed.gguf');
const model: TinyOptions = {
  metadata: { 'tiny.name': { string: 'model' }, 'tiny.words': { array: ['string', ['one', 'two']] } },
  tensors: [
    { name: 'edited.a', type: 'Q8_0', shape: [64, 9] },
    { name: 'kept.a', type: 'Q4_K', shape: [256, 3] },
    { name: 'edited.b', type: 'F32', shape: [5, 7], gap: 64 },
    { name: 'kept.b', type: 'F32', shape: [7] },
  ],
  trailing: Buffer.from('the end'),
};

beforeAll(async () => {
  tinyGguf(model).write(source);
  const tensors = [
    { name: 'edited.a', left: new Float32Array(9).fill(0.02), right: new Float32Array(64).fill(0.05) },
    { name: 'edited.b', left: new Float32Array(7).fill(0.02), right: new Float32Array(5).fill(0.05) },
  ];
  const metadata = { 'rosi.version': '0.0.0' };
  await runTask(() => native.update({ source, output, overwrite: false, threads: 1, tensors, metadata }, () => {}));
});

const verify = (request: { source?: string; output: string }, signal?: AbortSignal) =>
  runTask(() => native.verify(request, () => {}), signal);
/** A copy of the output with a change in it. */
function change(edit: (bytes: Buffer) => Buffer | void): string {
  const bytes = readFileSync(output);
  writeFileSync(changed, edit(bytes) ?? bytes);
  return changed;
}
/** The same, with the checksum made right again: what only the comparison with the source can find. */
function forge(edit: (bytes: Buffer) => Buffer | void): string {
  change(edit);
  const { bytes, entries } = readGguf(changed);
  const { at } = entries.find(({ key }) => key === 'rosi.checksum')!;
  bytes.write(checksumOf(bytes, at), at);
  writeFileSync(changed, bytes);
  return changed;
}

describe('a file as it was written', () => {
  test('is right on its own', async () => {
    expect(await verify({ output })).toEqual({
      ok: true,
      checksumOk: true,
      sourceMatches: null,
      tensors: [
        { name: 'edited.a', sha256Ok: true, changedBytes: null },
        { name: 'edited.b', sha256Ok: true, changedBytes: null },
      ],
      unplannedDifferences: [],
    });
  });

  test('is right beside its source, with the bytes of each planned tensor that changed', async () => {
    const [before, after] = [readGguf(source), readGguf(output)];
    const tensors = ['edited.a', 'edited.b'].map((name) => {
      const old = before.tensors.get(name)!.bytes;
      const changedBytes = after.tensors.get(name)!.bytes.filter((byte, i) => byte !== old[i]).length;
      return { name, sha256Ok: true, changedBytes };
    });
    expect(tensors.every(({ changedBytes }) => changedBytes > 0)).toBe(true);
    expect(await verify({ source, output })).toEqual({
      ok: true,
      checksumOk: true,
      sourceMatches: true,
      tensors,
      unplannedDifferences: [],
    });
  });
});

describe('a single flipped bit', () => {
  const notOk = (result: Promise<NativeVerifyResult>) =>
    result.then(
      ({ ok }) => !ok,
      (error: { code: string }) => error.code === 'GGUF_INVALID', // so badly hit that it is no GGUF any more
    );

  test.each([
    ['with the source', true],
    ['without it', false],
  ])('is found anywhere in the file, %s', async (_, withSource) => {
    const random = randomBytes(withSource ? 1 : 2);
    const size = readFileSync(output).length;
    for (let round = 0; round < 400; ++round) {
      const place = (random() * 65536 + random() * 256 + random()) % size;
      change((bytes) => void (bytes[place]! ^= 1 << (random() % 8)));
      expect([place, await notOk(verify({ ...(withSource ? { source } : {}), output: changed }))]).toEqual([
        place,
        true,
      ]);
    }
  });

  test('in an unplanned tensor is named with its place, also when the checksum was made to fit', async () => {
    const { offset } = readGguf(output).tensors.get('kept.a')!;
    const path = forge((bytes) => void (bytes[offset + 100]! ^= 4));
    expect(await verify({ source, output: path })).toMatchObject({
      ok: false,
      checksumOk: true,
      sourceMatches: true,
      unplannedDifferences: [{ where: 'kept.a', firstOffset: offset + 100, bytes: 1 }],
    });
  });

  test('in a planned tensor fails its own hash', async () => {
    const { offset } = readGguf(output).tensors.get('edited.b')!;
    const path = forge((bytes) => void (bytes[offset]! ^= 1));
    for (const request of [{ source, output: path }, { output: path }]) {
      expect(await verify(request)).toMatchObject({
        ok: false,
        checksumOk: true,
        tensors: [
          { name: 'edited.a', sha256Ok: true },
          { name: 'edited.b', sha256Ok: false },
        ],
        unplannedDifferences: [],
      });
    }
  });

  test.each([
    ['between tensors', () => readGguf(output).tensors.get('edited.b')!.offset - 1],
    ['after the last tensor', () => readFileSync(output).length - 1],
    ['before the data section', () => readGguf(output).dataOffset - 1],
  ])('%s is a difference in the padding', async (_, find) => {
    const firstOffset = find();
    const path = forge((bytes) => void (bytes[firstOffset]! ^= 1));
    expect(await verify({ source, output: path })).toMatchObject({
      ok: false,
      checksumOk: true,
      unplannedDifferences: [{ where: 'padding', firstOffset, bytes: 1 }],
    });
  });

  test('in metadata names the key', async () => {
    const { at } = readGguf(output).entries.find(({ key }) => key === 'tiny.name')!;
    const path = forge((bytes) => void bytes.write('M', at));
    expect(await verify({ source, output: path })).toMatchObject({
      ok: false,
      unplannedDifferences: [{ where: 'metadata:tiny.name', firstOffset: at, bytes: 1 }],
    });
  });
});

describe('other differences', () => {
  test('another source', async () => {
    const other = tinyGguf({ ...model, seed: 2 }).write(join(folder, 'other.gguf'));
    const result = await verify({ source: other, output });
    expect(result).toMatchObject({ ok: false, checksumOk: true, sourceMatches: false });
    expect(result.unplannedDifferences.map(({ where }) => where)).toEqual(['kept.a', 'kept.b']);
  });

  test('a source that lacks tensors and keys, and has others', async () => {
    const tensors = [...model.tensors!.slice(0, 3), { name: 'new', type: 'F32' as const, shape: [7] }];
    const metadata = { 'tiny.words': model.metadata!['tiny.words']!, 'tiny.new': { uint8: 1 } };
    const other = tinyGguf({ ...model, tensors, metadata }).write(join(folder, 'other.gguf'));
    const { unplannedDifferences } = await verify({ source: other, output });
    expect(unplannedDifferences.map(({ where }) => where)).toEqual(
      expect.arrayContaining(['header', 'metadata:tiny.new', 'metadata:tiny.name', 'new', 'kept.b']),
    );
  });

  test('metadata in another order', async () => {
    const { 'tiny.name': name, ...rest } = model.metadata!;
    const other = tinyGguf({ ...model, metadata: { ...rest, 'tiny.name': name! } }).write(join(folder, 'other.gguf'));
    const { unplannedDifferences } = await verify({ source: other, output });
    expect(unplannedDifferences.map(({ where }) => where)).toEqual(['header']);
  });

  test('bytes that were added at the end', async () => {
    const path = forge((bytes) => Buffer.concat([bytes, Buffer.from('more')]));
    const end = readFileSync(output).length;
    expect(await verify({ source, output: path })).toMatchObject({
      ok: false,
      unplannedDifferences: [{ where: 'padding', firstOffset: end, bytes: 4 }],
    });
  });

  test('a planned tensor put back as it was', async () => {
    const old = readGguf(source).tensors.get('edited.a')!.bytes;
    const { offset } = readGguf(output).tensors.get('edited.a')!;
    const path = forge((bytes) => void old.copy(bytes, offset));
    expect(await verify({ source, output: path })).toMatchObject({
      ok: false,
      tensors: [{ name: 'edited.a', sha256Ok: false, changedBytes: 0 }, { name: 'edited.b' }],
    });
  });
});

describe('what can not be verified', () => {
  test('a file that rosi did not write', () =>
    expect(verify({ source, output: source })).rejects.toMatchObject({
      code: 'RECORD_MISSING',
      details: { path: source },
    }));

  test('a file that lost a part of its record', async () => {
    const path = change((bytes) => void bytes.write('r0si', bytes.indexOf('rosi.checksum')));
    await expect(verify({ source, output: path })).rejects.toMatchObject({
      code: 'GGUF_INVALID',
      details: { check: 'record', key: 'rosi.checksum' },
    });
  });

  test.each(['[', '[]]', '[{}]', '[{"name":"a","sha256":"00"}]', '[{"name":"\\x","sha256":"00"}]'])(
    'a record that reads %s',
    async (record) => {
      const digest = '0'.repeat(64);
      const metadata = { 'rosi.source.sha256': digest, 'rosi.tensors': record, 'rosi.checksum': digest };
      const values = Object.fromEntries(Object.entries(metadata).map(([key, string]) => [key, { string }]));
      const path = tinyGguf({ ...model, metadata: values }).write(join(folder, 'record.gguf'));
      await expect(verify({ output: path })).rejects.toMatchObject({
        details: { check: 'record', key: 'rosi.tensors' },
      });
    },
  );

  test('a file that is cut off', () =>
    expect(verify({ output: change((bytes) => bytes.subarray(0, bytes.length - 200)) })).rejects.toMatchObject({
      code: 'GGUF_INVALID',
    }));

  test('a call that is stopped', async () => {
    const big = tinyGguf({
      tensors: [{ name: 'w', type: 'F32', shape: [1024, 4096], bytes: Buffer.alloc(4 * 1024 * 4096) }],
    });
    const [from, to] = [big.write(join(folder, 'big.gguf')), join(folder, 'big-output.gguf')];
    await runTask(() =>
      native.update({ source: from, output: to, overwrite: false, threads: 1, tensors: [], metadata: {} }, () => {}),
    );
    const controller = new AbortController();
    const running = verify({ source: from, output: to }, controller.signal);
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

describe('sha256', () => {
  // Around the block of 64 bytes, the padding's 56th, and the piece of 1 MiB that is read at a time.
  test.each([0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 1000, 2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1])(
    'of %i bytes',
    async (size) => {
      const random = randomBytes(size + 1);
      const bytes = Buffer.from(Uint8Array.from({ length: size }, random));
      const path = join(folder, 'hashed');
      writeFileSync(path, bytes);
      const digest = await runTask(() => native.sha256([path], () => {}));
      expect(digest).toBe(createHash('sha256').update(bytes).digest('hex'));
    },
  );

  test('of a folder or nothing fails', async () => {
    await expect(runTask(() => native.sha256([folder], () => {}))).rejects.toMatchObject({
      code: 'FILE_FAILED',
      details: { path: folder },
    });
    await expect(runTask(() => native.sha256([join(folder, 'none')], () => {}))).rejects.toMatchObject({
      code: 'FILE_FAILED',
    });
  });
});
