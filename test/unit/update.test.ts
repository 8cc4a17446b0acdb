import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';

import { native, type NativeUpdateRequest, type RankOneFactors, runTask } from '../../lib/native';
import { checksumOf } from '../helpers/checksum';
import { folderPerTest, temporaryFolder } from '../helpers/temporary';
import { floats, randomBytes, readGguf, tinyGguf, type TinyOptions, type TypeName } from '../helpers/tiny-gguf';

const ownFolder = folderPerTest();
let folder: string;
let source: string;
let output: string;
beforeEach(() => {
  folder = ownFolder();
  source = join(folder, 'source.gguf');
  output = join(folder, 'output.gguf');
});

const editable: TypeName[] = [
  'F32',
  'F16',
  'BF16',
  'Q8_0',
  'Q4_0',
  'Q4_1',
  'Q5_0',
  'Q5_1',
  'Q2_K',
  'Q3_K',
  'Q4_K',
  'Q5_K',
  'Q6_K',
  'IQ4_NL',
  'IQ4_XS',
  'MXFP4',
];
const [nIn, nOut] = [512, 6]; // two blocks of the largest type a row

const model: TinyOptions = {
  metadata: {
    'tiny.words': { array: ['string', ['one', 'two']] },
    'rosi.before': { string: 'of an earlier edit' },
    'tiny.last': { float64: 0.1 },
  },
  tensors: [
    ...editable.map((type, i) => ({ name: `w.${type}`, type, shape: [nIn, nOut], gap: 32 * (i % 2) })),
    { name: 'norm', type: 'F32', shape: [nIn] },
    { name: 'experts', type: 'F32', shape: [nIn, nOut, 2] },
    { name: 'coded', type: 'IQ3_S', shape: [nIn, nOut] },
  ],
  trailing: Buffer.from('something after the last tensor'),
};

function factors(name: string, strength = 1, seed = 3): RankOneFactors {
  const random = randomBytes(seed);
  const vector = (length: number, scale: number) =>
    Float32Array.from({ length }, () => ((random() - 127.5) / 128) * scale);
  return { name, left: vector(nOut, strength * 0.01), right: vector(nIn, 1) };
}
const update = (
  request: Partial<NativeUpdateRequest> = {},
  signal?: AbortSignal,
  tick: (done: number) => void = () => {},
) =>
  runTask(
    () =>
      native.update(
        { source, output, overwrite: false, threads: 1, tensors: [factors('w.F32')], metadata: {}, ...request },
        tick,
      ),
    signal,
  );
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const files = () => readdirSync(folder).sort();

describe('an update', () => {
  test('of strength 0 leaves every tensor of every type as it is', async () => {
    tinyGguf(model).write(source);
    const result = await update({ tensors: editable.map((type) => factors(`w.${type}`, 0)) });
    const [before, after] = [readGguf(source), readGguf(output)];
    for (const [name, tensor] of before.tensors) expect(after.tensors.get(name)!.bytes).toEqual(tensor.bytes);
    expect(result.tensors.map(({ realised }) => realised.mode)).toEqual(editable.map(() => 'copy'));
  });

  test('adds left * rightᵀ in float32', async () => {
    tinyGguf(model).write(source);
    const { left, right } = factors('w.F32');
    await update();
    const [before, after] = [source, output].map((path) => floats(readGguf(path).tensors.get('w.F32')!.bytes));
    // Half a unit in the last place of the product and one of the sum; values here are below 2^-5.
    before!.forEach((w, i) =>
      expect(Math.abs(after![i]! - (w + left[Math.floor(i / nIn)]! * right[i % nIn]!))).toBeLessThan(2 ** -29),
    );
  });

  test('of twice the strength changes twice as much', async () => {
    tinyGguf(model).write(source);
    const change = async (strength: number) => {
      await update({ tensors: [factors('w.F32', strength)], overwrite: true });
      const [before, after] = [source, output].map((path) => floats(readGguf(path).tensors.get('w.F32')!.bytes));
      return after!.map((w, i) => w - before![i]!);
    };
    const [once, twice] = [await change(1), await change(2)];
    once.forEach((d, i) => expect(Math.abs(twice[i]! - 2 * d)).toBeLessThan(2 ** -27));
  });

  test.each(editable)('changes %s and nothing else', async (type) => {
    tinyGguf(model).write(source);
    await update({ tensors: [factors(`w.${type}`, 5)] });
    const [before, after] = [readGguf(source), readGguf(output)];
    for (const [name, tensor] of before.tensors) {
      const equal = after.tensors.get(name)!.bytes.equals(tensor.bytes);
      expect([name, equal]).toEqual([name, name !== `w.${type}`]);
    }
  });

  test.each([2, 3])('keeps version %i, metadata, descriptions, gaps and trailing bytes', async (version) => {
    tinyGguf({ ...model, version }).write(source);
    await update({ metadata: { 'rosi.version': '1.2.3' } });
    const [before, after] = [readGguf(source), readGguf(output)];
    expect(after.version).toBe(version);
    expect(after.infos).toEqual(before.infos);
    const kept = (file: typeof before) =>
      file.entries.filter(({ key }) => !key.startsWith('rosi.')).map(({ raw }) => raw);
    expect(kept(after)).toEqual(kept(before));
    const { offset, bytes } = after.tensors.get('w.F32')!;
    const data = (file: typeof before) => {
      const copy = Buffer.from(file.bytes.subarray(file.dataOffset));
      return copy.fill(0, offset - after.dataOffset, offset - after.dataOffset + bytes.length);
    };
    expect(data(after)).toEqual(data(before));
    expect(after.bytes.subarray(after.infosEnd, after.dataOffset).every((byte) => byte === 0)).toBe(true);
  });

  test.each([8, 64, 4096])('keeps an alignment of %i', async (alignment) => {
    tinyGguf({ alignment, tensors: [{ name: 'w.F32', type: 'F32', shape: [nIn, nOut] }] }).write(source);
    await update();
    expect(readGguf(output).dataOffset % alignment).toBe(0);
    expect((await runTask(() => native.inspect(output))).alignment).toBe(alignment);
  });

  test('records source, tensors and a checksum of the whole file', async () => {
    tinyGguf(model).write(source);
    const metadata = { 'rosi.version': '1.2.3', 'rosi.plan': '{"a": "ü\\n"}' };
    const result = await update({ tensors: [factors('w.Q8_0'), factors('w.F16')], metadata });
    const { bytes, entries, tensors } = readGguf(output);
    const own = Object.fromEntries(
      entries.filter(({ key }) => key.startsWith('rosi.')).map(({ key, text }) => [key, text]),
    );
    const records = ['w.Q8_0', 'w.F16'].map((name) => ({ name, sha256: sha256(tensors.get(name)!.bytes) }));
    const at = entries.find(({ key }) => key === 'rosi.checksum')!.at;
    const checksum = checksumOf(bytes, at);
    expect(own).toEqual({
      ...metadata, // and rosi.before of the source is gone
      'rosi.source.sha256': sha256(readFileSync(source)),
      'rosi.tensors': JSON.stringify(records),
      'rosi.checksum': checksum,
    });
    expect(result).toMatchObject({
      sourceSha256: own['rosi.source.sha256'],
      checksum,
      sourceBytes: readFileSync(source).length,
      outputBytes: bytes.length,
      tensors: records.map((record, i) => ({ ...record, type: ['Q8_0', 'F16'][i] })),
    });
  });

  test('records names that JSON must escape', async () => {
    const name = 'a "b" \\ \u0001 ü';
    tinyGguf({ tensors: [{ name, type: 'F32', shape: [nIn, nOut] }] }).write(source);
    await update({ tensors: [factors(name)] });
    const text = readGguf(output).entries.find(({ key }) => key === 'rosi.tensors')!.text!;
    expect(JSON.parse(text)).toMatchObject([{ name }]);
    expect(await runTask(() => native.verify({ source, output }, () => {}))).toMatchObject({
      ok: true,
      tensors: [{ name }],
    });
  });

  test('gives the same bytes for any number of threads', async () => {
    tinyGguf(model).write(source);
    const tensors = editable.map((type) => factors(`w.${type}`));
    const outputs = await Promise.all(
      [1, 2, 5, 100].map(async (threads) => {
        const path = join(folder, `${threads}.gguf`);
        await update({ output: path, threads, tensors });
        return readFileSync(path);
      }),
    );
    for (const bytes of outputs) expect(bytes.equals(outputs[0]!)).toBe(true);
  });

  test('of an output takes the place of its record', async () => {
    tinyGguf(model).write(source);
    await update({ metadata: { 'rosi.plan': 'first' } });
    const again = join(folder, 'again.gguf');
    await update({ source: output, output: again, metadata: { 'rosi.version': '2' } });
    const own = readGguf(again).entries.filter(({ key }) => key.startsWith('rosi.'));
    expect(own.map(({ key }) => key)).toEqual(['rosi.version', 'rosi.source.sha256', 'rosi.tensors', 'rosi.checksum']);
    expect(await runTask(() => native.verify({ source: output, output: again }, () => {}))).toMatchObject({ ok: true });
  });

  test('reports progress that grows to 1', async () => {
    tinyGguf(model).write(source);
    const ticks: number[] = [];
    await update({}, undefined, (done) => ticks.push(done));
    expect([...ticks].sort((a, b) => a - b)).toEqual(ticks);
    expect(ticks[0]).toBeGreaterThan(0); // not undefined either: ticks may be dropped, the last one not
    expect(ticks.at(-1)).toBeCloseTo(1, 9);
    expect(Math.max(...ticks)).toBeLessThanOrEqual(1);
  });
});

describe('a plan that does not fit is refused and writes nothing', () => {
  const { left, right } = factors('w.F32');
  const nan = Float32Array.from(left).fill(NaN, 2, 3);
  test.each<[string, Partial<NativeUpdateRequest>, string, object]>([
    ['an unknown tensor', { tensors: [{ name: 'v', left, right }] }, 'OPTION_INVALID', { tensor: 'v' }],
    ['a tensor twice', { tensors: [factors('w.F32'), factors('w.F32')] }, 'OPTION_INVALID', { tensor: 'w.F32' }],
    [
      'a left factor that is too long',
      { tensors: [{ name: 'w.F32', left: right, right }] },
      'OPTION_INVALID',
      { factor: 'left', length: nIn, expected: nOut },
    ],
    [
      'a right factor that is too short',
      { tensors: [{ name: 'w.F32', left, right: left }] },
      'OPTION_INVALID',
      { factor: 'right', length: nOut, expected: nIn },
    ],
    [
      'a factor that is not a number',
      { tensors: [{ name: 'w.F32', left: nan, right }] },
      'OPTION_INVALID',
      { factor: 'left', index: 2 },
    ],
    ['a vector', { tensors: [{ name: 'norm', left, right }] }, 'TENSOR_UNSUPPORTED', { tensor: 'norm', dimensions: 1 }],
    [
      'a stack of matrices as one',
      { tensors: [{ name: 'experts', left, right }] },
      'OPTION_INVALID',
      { tensor: 'experts', nExperts: 1, expected: 2 },
    ],
    [
      'a type that has no kernel',
      { tensors: [{ name: 'coded', left, right }] },
      'TENSOR_UNSUPPORTED',
      { tensor: 'coded', type: 'IQ3_S' },
    ],
    ["someone else's key", { metadata: { 'general.name': 'x' } }, 'OPTION_INVALID', { key: 'general.name' }],
    ['a key we write ourselves', { metadata: { 'rosi.checksum': 'x' } }, 'OPTION_INVALID', { key: 'rosi.checksum' }],
  ])('%s', async (_, request, code, details) => {
    tinyGguf(model).write(source);
    await expect(update(request)).rejects.toMatchObject({ code, details });
    expect(files()).toEqual(['source.gguf']);
  });

  test('a damaged source', async () => {
    tinyGguf(model).truncate(100).write(source);
    await expect(update()).rejects.toMatchObject({ code: 'GGUF_INVALID', details: { tensor: 'coded' } });
    expect(files()).toEqual(['source.gguf']);
  });
});

describe('the output', () => {
  beforeEach(() => tinyGguf(model).write(source));
  const taken = () => writeFileSync(output, 'taken');

  test('is not replaced', async () => {
    taken();
    await expect(update()).rejects.toMatchObject({ code: 'OUTPUT_EXISTS', details: { path: output } });
    expect(readFileSync(output, 'utf8')).toBe('taken');
  });

  test('is not replaced when it appears while the update runs', async () => {
    const running = update();
    taken(); // nearly always before the worker's last look, and harmless when it is before the first
    await expect(running).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' });
    expect(readFileSync(output, 'utf8')).toBe('taken');
    expect(files()).toEqual(['output.gguf', 'source.gguf']);
  });

  test('is replaced when asked, and only then', async () => {
    taken();
    await update({ overwrite: true });
    expect(readGguf(output).tensors.size).toBe(model.tensors!.length);
  });

  test('survives a failure of the update that was to replace it', async () => {
    taken();
    await expect(update({ overwrite: true, tensors: [factors('v')] })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
    expect(readFileSync(output, 'utf8')).toBe('taken');
  });

  test('takes the place of a link, not of what it leads to', async () => {
    writeFileSync(join(folder, 'elsewhere'), 'kept');
    symlinkSync('elsewhere', output);
    await expect(update()).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' });
    await update({ overwrite: true });
    expect(readFileSync(join(folder, 'elsewhere'), 'utf8')).toBe('kept');
    expect(readGguf(output).version).toBe(3);
  });

  test('may not be a link that leads nowhere, unless asked', async () => {
    symlinkSync('nowhere', output);
    await expect(update()).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' });
    await update({ overwrite: true });
    expect(existsSync(join(folder, 'nowhere'))).toBe(false);
  });

  test.each([
    ['by its name', () => (output = source)],
    ['by another path', () => (output = join(folder, '..', basename(folder), 'source.gguf'))],
    ['by a symbolic link', () => symlinkSync(source, output)],
    ['by a hard link', () => linkSync(source, output)],
  ])('is never the source, %s', async (_, lead) => {
    lead();
    const before = readFileSync(source);
    for (const overwrite of [false, true]) {
      await expect(update({ overwrite })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
        details: { option: 'output' },
      });
    }
    expect(readFileSync(source)).toEqual(before);
    expect(files().filter((name) => name.includes('.partial'))).toEqual([]);
  });

  test.each([
    ['a folder', () => (output = folder)],
    ['a device', () => (output = '/dev/null')],
    ['no name', () => (output = `${folder}/`)],
    ['a zero byte', () => (output = `${output}\0`)],
  ])('is never %s', async (_, choose) => {
    choose();
    await expect(update({ overwrite: true })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    expect(files()).toEqual(['source.gguf']);
  });

  test('needs a folder and a name that the system takes', async () => {
    await expect(update({ output: join(folder, 'none', 'x.gguf') })).rejects.toMatchObject({
      code: 'FILE_FAILED',
      details: { reason: 'No such file or directory' },
    });
    await expect(update({ output: join(folder, 'x'.repeat(255)) })).rejects.toMatchObject({
      code: 'FILE_FAILED',
      details: { reason: 'File name too long' },
    });
    expect(files()).toEqual(['source.gguf']);
  });
});

describe('a stopped update leaves nothing behind', () => {
  const names = ['w0', 'w1', 'w2', 'w3'];
  const big = join(temporaryFolder(), 'big.gguf');
  beforeAll(() => {
    const one = tinyGguf({ tensors: [{ name: 'w', type: 'Q4_K', shape: [4096, 128] }] });
    const bytes = Buffer.concat(Array(4).fill(one.bytes.subarray(one.place('data'))));
    tinyGguf({ tensors: names.map((name) => ({ name, type: 'Q4_K', shape: [4096, 512], bytes })) }).write(big);
  });
  const request = () => ({
    tensors: names.map((name) => ({
      name,
      left: new Float32Array(512).fill(0.01),
      right: new Float32Array(4096).fill(0.01),
    })),
  });
  beforeEach(() => copyFileSync(big, source));

  test('before it starts', async () => {
    await expect(update(request(), AbortSignal.abort())).rejects.toMatchObject({ code: 'ABORTED' });
    expect(files()).toEqual(['source.gguf']);
  });

  test('at once', async () => {
    const controller = new AbortController();
    const running = update(request(), controller.signal);
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
    expect(files()).toEqual(['source.gguf']);
  });

  test.each([1, 2, 3])('in the middle, within a second, with %i threads', async (threads) => {
    const controller = new AbortController();
    let stopped = 0;
    let partial: string[] = [];
    const running = update({ ...request(), threads }, controller.signal, (done) => {
      if (done < 0.2 || stopped > 0) return;
      partial = files().filter((name) => name.startsWith('output.gguf.partial-'));
      controller.abort();
      stopped = Date.now();
    });
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
    expect(Date.now() - stopped).toBeLessThan(1000);
    expect(partial).toHaveLength(1);
    expect(files()).toEqual(['source.gguf']);
  });

  test('and the file it was to replace as it was', async () => {
    writeFileSync(output, 'kept');
    const controller = new AbortController();
    const running = update({ ...request(), overwrite: true }, controller.signal, () => controller.abort());
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
    expect(readFileSync(output, 'utf8')).toBe('kept');
    rmSync(output);
    expect(files()).toEqual(['source.gguf']);
  });
});
