import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { basename } from 'node:path';

import { applyUpdate, inspect, trialUpdate, verifyUpdate } from '../../lib';
import { checkCopy, modelFiles } from '../../lib/model-files';
import { native, runTask } from '../../lib/native';
import { defaultOutput } from '../../lib/options';
import { draftUpdate } from '../../lib/update';
import { finished, library } from '../helpers/command';
import { splitGguf, splitPaths, textEntry, type SplitOptions } from '../helpers/split-gguf';
import { bytesOf, names, plan, splitModels } from '../helpers/split-model';
import { readGguf, tinyGguf } from '../helpers/tiny-gguf';

const { at, files, model } = splitModels();

describe('a split model', () => {
  test('is read as the whole one, with the place of each tensor', async () => {
    const parts = model();
    const [split, whole] = [await inspect(parts[0]!), await inspect(at('whole.gguf'))];
    expect(split.metadata).toEqual({
      ...whole.metadata,
      'split.no': 0,
      'split.count': 3,
      'split.tensors.count': 5,
    });
    expect(split.tensors.map(({ name, type, shape, bytes }) => [name, type, shape, bytes])).toEqual(
      whole.tensors.map(({ name, type, shape, bytes }) => [name, type, shape, bytes]),
    );
    for (const { name, part, offset, bytes } of split.tensors) {
      const file = readFileSync(split.parts![part!]!.path);
      expect(file.subarray(offset, offset + bytes)).toEqual(readGguf(at('whole.gguf')).tensors.get(name)!.bytes);
    }
    const sizes = bytesOf(parts).map(({ length }) => length);
    expect(split.parts).toEqual(
      parts.map((path, i) => {
        const { dataOffset, infos, infosEnd } = readGguf(path);
        return { path, fileBytes: sizes[i], infosOffset: infosEnd - infos.length, dataOffset };
      }),
    );
    expect(split.fileBytes).toBe(sizes[0]! + sizes[1]! + sizes[2]!);
  });

  test('may have a first file without tensors', async () => {
    const parts = model({ sizes: [0, 2, 3] });
    expect((await inspect(parts[0]!)).tensors.map(({ part }) => part)).toEqual([1, 1, 2, 2, 2]);
    const [rows] = await runTask(() => native.meanRows(parts[0]!, ['e']));
    expect([rows]).toEqual(await runTask(() => native.meanRows(at('whole.gguf'), ['e'])));
    const vectors = await runTask(() => native.readVectors(parts[0]!, ['b']));
    expect(vectors).toEqual(await runTask(() => native.readVectors(at('whole.gguf'), ['b'])));
  });

  test('may be a folder of links, as a download cache has it', async () => {
    const parts = model();
    mkdirSync(at('links'));
    const links = parts.map(
      (path, i) => (symlinkSync(path, at(`links/${basename(path)}`)), at(`links/${basename(parts[i]!)}`)),
    );
    expect((await inspect(links[0]!)).tensors).toHaveLength(5);
  });
});

describe('what is no split model', () => {
  const refused = (details: object, code = 'GGUF_INVALID') =>
    expect(inspect(splitPaths(at('m'), 3)[0]!)).rejects.toMatchObject({ name: 'RosiError', code, details });

  test.each([2, 3])('file %i of it: the first is named', async (n) => {
    const parts = model();
    const path = parts[n - 1]!;
    const wrong = { code: 'OPTION_INVALID', details: { option: 'model', path, first: parts[0] } };
    await expect(inspect(path)).rejects.toMatchObject(wrong);
    await expect(applyUpdate(path, plan, { output: at('o.gguf') })).rejects.toMatchObject(wrong);
    await expect(trialUpdate(path, plan)).rejects.toMatchObject(wrong);
    await expect(verifyUpdate(undefined, path)).rejects.toMatchObject(wrong);
    await expect(runTask(() => native.openSession(path, { threads: 1 }, () => {}))).rejects.toMatchObject(wrong);
    await expect(runTask(() => native.findWritersInFile(path))).rejects.toMatchObject(wrong);
  });

  test.each([2, 3])('without its file %i', async (n) => {
    const parts = model();
    rmSync(parts[n - 1]!);
    await refused({ check: 'split_missing', path: parts[n - 1], part: n, count: 3 });
  });

  test.each<[string, SplitOptions['keys'], object]>([
    [
      'a file without its number',
      (part) => (part === 1 ? { 'split.no': undefined } : {}),
      { key: 'split.no', expected: 1 },
    ],
    [
      'two files of one number',
      (part) => (part === 2 ? { 'split.no': 1 } : {}),
      { key: 'split.no', found: 1, expected: 2 },
    ],
    [
      'a first file of another number',
      (part) => (part === 0 ? { 'split.no': 1 } : {}),
      { key: 'split.no', found: 1, expected: 0 },
    ],
    [
      'a file of another count',
      (part) => (part === 1 ? { 'split.count': 4 } : {}),
      { key: 'split.count', found: 4, expected: 3 },
    ],
    [
      'a file without a count',
      (part) => (part === 2 ? { 'split.count': undefined } : {}),
      { key: 'split.count', expected: 3 },
    ],
    [
      'tensors that are too few',
      () => ({ 'split.tensors.count': 6 }),
      { key: 'split.tensors.count', found: 6, expected: 5 },
    ],
    ['a negative number of tensors', () => ({ 'split.tensors.count': -5 }), { key: 'split.tensors.count', found: -1 }],
    [
      'a file that counts otherwise',
      (part) => (part === 2 ? { 'split.tensors.count': 4 } : {}),
      { key: 'split.tensors.count', found: 4 },
    ],
  ])('%s', async (_, keys, details) => {
    model({ sizes: [2, 2, 1], keys: keys! });
    await refused({ check: 'split', ...details });
  });

  test('a number of a type that would end the process in the engine', async () => {
    const parts = model();
    const bytes = readFileSync(parts[1]!);
    bytes.writeUInt32LE(3, bytes.indexOf('split.no') + 'split.no'.length); // int16
    writeFileSync(parts[1]!, bytes);
    await refused({ check: 'split', key: 'split.no', path: parts[1] });
  });

  test('a tensor that is in two files', async () => {
    const parts = model({ sizes: [2, 2, 1], keys: () => ({ 'split.tensors.count': 6 }) });
    const other = splitGguf(at('whole.gguf'), at('n'), {
      sizes: [1, 3, 1],
      keys: () => ({ 'split.tensors.count': 6 }),
    });
    renameSync(other[1]!, parts[1]!);
    await refused({ check: 'duplicate_tensor', tensor: 'b', path: parts[1], other: parts[0] });
  });

  test('a file of a model of another architecture', async () => {
    const parts = model({
      sizes: [2, 2, 1],
      more: (part) => (part === 2 ? [textEntry('general.architecture', 'huge')] : []),
    });
    await refused({ check: 'split', key: 'general.architecture', path: parts[2], found: 'huge', expected: 'tiny' });
    model({ sizes: [2, 2, 1], more: (part) => (part === 2 ? [textEntry('general.architecture', 'tiny')] : []) });
    expect((await inspect(parts[0]!)).tensors).toHaveLength(5);
  });

  test('a file that is damaged, by its own path', async () => {
    const parts = model();
    writeFileSync(parts[2]!, readFileSync(parts[2]!).subarray(0, -40));
    await refused({ check: 'truncated', tensor: 'e', path: parts[2] });
  });

  test('files without a tensor', async () => {
    tinyGguf({ tensors: [] }).write(at('whole.gguf'));
    await expect(inspect(at('whole.gguf'))).rejects.toMatchObject({ details: { check: 'no_tensors' } });
    splitGguf(at('whole.gguf'), at('m'), { sizes: [0, 0, 0] });
    await refused({ check: 'no_tensors' });
  });

  test('a name that does not say what is in it', async () => {
    const parts = model();
    const wrong = { code: 'GGUF_INVALID', details: { check: 'split_name', key: 'split.count' } };
    copyFileSync(parts[0]!, at('renamed.gguf'));
    await expect(inspect(at('renamed.gguf'))).rejects.toMatchObject(wrong);
    copyFileSync(parts[0]!, at('m-00001-of-00002.gguf'));
    copyFileSync(parts[1]!, at('m-00002-of-00002.gguf'));
    await expect(inspect(at('m-00001-of-00002.gguf'))).rejects.toMatchObject(wrong);
    copyFileSync(at('whole.gguf'), at('w-00001-of-00002.gguf'));
    await expect(inspect(at('w-00001-of-00002.gguf'))).rejects.toMatchObject(wrong);
    copyFileSync(at('whole.gguf'), at('w-00001-of-00001.gguf'));
    expect((await inspect(at('w-00001-of-00001.gguf'))).parts).toBeUndefined();
  });

  test('more files than the limit', async () => {
    const path = at('m-00001-of-01025.gguf');
    tinyGguf({ metadata: { 'split.count': { uint16: 1025 }, 'split.no': { uint16: 0 } } }).write(path);
    await expect(inspect(path)).rejects.toMatchObject({ code: 'GGUF_INVALID', details: { found: 1025, limit: 1024 } });
  });
});

describe('names', () => {
  test.each([
    ['o.gguf', 'o-00001-of-00003.gguf'],
    ['o', 'o-00001-of-00003.gguf'],
    ['o-00001-of-00003.gguf', 'o-00001-of-00003.gguf'],
    ['o-00004-of-00003.gguf', 'o-00004-of-00003-00001-of-00003.gguf'], // no part's name
  ])('of an output %s', (output, first) => {
    expect(native.outputPaths('x/m-00001-of-00003.gguf', `y/${output}`)).toEqual(
      splitPaths(`y/${first.slice(0, -'-00001-of-00003.gguf'.length)}`, 3),
    );
  });

  test('of an output that is one file stay', () => {
    for (const output of ['o.gguf', 'o', 'o-00001-of-00001.gguf']) {
      expect(native.outputPaths('m.gguf', output)).toEqual([output]);
    }
    expect(modelFiles('m-00001-of-00001.gguf')).toEqual(['m-00001-of-00001.gguf']);
    expect(modelFiles('-00001-of-00002.gguf')).toEqual(['-00001-of-00002.gguf']);
  });

  test.each([
    ['m-00001-of-00003.gguf', 'o-00002-of-00003.gguf'],
    ['m-00001-of-00003.gguf', 'o-00001-of-00002.gguf'],
    ['m.gguf', 'o-00001-of-00002.gguf'],
  ])('of an output of %s can not be %s', (source, output) => {
    expect(() => native.outputPaths(source, output)).toThrow(
      expect.objectContaining({
        code: 'OPTION_INVALID',
        details: expect.objectContaining({ option: 'output' }) as unknown,
      }),
    );
  });

  test('by default are made of the model’s', () => {
    expect(defaultOutput('x/m-00001-of-00003.gguf')).toBe('x/m.hardened.gguf');
    expect(defaultOutput('x/m.gguf')).toBe('x/m.hardened.gguf');
  });

  test('of every output and every source are looked at before the work', () => {
    const parts = model();
    expect(names(checkCopy(parts[0]!, at('o.gguf'), false))).toEqual(names(splitPaths('o', 3)));
    writeFileSync(at('o-00003-of-00003.gguf'), 'mine');
    expect(() => checkCopy(parts[0]!, at('o.gguf'), false)).toThrow(expect.objectContaining({ code: 'OUTPUT_EXISTS' }));
    checkCopy(parts[0]!, at('o.gguf'), true);
    rmSync(at('o-00003-of-00003.gguf'));
    symlinkSync(parts[1]!, at('o-00003-of-00003.gguf'));
    expect(() => checkCopy(parts[0]!, at('o.gguf'), true)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  });
});

describe('rosi', () => {
  const [first] = splitPaths('m', 3);
  const hardened = 'm.hardened-00001-of-00003.gguf';

  test('harden names the first file of its output, and the undo file that revert looks for', async () => {
    const lib = library();
    expect((await finished(['harden', first!, '--undo'], lib)).status).toBe(0);
    expect(lib.calls[0]).toMatchObject({ args: [first, undefined, { output: hardened, undo: `${hardened}.undo` }] });
  });

  test('apply names the first file of its output', async () => {
    const { out } = await finished(['apply', 'p.json', first!, '--json']);
    expect(JSON.parse(out)).toMatchObject({ output: hardened });
  });

  test.each([['harden'], ['apply', 'p.json'], ['plan']])('%s asks for the first file', async (...command) => {
    const { err, status } = await finished([...command, 'm-00002-of-00003.gguf']);
    expect(status).toBe(2);
    expect(err).toContain('give the first: m-00001-of-00003.gguf');
  });
});

const outputs = () => splitPaths(at('o'), 3);

describe('an update of a split model', () => {
  test.each([
    ['', [2, 2, 1]],
    [' whose first file has no tensors', [0, 3, 2]],
  ])('gives the same tensors as of the whole one%s', async (_, sizes) => {
    const parts = model({ sizes });
    const split = await applyUpdate(parts[0]!, plan, { output: at('o.gguf'), threads: 3 });
    const whole = await applyUpdate(at('whole.gguf'), plan, { output: at('w.gguf') });
    expect(split.output).toBe(outputs()[0]);
    expect(split.tensors).toEqual(whole.tensors);
    expect(split.sourceSha256).toBe(
      createHash('sha256')
        .update(Buffer.concat(bytesOf(parts)))
        .digest('hex'),
    );
    expect(split.outputBytes).toBe(Buffer.concat(bytesOf(outputs())).length);
    expect((await trialUpdate(parts[0]!, plan)).outputBytes).toBe(split.outputBytes);
    const expected = readGguf(at('w.gguf')).tensors;
    const found = outputs().flatMap((path) => [...readGguf(path).tensors]);
    expect(found.map(([name]) => name)).toEqual([...expected.keys()]);
    for (const [name, { bytes }] of found) expect(bytes.equals(expected.get(name)!.bytes)).toBe(true);
    expect(files()).toEqual([...names([...parts, ...outputs()]), 'w.gguf', 'whole.gguf'].sort());
  });

  test('keeps files without planned tensors byte for byte, and all that is not planned', async () => {
    const parts = model();
    await applyUpdate(parts[0]!, plan, { output: at('o.gguf') });
    const [before, after] = [bytesOf(parts), bytesOf(outputs())];
    expect(after[1]!.equals(before[1]!)).toBe(true);
    expect(after[2]!.equals(before[2]!)).toBe(false);
    expect(after[2]!.length).toBe(before[2]!.length);
    const own = (path: string) =>
      readGguf(path)
        .entries.map(({ key }) => key)
        .filter((key) => key.startsWith('rosi.'));
    expect(outputs().map(own)).toEqual([
      ['rosi.version', 'rosi.plan', 'rosi.source.sha256', 'rosi.tensors', 'rosi.parts', 'rosi.checksum'],
      [],
      [],
    ]);
    const { entries } = readGguf(outputs()[0]!);
    const hashes = after.slice(1).map((bytes) => createHash('sha256').update(bytes).digest('hex'));
    expect(JSON.parse(entries.find(({ key }) => key === 'rosi.parts')!.text!)).toEqual(hashes);
  });

  test('moves what comes after a promoted tensor in its file alone', async () => {
    const parts = model();
    const promoted = { ...plan, tensors: [{ ...plan.tensors[1]!, type: 'F32' as const }] };
    const { outputBytes } = await applyUpdate(parts[0]!, promoted, { output: at('o.gguf') });
    expect(outputBytes).toBe((await trialUpdate(parts[0]!, promoted)).outputBytes);
    expect(await verifyUpdate(parts[0], outputs()[0]!)).toMatchObject({ ok: true });
    expect(bytesOf(outputs()).slice(1)).toEqual(bytesOf(parts).slice(1));
  });

  test('replaces no file unless asked to', async () => {
    const parts = model();
    writeFileSync(outputs()[1]!, 'old');
    await expect(applyUpdate(parts[0]!, plan, { output: at('o.gguf') })).rejects.toMatchObject({
      code: 'OUTPUT_EXISTS',
      details: { path: outputs()[1] },
    });
    expect(files()).toEqual([...names(parts), basename(outputs()[1]!), 'whole.gguf'].sort());
    await applyUpdate(parts[0]!, plan, { output: at('o.gguf'), overwrite: true });
    expect(await verifyUpdate(parts[0], outputs()[0]!)).toMatchObject({ ok: true });
  });

  test('an update of an update says what the last did, in the first file alone', async () => {
    const parts = model();
    await applyUpdate(parts[0]!, plan, { output: at('n.gguf') });
    const first = splitPaths(at('n'), 3)[0]!;
    await applyUpdate(first, plan, { output: at('o.gguf') });
    expect(await verifyUpdate(first, outputs()[0]!)).toMatchObject({ ok: true, sourceMatches: true });
  });
});

describe('a draft of a split model', () => {
  const draft = (overwrite = false) =>
    draftUpdate(splitPaths(at('m'), 3)[0]!, plan, { output: at('o.gguf'), overwrite });
  const thrownBy = (call: () => void): unknown => {
    try {
      call();
    } catch (error) {
      return error;
    }
    throw new Error('nothing was thrown');
  };

  test('is a split model itself, under names that go with it', async () => {
    const parts = model();
    const { path, written, publish } = await draft();
    expect(path.startsWith(at('o.partial-'))).toBe(true);
    expect(written.output).toBe(outputs()[0]);
    expect(await verifyUpdate(parts[0], path)).toMatchObject({ ok: true });
    expect(files()).toHaveLength(7);
    publish();
    expect(files()).toEqual([...names([...parts, ...outputs()]), 'whole.gguf']);
    expect(await verifyUpdate(parts[0], outputs()[0]!)).toMatchObject({ ok: true });
  });

  test('leaves no name behind when one of its files can not have its own, and can be tried again', async () => {
    const parts = model();
    const { path, publish } = await draft();
    renameSync(path, at('away')); // the first, and the last to get its name
    const kept = files();
    expect(thrownBy(publish)).toMatchObject({ code: 'FILE_FAILED', details: { path: outputs()[0] } });
    expect(files()).toEqual(kept);
    renameSync(at('away'), path);
    expect(await verifyUpdate(parts[0], path)).toMatchObject({ ok: true });
    publish();
    expect(files()).toEqual([...names([...parts, ...outputs()]), 'whole.gguf']);
    expect(await verifyUpdate(parts[0], outputs()[0]!)).toMatchObject({ ok: true });
  });

  test('says what it has replaced when one of its files can not have its name', async () => {
    const parts = model();
    const { path, publish, discard } = await draft(true);
    writeFileSync(outputs()[2]!, 'old');
    renameSync(path, at('away'));
    const failed = { code: 'FILE_FAILED', details: { path: outputs()[0], replaced: outputs()[2] } };
    expect(thrownBy(publish)).toMatchObject(failed);
    renameSync(at('away'), path);
    publish();
    discard();
    expect(files()).toEqual([...names([...parts, ...outputs()]), 'whole.gguf']);
    expect(await verifyUpdate(parts[0], outputs()[0]!)).toMatchObject({ ok: true });
  });

  test('that is discarded is gone', async () => {
    const parts = model();
    (await draft()).discard();
    expect(files()).toEqual([...names(parts), 'whole.gguf']);
  });
});

describe('verify', () => {
  test.each([0, 1, 2])('finds a flipped byte anywhere in file %i, with and without the source', async (n) => {
    const parts = model();
    await applyUpdate(parts[0]!, plan, { output: at('o.gguf') });
    const whole = readFileSync(outputs()[n]!);
    const { dataOffset } = readGguf(outputs()[n]!);
    for (let place = dataOffset; place < whole.length; place += 13) {
      const bytes = Buffer.from(whole);
      bytes[place]! ^= 4;
      writeFileSync(outputs()[n]!, bytes);
      expect([place, await verifyUpdate(undefined, outputs()[0]!)]).toMatchObject([
        place,
        { ok: false, checksumOk: false },
      ]);
      expect([place, await verifyUpdate(parts[0], outputs()[0]!)]).toMatchObject([
        place,
        { ok: false, checksumOk: false },
      ]);
    }
  });

  test('says in which file an unplanned byte is', async () => {
    const parts = model();
    await applyUpdate(parts[0]!, plan, { output: at('o.gguf') });
    const { offset } = readGguf(outputs()[1]!).tensors.get('d')!;
    const bytes = readFileSync(outputs()[1]!);
    bytes[offset + 3]! ^= 1;
    writeFileSync(outputs()[1]!, bytes);
    expect((await verifyUpdate(parts[0], outputs()[0]!)).unplannedDifferences).toEqual([
      { where: 'd', firstOffset: offset + 3, bytes: 1, part: 2 },
    ]);
  });

  test('finds a file of another update of the same model', async () => {
    const parts = model();
    await applyUpdate(parts[0]!, plan, { output: at('o.gguf') });
    const other = { ...plan, tensors: plan.tensors.map((tensor) => ({ ...tensor, left: tensor.left.map((x) => -x) })) };
    await applyUpdate(parts[0]!, other, { output: at('n.gguf') });
    renameSync(splitPaths(at('n'), 3)[2]!, outputs()[2]!);
    expect(await verifyUpdate(undefined, outputs()[0]!)).toMatchObject({
      ok: false,
      checksumOk: false,
      tensors: [
        { name: 'e', sha256Ok: false },
        { name: 'a', sha256Ok: true },
      ],
    });
  });

  test('does not take the whole model for the source of a split one', async () => {
    const parts = model();
    await applyUpdate(parts[0]!, plan, { output: at('o.gguf') });
    const { ok, checksumOk, sourceMatches, unplannedDifferences } = await verifyUpdate(at('whole.gguf'), outputs()[0]!);
    expect({ ok, checksumOk, sourceMatches }).toEqual({ ok: false, checksumOk: true, sourceMatches: false });
    expect(unplannedDifferences.filter(({ where }) => where === 'file').map(({ part }) => part)).toEqual([2, 3]);
  });
});
