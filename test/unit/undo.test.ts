import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { applyUpdate, revert, writeUndo, type Progress } from '../../lib';
import { everyType as model, everyTypePlan as plan } from '../helpers/every-type';
import { folderPerTest } from '../helpers/temporary';
import { tinyGguf, type TinyOptions } from '../helpers/tiny-gguf';
import { finished, library } from '../helpers/command';

const ownFolder = folderPerTest();
let folder: string;
let source: string;
let hardened: string;
let undo: string;
let restored: string;
beforeEach(() => {
  folder = ownFolder();
  [source, hardened, undo, restored] = ['s.gguf', 'h.gguf', 'h.gguf.undo', 'r.gguf'].map((name) =>
    join(folder, name),
  ) as [string, string, string, string];
});

async function harden(options: TinyOptions = model): Promise<number> {
  tinyGguf(options).write(source);
  await applyUpdate(source, plan, { output: hardened });
  return writeUndo(source, hardened, undo);
}
const left = () => readdirSync(folder).sort();

describe('revert', () => {
  test('gives back the source, byte for byte, of every type', async () => {
    const bytes = await harden();
    expect(readFileSync(hardened)).not.toEqual(readFileSync(source));
    expect(readFileSync(undo)).toHaveLength(bytes);
    const result = await revert(hardened, { output: restored });
    expect(readFileSync(restored).equals(readFileSync(source))).toBe(true);
    expect(result.bytes).toBe(readFileSync(source).length);
    expect(left()).toEqual(['h.gguf', 'h.gguf.undo', 'r.gguf', 's.gguf']);
  });

  test('needs little more than what changed', async () => {
    const options = {
      ...model,
      tensors: [...model.tensors!, { name: 'big', type: 'Q8_0' as const, shape: [512, 4000] }],
    };
    const bytes = await harden(options);
    expect(bytes).toBeLessThan(0.15 * readFileSync(source).length);
  });

  test('tells of its progress and stops', async () => {
    await harden();
    const heard: Progress[] = [];
    await revert(hardened, { output: restored, onProgress: (progress) => heard.push(progress) });
    expect(heard.at(-1)).toMatchObject({ stage: 'revert', done: 1, unit: 'bytes' });
    const before = left();
    const controller = new AbortController();
    const options = { output: join(folder, 'other'), signal: controller.signal, onProgress: () => controller.abort() };
    await expect(revert(hardened, options)).rejects.toMatchObject({ code: 'ABORTED' });
    expect(left()).toEqual(before);
  });

  test('refuses a hardened file that was changed since', async () => {
    await harden();
    const bytes = readFileSync(hardened);
    bytes[bytes.length - 100]! ^= 1;
    writeFileSync(hardened, bytes);
    await expect(revert(hardened, { output: restored })).rejects.toMatchObject({ code: 'UNDO_INVALID' });
    expect(left()).toEqual(['h.gguf', 'h.gguf.undo', 's.gguf']);
  });

  test('refuses the undo file of another', async () => {
    await harden();
    const other = { ...plan, tensors: plan.tensors.slice(1) };
    await applyUpdate(source, other, { output: hardened, overwrite: true });
    const refused = { code: 'UNDO_INVALID', details: { undo, hardened } };
    await expect(revert(hardened, { output: restored })).rejects.toMatchObject(refused);
  });

  test('refuses what rosi did not write, and outputs that exist or are inputs', async () => {
    await harden();
    await expect(revert(source, { undo, output: restored })).rejects.toMatchObject({ code: 'RECORD_MISSING' });
    await expect(revert(hardened, { output: source })).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' });
    for (const output of [hardened, undo])
      await expect(revert(hardened, { output, overwrite: true })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    await revert(hardened, { output: source, overwrite: true });
    await expect(revert(hardened, { undo: join(folder, 'none'), output: restored })).rejects.toMatchObject({
      code: 'FILE_FAILED',
    });
    for (const input of [source, hardened])
      await expect(writeUndo(source, hardened, input, { overwrite: true })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
      });
    await expect(writeUndo(source, source, join(folder, 'u'))).rejects.toMatchObject({ code: 'RECORD_MISSING' });
    await expect(writeUndo(source, hardened, undo)).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' });
    expect(left()).toEqual(['h.gguf', 'h.gguf.undo', 's.gguf']);
  });

  test('no undo file is left of a source that is not the one', async () => {
    await harden();
    await expect(
      writeUndo(source, hardened, join(folder, 'u'), { sourceSha256: 'a'.repeat(64) }),
    ).rejects.toMatchObject({ code: 'UNDO_INVALID' });
    expect(left()).toEqual(['h.gguf', 'h.gguf.undo', 's.gguf']);
  });
});

interface Index {
  source: { bytes: number };
  parts?: Part[];
}
interface Part {
  kind: string;
  bytes: number;
  from: number;
  packed: number;
}

describe('a damaged undo file', () => {
  const damage = (change: (index: Index) => void) => {
    const bytes = readFileSync(undo);
    const end = bytes.length - 12;
    const length = Number(bytes.readBigUInt64LE(end - 8));
    const index = JSON.parse(bytes.toString('utf8', end - 8 - length, end - 8)) as Index;
    change(index);
    const json = Buffer.from(JSON.stringify(index));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(json.length));
    writeFileSync(undo, Buffer.concat([bytes.subarray(0, end - 8 - length), json, size, bytes.subarray(end)]));
  };
  const packed = (index: Index) => index.parts!.find((part) => part.kind === 'xor')!;
  test.each<[string, () => void]>([
    ['empty', () => truncateSync(undo, 0)],
    ['shorter by a byte', () => truncateSync(undo, readFileSync(undo).length - 1)],
    ['without its beginning', () => writeFileSync(undo, readFileSync(undo).subarray(1))],
    [
      'with another byte in a piece',
      () => {
        const bytes = readFileSync(undo);
        bytes[bytes.length >> 3]! ^= 0xff;
        writeFileSync(undo, bytes);
      },
    ],
    [
      'with an index of another length',
      () => {
        const bytes = readFileSync(undo);
        bytes.writeBigUInt64LE(2n ** 60n, bytes.length - 20);
        writeFileSync(undo, bytes);
      },
    ],
    ['with an index that says nothing', () => damage((index) => delete index.parts)],
    ['with a place outside the file', () => damage((index) => (packed(index).from = 2 ** 40))],
    ['with a piece that grows', () => damage((index) => (packed(index).bytes += 1))],
    ['with a huge piece', () => damage((index) => ([packed(index).bytes, index.source.bytes] = [2 ** 40, 2 ** 40]))],
    ['with a part of no kind', () => damage((index) => (packed(index).kind = 'and'))],
    ['with a negative length', () => damage((index) => (packed(index).packed = -1))],
  ])('%s is refused, and nothing is written', async (_, change) => {
    await harden();
    change();
    const failed = { code: 'UNDO_INVALID' };
    await expect(revert(hardened, { output: restored })).rejects.toMatchObject(failed);
    expect(left()).toEqual(['h.gguf', 'h.gguf.undo', 's.gguf']);
  });
});

describe('rosi revert', () => {
  test('passes on what it is told and prints what it wrote', async () => {
    const lib = library();
    const { out, status } = await finished(['revert', 'h.gguf', '-o', 'm.gguf', '--undo', 'u', '--overwrite'], lib);
    expect(status).toBe(0);
    expect(lib.calls[0]).toMatchObject({
      name: 'revert',
      args: ['h.gguf', { output: 'm.gguf', undo: 'u', overwrite: true }],
    });
    expect(out).toMatch(/^m\.gguf {2}5\.00 kB, SHA-256 abab.*: the original, byte for byte$/mu);
    const json = await finished(['revert', 'h.gguf', '-o', 'm.gguf', '--json']);
    expect(JSON.parse(json.out)).toEqual({ output: 'm.gguf', sha256: 'ab'.repeat(32), bytes: 5000 });
  });
  test('asks for an output', async () => {
    expect((await finished(['revert', 'h.gguf'])).status).toBe(2);
  });
});
