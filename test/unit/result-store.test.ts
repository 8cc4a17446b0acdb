import { appendFileSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { ResultStore } from '../../lib/result-store';
import { folderPerTest } from '../helpers/temporary';

const ownFolder = folderPerTest();
const isText = (value: unknown): value is string => typeof value === 'string';
const open = (folder: string | null, identity = 'model A') => ResultStore.open(folder, 'answers', identity, isText);
const fileIn = (folder: string) => join(folder, 'answers', readdirSync(join(folder, 'answers'))[0]!);

describe('ResultStore', () => {
  test('finds in a later run what an earlier one stored', () => {
    const folder = ownFolder();
    open(folder).add([
      ['a', 'first'],
      ['b', 'second'],
    ]);
    open(folder).add([['c', 'third\nof two lines']]);
    const later = open(folder);
    expect(['a', 'b', 'c', 'd'].map((key) => later.get(key))).toEqual([
      'first',
      'second',
      'third\nof two lines',
      undefined,
    ]);
  });

  test('keeps results of other identities apart', () => {
    const folder = ownFolder();
    open(folder).add([['a', 'first']]);
    expect(open(folder, 'model B').get('a')).toBeUndefined();
  });

  test.each([1, 10, 40])('a line that lacks its last %i bytes counts as not written, and later ones do', (lost) => {
    const folder = ownFolder();
    open(folder).add([['a', 'first']]);
    const whole = readFileSync(fileIn(folder)).length;
    open(folder).add([
      ['b', 'second'],
      ['c', 'third'],
    ]);
    truncateSync(fileIn(folder), readFileSync(fileIn(folder)).length - 1 - lost);
    const after = open(folder);
    expect(readFileSync(fileIn(folder)).length).toBeGreaterThan(whole);
    expect(['a', 'b', 'c'].map((key) => after.get(key))).toEqual(['first', undefined, undefined]);
    after.add([['d', 'fourth']]);
    expect(open(folder).get('d')).toBe('fourth');
  });

  test('what is no result is not there', () => {
    const folder = ownFolder();
    open(folder).add([['a', 'first']]);
    const lines = [
      'not JSON',
      'null',
      '{"identity":"model A"}',
      '{"identity":"model B","results":[["x","y"]]}',
      '{"identity":"model A","results":[["x",5],"y",[1,"z"],["w","taken"]]}',
    ];
    appendFileSync(fileIn(folder), `${lines.join('\n')}\n`);
    const store = open(folder);
    expect(['a', 'x', 'y', 'z', 'w'].map((key) => store.get(key))).toEqual([
      'first',
      undefined,
      undefined,
      undefined,
      'taken',
    ]);
  });

  test('makes what is missing in batches, each key once, and goes on after the last whole one', async () => {
    const folder = ownFolder();
    const keys = ['a', 'b', 'a', 'c', 'd', 'e'];
    const items = keys.map((key) => key.toUpperCase());
    open(folder).add([['b', 'stored']]);
    const asked: string[][] = [];
    const make = (stopAt: string) => (batch: string[], place: { from: number; to: number; total: number }) => {
      asked.push([...batch, `${place.from}-${place.to}/${place.total}`]);
      return batch.includes(stopAt)
        ? Promise.reject(new Error('stopped'))
        : Promise.resolve(batch.map((one) => `${one}!`));
    };
    const first = open(folder);
    await expect(first.fill(first.missing(items, keys), { atOnce: 2 }, make('D'))).rejects.toThrow('stopped');
    const later = open(folder);
    await later.fill(later.missing(items, keys), { atOnce: 2 }, make(''));
    expect(asked).toEqual([
      ['A', 'C', '1-2/4'],
      ['D', 'E', '3-4/4'],
      ['D', 'E', '1-2/2'],
    ]);
    expect(keys.map((key) => later.get(key))).toEqual(['A!', 'stored', 'A!', 'C!', 'D!', 'E!']);
    const { signal } = new AbortController();
    const aborted = AbortSignal.abort();
    const more = later.missing(['F'], ['f']);
    await expect(later.fill(more, { atOnce: 2, signal: aborted }, make(''))).rejects.toMatchObject({ code: 'ABORTED' });
    await later.fill(more, { atOnce: 2, signal }, make(''));
    expect(open(folder).get('f')).toBe('F!');
  });

  test('without a folder it keeps results for the run alone', () => {
    const store = open(null);
    store.add([['a', 'first']]);
    expect([store.get('a'), open(null).get('a')]).toEqual(['first', undefined]);
  });

  test('a folder that can not be made is a typed error', () => {
    const file = join(ownFolder(), 'file');
    writeFileSync(file, '');
    expect(() => open(file)).toThrow(expect.objectContaining({ code: 'FILE_FAILED' }));
  });
});
