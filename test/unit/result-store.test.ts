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
