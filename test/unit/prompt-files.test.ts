import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { readPrompts, readPromptSet } from '../../lib/prompt-files';
import { temporaryFolder } from '../helpers/temporary';

const folder = temporaryFolder();

let files = 0;
function file(extension: string, content: string | Uint8Array): string {
  const path = join(folder, `${++files}${extension}`);
  writeFileSync(path, content);
  return path;
}
const json = (value: unknown) => file('.json', JSON.stringify(value));
const fails = (code: string, details: object) => ({ code, details: expect.objectContaining(details) as unknown });

describe('readPrompts', () => {
  test('reads .txt: one a line, blank lines skipped, # is text like any other', async () => {
    const path = file('.txt', '\ufeffFirst, with "quotes"\r\n\r\n  # second\u2003\n\t\nthird');
    expect(await readPrompts(path)).toEqual(['First, with "quotes"', '# second', 'third']);
  });
  test('reads .json: strings and objects, the first known field', async () => {
    const path = json([
      'one',
      { text: 'no', prompt: 'two\n' },
      { goal: 'three', target: 'Sure' },
      { question: 'four' },
    ]);
    expect(await readPrompts(path)).toEqual(['one', 'two\n', 'three', 'four']);
  });
  test('joins an instruction with its input', async () => {
    const path = json([
      { instruction: 'Sort these.', input: 'b a' },
      { instruction: 'Sing.', input: '' },
    ]);
    expect(await readPrompts(path)).toEqual(['Sort these.\n\nb a', 'Sing.']);
  });
  test.each(['.jsonl', '.ndjson', '.JSONL'])('reads %s', async (extension) => {
    expect(await readPrompts(file(extension, '{"prompt": "one"}\n\n"two"\r\n'))).toEqual(['one', 'two']);
  });
  test('reads .csv: quoted cells with commas, quotes and line ends', async () => {
    const path = file('.csv', 'id,Goal,goal\n1,x,"Say ""hi"",\nthen leave"\n2,y,Go\n,,\n');
    expect(await readPrompts(path)).toEqual(['Say "hi",\nthen leave', 'Go']);
  });
  test('reads .tsv', async () => {
    expect(await readPrompts(file('.tsv', 'n\tquestion\n1\tWhy, then?\n'))).toEqual(['Why, then?']);
  });
  test('reads the field that is named', async () => {
    expect(await readPrompts(file('.csv', 'prompt,Behavior\nno,yes\n'), { field: 'Behavior' })).toEqual(['yes']);
    expect(await readPrompts(json([{ prompt: 'no', forbidden: 'yes' }]), { field: 'forbidden' })).toEqual(['yes']);
  });
  test('does not mind columns that happen to be called role or split', async () => {
    expect(await readPrompts(file('.csv', 'role,split,prompt\nuser,train,Hi\n'))).toEqual(['Hi']);
  });

  test.each([
    ['a line of .jsonl that is no JSON', '.jsonl', '"one"\n\n{"prompt": ', { line: 3 }],
    ['a line of .jsonl without a prompt', '.jsonl', '"one"\n{"id": 1}', { line: 2 }],
    ['.json that breaks off', '.json', '[\n "one",\n "tw', {}],
    ['an item of the wrong kind', '.json', '["one", 2]', { item: 2 }],
    ['a field of the wrong kind', '.json', '[{"prompt": ["one"]}]', { item: 1 }],
    ['an empty prompt', '.json', '["one", " "]', { item: 2 }],
    ['no prompts', '.json', '[]', {}],
    ['an object that is no set', '.json', '{"data": []}', {}],
    ['a number', '.json', '7', {}],
    ['an empty file', '.txt', '\n \n', {}],
    ['a table without a known column', '.csv', 'id,behaviour\n1,x\n', { line: 2 }],
    ['an empty cell', '.csv', 'id,prompt\n1,x\n2,\n', { line: 3 }],
    ['a row with too many cells', '.csv', 'prompt\nx\ny,z\n', { line: 3 }],
    ['a quote that is not closed', '.csv', 'prompt\n"x\ny\n', {}],
    ['an unknown format', '.yaml', '- one', {}],
    ['no extension', '', 'one', {}],
    ['the file of a whole set', '.json', '{"harmful": ["one"], "harmless": ["two"]}', {}],
    ['items with roles', '.json', '[{"role": "harmful", "prompt": "one"}]', {}],
  ])('refuses %s, and says where', async (_, extension, content, place) => {
    const path = file(extension, content);
    const reading = readPrompts(path);
    await expect(reading).rejects.toMatchObject(fails('PROMPTS_INVALID', { path, ...place }));
    const line = 'line' in place ? `:${place.line}` : 'item' in place ? `, item ${place.item}` : '';
    await expect(reading).rejects.toThrow(`${path}${line}`);
  });
  test('names the fields it looked for and those it found', async () => {
    await expect(readPrompts(file('.csv', 'id,behaviour\n1,x\n'))).rejects.toThrow(
      /instruction, goal.*found id, behaviour/u,
    );
  });
  test('refuses what is not UTF-8', async () => {
    const path = file('.txt', Buffer.from('caf\xe9', 'latin1'));
    await expect(readPrompts(path)).rejects.toMatchObject(fails('PROMPTS_INVALID', { path }));
  });
  test('says when a file is not there', async () => {
    const path = join(folder, 'missing.txt');
    await expect(readPrompts(path)).rejects.toMatchObject(fails('FILE_FAILED', { path, reason: 'ENOENT' }));
  });
});

describe('readPromptSet', () => {
  const set = { harmful: ['a'], harmless: ['b', 'c'], borderline: ['d'] };

  test('reads an object of roles, of strings or objects', async () => {
    expect(await readPromptSet(json({ ...set, harmful: [{ goal: 'a' }] }))).toEqual(set);
    expect(await readPromptSet(json({ harmful: ['a'], harmless: ['b'] }))).toEqual({
      harmful: ['a'],
      harmless: ['b'],
      borderline: [],
    });
  });
  test('reads an object of splits', async () => {
    const split = { fit: set, validation: { ...set, harmful: ['e'] }, test: { ...set, harmful: ['f'] } };
    expect(await readPromptSet(json(split))).toEqual(split);
  });
  test('reads a list with roles', async () => {
    const path = file('.csv', 'role,prompt\nharmful,a\nharmless,b\nborderline,d\nharmless,c\n');
    expect(await readPromptSet(path)).toEqual(set);
  });
  test('reads a list with roles and splits', async () => {
    const rows = [
      { role: 'harmful', split: 'fit', prompt: 'a' },
      { role: 'harmful', split: 'test', prompt: 'b' },
      { role: 'borderline', split: 'validation', prompt: 'c' },
    ];
    expect(await readPromptSet(file('.jsonl', rows.map((row) => JSON.stringify(row)).join('\n')))).toEqual({
      fit: { harmful: ['a'], harmless: [], borderline: [] },
      validation: { harmful: [], harmless: [], borderline: ['c'] },
      test: { harmful: ['b'], harmless: [], borderline: [] },
    });
  });
  test('names every role that is none of ours, with how many prompts have it', async () => {
    const rows = ['harmful', 'jailbreak', 'harmless', 'jailbreak', 'system'].map((role) => ({ role, prompt: role }));
    const reading = readPromptSet(json(rows));
    await expect(reading).rejects.toThrow(
      /, item 2: the roles are harmful, harmless, borderline; found also "jailbreak" \(2 prompts\), "system" \(1 prompt\)/u,
    );
    await expect(reading).rejects.toMatchObject(
      fails('PROMPTS_INVALID', { item: 2, roles: { harmful: 1, jailbreak: 2, harmless: 1, system: 1 } }),
    );
  });
  test.each([
    ['a prompt without a role', '.csv', 'role,prompt\nharmful,a\n,b\n', { line: 3 }],
    ['an unknown role', '.jsonl', '{"role": "bad", "prompt": "a"}', { line: 1 }],
    ['an unknown split', '.json', '[{"role": "harmful", "split": "train", "prompt": "a"}]', { item: 1 }],
    ['splits for some', '.csv', 'role,split,prompt\nharmful,fit,a\nharmless,,b\n', {}],
    ['a list without roles', '.txt', 'a\nb\n', { line: 1 }],
    ['a role that is no list', '.json', '{"harmful": "a"}', {}],
    ['a split that is no set', '.json', '{"fit": 1, "validation": 2, "test": 3}', {}],
  ])('refuses %s', async (_, extension, content, place) => {
    const path = file(extension, content);
    await expect(readPromptSet(path)).rejects.toMatchObject(fails('PROMPTS_INVALID', { path, ...place }));
  });
});
