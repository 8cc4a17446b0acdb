import { readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { keptReading } from '../../lib/kept-reading';
import type { Rows } from '../../lib/capture';
import type { Push } from '../../lib/push';
import type { Reading } from '../../lib/reading';
import { noise } from '../helpers/reference';
import { folderPerTest } from '../helpers/temporary';

const folder = folderPerTest();
const [nLayer, dModel] = [2, 4];
const rows = (count: number, seed: number): Rows => ({
  count,
  width: nLayer * dModel,
  data: noise(count * nLayer * dModel, seed),
});
const push = (changes: Partial<Push>): Push => ({
  writer: { name: 'blk.0.ffn_down.weight', layer: 0, nIn: 6, nOut: dModel, nExperts: 1 } as Push['writer'],
  right: noise(6, 4),
  inputs: { meanSquares: noise(6, 5), responseRms: 1.25e-7 },
  sharing: [],
  gains: null,
  expertScale: null,
  reach: 1,
  measured: false,
  ...changes,
});
const sample = (seed = 1): Reading => ({
  chosen: { rho: 0.3, detection: [{ rho: 0.3, auroc: 0.987654321 }] },
  streams: {
    nLayer,
    dModel,
    streams: { harmful: rows(3, seed), harmless: rows(5, seed + 1), borderline: rows(0, seed + 2) },
  },
  pushes: [
    push({}),
    push({
      gains: noise(dModel, 6),
      expertScale: noise(2, 7),
      sharing: [1],
      reach: -0.25,
      measured: true,
      inputs: null,
    }),
  ],
});
const files = () => readdirSync(join(folder(), 'readings')).sort();
const place = (name = files()[0]!) => join(folder(), 'readings', name);

/** Whether it had to be read, and what came. */
async function ask(identity = 'a', reading = sample(), bounds?: { one: number; all: number }) {
  let read = false;
  const got = await keptReading(folder(), identity, () => Promise.resolve(((read = true), reading)), bounds);
  return { read, got };
}

test('what was read once is not read again, and is the same to the last bit', async () => {
  expect(await ask()).toEqual({ read: true, got: sample() });
  expect(await ask('a', sample(9))).toEqual({ read: false, got: sample() });
  expect(await ask('b', sample(9))).toEqual({ read: true, got: sample(9) });
  expect(files()).toHaveLength(2);
});

test.each<[string, (file: Buffer) => Buffer]>([
  ['is cut', (file) => file.subarray(0, -1)],
  ['goes on', (file) => Buffer.concat([file, Buffer.alloc(4)])],
  ['is empty', () => Buffer.alloc(0)],
  ['has a header beyond its end', (file) => (file.writeUInt8(255, 5), file)],
  ['has no metadata', (file) => Buffer.from(file.toString('latin1').replace('__metadata__', '__metadate__'), 'latin1')],
  ['is of another identity', (file) => Buffer.from(file.toString('latin1').replace('"a"', '"c"'), 'latin1')],
  ['has other tensors', (file) => Buffer.from(file.toString('latin1').replace('"0.right"', '"0.wrong"'), 'latin1')],
  ['has another value', (file) => (file.writeUInt8(file.at(-2)! ^ 1, file.length - 2), file)],
  ['has another shape', (file) => Buffer.from(file.toString('latin1').replace('[3,8]', '[3,9]'), 'latin1')],
])('a file that %s is read anew and mended', async (_, damage) => {
  await ask();
  const whole = readFileSync(place());
  const damaged = damage(Buffer.from(whole));
  expect(damaged.equals(whole)).toBe(false);
  writeFileSync(place(), damaged);
  expect(await ask()).toEqual({ read: true, got: sample() });
  expect(readFileSync(place()).equals(whole)).toBe(true);
  expect((await ask()).read).toBe(false);
});

test('the one that was used longest ago makes room; one that is too large is not kept', async () => {
  await ask('a');
  const bytes = readFileSync(place()).length;
  expect((await ask('big', sample(), { one: 10, all: 1e9 })).read).toBe(true);
  expect(files()).toHaveLength(1);
  const two = { one: bytes, all: 2.5 * bytes };
  writeFileSync(place('x.partial-1'), 'left behind');
  utimesSync(place('x.partial-1'), 1, 1);
  const [a] = files();
  utimesSync(place(a), 1, 1);
  await ask('b', sample(), two);
  const b = files().find((name) => name !== a)!;
  utimesSync(place(b), 2, 2);
  expect((await ask('a', sample(), two)).read).toBe(false); // used now
  await ask('c', sample(), two);
  expect(files()).toContain(a);
  expect(files()).not.toContain(b);
  expect(files()).toHaveLength(2);
});

test('inputs whose response is no number stay so', async () => {
  const odd = { ...sample(), pushes: [push({ inputs: { meanSquares: noise(6, 5), responseRms: NaN } })] };
  await ask('a', odd);
  expect(await ask('a')).toEqual({ read: false, got: odd });
});

test('where nothing can be kept, it is read each time', async () => {
  writeFileSync(join(folder(), 'readings'), 'a file');
  expect(await ask()).toEqual({ read: true, got: sample() });
  expect(await ask()).toEqual({ read: true, got: sample() });
});
