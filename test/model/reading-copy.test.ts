import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { harden, inspect, ModelSession, verifyUpdate } from '../../lib';
import { cacheFolder } from '../../lib/cache-folder';
import { divergence, logProbabilities } from '../../lib/first-token';
import { native, runTask, type NativeReadingCopy } from '../../lib/native';
import { readingCopy } from '../../lib/reading-copy';
import { kernels } from '../helpers/kernels';
import { splitGguf, splitPaths } from '../helpers/split-gguf';
import { temporaryFolder } from '../helpers/temporary';
import { tinyChat, tinyPrompts } from '../helpers/tiny-chat';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const fileTypes = { Q5_0: 8, Q3_K: 11, IQ4_NL: 25 };
const copies = join(cacheFolder(), 'reading');
// What two processors' code of the engine differ by on such a model is some thousandths (scripts/reading-copy.mjs).
const mostDrift = 0.01;
const left = () => (existsSync(copies) ? readdirSync(copies) : []);

beforeAll(() => {
  for (const [type, fileType] of Object.entries(fileTypes)) kernels._engineQuantize(tinyChat, at(type), fileType, 1);
  kernels._engineQuantize(tinyChat, at('Q4_K'), 14, 1);
});
afterEach(() => void delete process.env.ROSI_READING_COPY);

/** With the copy or without. */
async function open(path: string, copy: boolean): Promise<ModelSession> {
  process.env.ROSI_READING_COPY = copy ? '1' : '0';
  const session = await ModelSession.open(path, { threads: 1 });
  expect(session.info.readsCopy).toBe(copy);
  return session;
}

async function logitsOf(session: ModelSession): Promise<Float32Array[]> {
  const prompts = tinyPrompts(16).test.harmful.map((prompt) => session.encode(prompt));
  const logits = await session.nextTokenLogits(prompts);
  const { nVocab } = session.info;
  return prompts.map((_, i) => logProbabilities(logits.subarray(i * nVocab, (i + 1) * nVocab)));
}

describe.each(Object.keys(fileTypes))('a model in %s', (type) => {
  test('reads as its file does, within what the engine’s rounded activations let differ, and leaves nothing', async () => {
    const [file, copy] = [await open(at(type), false), await open(at(type), true)];
    const [a, b] = [await logitsOf(file), await logitsOf(copy)];
    for (const [i, row] of a.entries()) expect(divergence(row, b[i]!)).toBeLessThan(mostDrift);
    expect(left()).toEqual([]);
    expect(copy.info).toEqual({ ...file.info, readsCopy: true });
    const { writers } = await copy.graph();
    expect(writers).toEqual((await file.graph()).writers);
    expect(writers.map((writer) => writer.type.toUpperCase())).toContain(type);
    file.close();
    copy.close();
  });
});

test('there is no copy of a model whose types have no wider one', async () => {
  process.env.ROSI_READING_COPY = '1';
  const session = await ModelSession.open(at('Q4_K'), { threads: 1 });
  expect(session.info.readsCopy).toBe(false);
  session.close();
});

describe('the file itself is read', () => {
  const reads = async (readingCopy: NativeReadingCopy) => {
    const handle = await runTask(() => native.openSession(at('Q5_0'), { threads: 1, readingCopy }, () => {}));
    const { readsCopy } = native.sessionInfo(handle);
    native.closeHandle(handle);
    return readsCopy ? 'the copy' : 'the file';
  };
  const room = { folder: at('copies'), maxBytes: 2 ** 40, always: true };

  test('where a copy would be larger than it may be', async () => {
    expect(await reads({ ...room, maxBytes: readFileSync(at('Q5_0')).length })).toBe('the file');
    expect(await reads(room)).toBe('the copy');
  });

  test('where no folder for it can be made', async () => {
    expect(await reads({ ...room, folder: join(at('Q5_0'), 'in a file') })).toBe('the file');
  });

  test('where the folder takes no file', async () => {
    // A path as long as the system takes: a name in it is one too long, for a superuser, too.
    const names = Array.from({ length: 20 }, () => 'a'.repeat(200));
    const long = join(at('long'), ...names);
    expect(await reads({ ...room, folder: join(long, 'b'.repeat(4090 - long.length - 1)) })).toBe('the file');
    expect(existsSync(long)).toBe(true);
  });

  test('where no copy is wanted', async () => {
    process.env.ROSI_READING_COPY = '1';
    const session = await ModelSession.open(at('Q5_0'), { threads: 1, readingCopy: false });
    expect(session.info.readsCopy).toBe(false);
    session.close();
    expect(readingCopy({ ROSI_READING_COPY: '0' })).toBeUndefined();
  });
});

test('what is set by default: half of the memory there is, in the user’s cache folder, and nothing on Windows', () => {
  const env = { XDG_CACHE_HOME: '/cache' };
  const folder = join(cacheFolder(env), 'reading');
  expect(readingCopy(env, 1001, 'linux')).toEqual({ folder, maxBytes: 500, always: false });
  expect(readingCopy({ ...env, ROSI_READING_COPY: '1' }, 1001, 'linux')).toMatchObject({ always: true });
  expect(readingCopy(env, 1001, 'win32')).toBeUndefined();
});

test('a copy is its owner’s alone', async () => {
  (await open(at('Q5_0'), true)).close();
  expect(statSync(copies).mode & 0o777).toBe(0o700);
});

test('several at once, of one process', async () => {
  process.env.ROSI_READING_COPY = '1';
  const sessions = await Promise.all(
    ['Q5_0', 'Q3_K', 'Q5_0', 'IQ4_NL'].map((type) => ModelSession.open(at(type), { threads: 1 })),
  );
  expect(sessions.map(({ info }) => info.readsCopy)).toEqual([true, true, true, true]);
  expect(await logitsOf(sessions[2]!)).toEqual(await logitsOf(sessions[0]!));
  for (const session of sessions) session.close();
  expect(left()).toEqual([]);
});

test('a split model', async () => {
  splitGguf(at('Q5_0'), at('m'));
  const [file, copy] = [await open(splitPaths(at('m'), 3)[0]!, false), await open(splitPaths(at('m'), 3)[0]!, true)];
  const [a, b] = [await logitsOf(file), await logitsOf(copy)];
  for (const [i, row] of a.entries()) expect(divergence(row, b[i]!)).toBeLessThan(mostDrift);
  expect(left()).toEqual([]);
  file.close();
  copy.close();
});

test('what a killed process left goes, whatever it was of, also where there is no room for another copy', async () => {
  mkdirSync(copies, { recursive: true });
  const names = ['reading.gguf.partial-999999-01234567', 'reading.partial-999999-01234567-00002-of-00003.gguf'];
  for (const name of names) writeFileSync(join(copies, name), 'left');
  expect(left()).toHaveLength(2);
  const readingCopy = { folder: copies, maxBytes: 0, always: true };
  native.closeHandle(await runTask(() => native.openSession(at('Q5_0'), { threads: 1, readingCopy }, () => {})));
  expect(left()).toEqual([]);
});

test('stopping while it is made leaves nothing', async () => {
  process.env.ROSI_READING_COPY = '1';
  const controller = new AbortController();
  const onProgress = () => controller.abort();
  await expect(
    ModelSession.open(at('Q5_0'), { threads: 1, onProgress, signal: controller.signal }),
  ).rejects.toMatchObject({ code: 'ABORTED' });
  expect(left()).toEqual([]);
});

test('a model is hardened by what was read of its copy: the file is of the source, and verified', async () => {
  process.env.ROSI_READING_COPY = '1';
  const output = at('hardened.gguf');
  const how = { layer: 3, layers: [3, 5], strength: 2.2, evaluate: 'none', threads: 1, seed: 1, cache: false } as const;
  const report = await harden(at('Q5_0'), tinyPrompts(32), { ...how, output });
  expect(report.tensors.map((tensor) => tensor.type)).toContain('Q5_0');
  const types = async (path: string) => (await inspect(path)).tensors.map(({ name, type }) => [name, type]);
  expect(await types(output)).toEqual(await types(at('Q5_0')));
  expect(await verifyUpdate(at('Q5_0'), output)).toMatchObject({ ok: true, unplannedDifferences: [] });
  const { shift } = report.fidelity!;
  expect(Math.abs(shift.file / shift.exact - 1)).toBeLessThan(0.2);
});
