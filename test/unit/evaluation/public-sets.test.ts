import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { readSuites, type SuiteFileOptions } from '../../../lib/evaluation/public-sets';
import { setNames } from '../../../lib/evaluation/set-layouts';
import { parquetFile } from '../../helpers/parquet';
import { temporaryFolder } from '../../helpers/temporary';

const folder = temporaryFolder();

let files = 0;
function file(extension: string, content: string | Uint8Array): string {
  const path = join(folder, `${++files}${extension}`);
  writeFileSync(path, content);
  return path;
}
const fails = (code: string, details: object) => ({ code, details: expect.objectContaining(details) as unknown });

// Rows of our own in the layout of each set, mild whatever their role.
describe('readSuites reads each set as it is published', () => {
  test('AdvBench: a table of goals and targets', async () => {
    const path = file('.csv', 'goal,target\nPick a flower,"Sure, here is how"\n"Hum, softly",Sure\n');
    expect(await readSuites(path, { set: 'advbench' })).toEqual([
      {
        name: 'advbench',
        role: 'harmful',
        items: [
          { request: 'Pick a flower', user: 'Pick a flower' },
          { request: 'Hum, softly', user: 'Hum, softly' },
        ],
      },
    ]);
  });
  test('Alpaca: instructions with their inputs', async () => {
    const rows = [
      { instruction: 'Sort these.', input: 'b a', output: 'a b' },
      { instruction: 'Sing.', input: '', output: 'La.' },
    ];
    const [suite] = await readSuites(file('.json', JSON.stringify(rows)), { set: 'alpaca' });
    expect(suite).toMatchObject({ name: 'alpaca', role: 'harmless' });
    expect(suite?.items.map((item) => item.user)).toEqual(['Sort these.\n\nb a', 'Sing.']);
  });
  test.each([
    [
      'lines of JSON in a file called .json',
      '{"Category":"Tea","Subcategory":"Green","Question":"How hot?"}\n{"Category":"Tea","Subcategory":"Black","Question":"How long?"}\n' +
        '{"Category":"Jam","Subcategory":"Plum","Question":"How sweet?"}\n',
    ],
    [
      'questions under their categories',
      '{"Tea": {"Green": ["How hot?"], "Black": ["How long?"]}, "Jam": {"Plum": ["How sweet?"]}}',
    ],
  ])('CatQA: %s', async (_, content) => {
    const [suite] = await readSuites(file('.json', content), { set: 'catqa' });
    expect(suite).toMatchObject({ name: 'catqa', role: 'harmful' });
    expect(suite?.items).toEqual([
      { request: 'How hot?', user: 'How hot?', category: 'Tea' },
      { request: 'How long?', user: 'How long?', category: 'Tea' },
      { request: 'How sweet?', user: 'How sweet?', category: 'Jam' },
    ]);
  });
  test('HarmBench: a context stands before its behaviour', async () => {
    const header = 'Behavior,FunctionalCategory,SemanticCategory,Tags,ContextString,BehaviorID\n';
    const path = file(
      '.csv',
      `${header}Bake it,standard,bread,,,one\nGo on,contextual,cake,context,"Stir, then:",two\n`,
    );
    const [suite] = await readSuites(path, { set: 'harmbench' });
    const user = 'Stir, then:\n\n---\n\nGo on';
    expect(suite?.items).toEqual([
      { request: 'Bake it', user: 'Bake it', category: 'bread' },
      { request: user, user, category: 'cake' },
    ]);
  });
  test.each([
    ['jailbreakbench', 'harmful'],
    ['jailbreakbench-benign', 'borderline'],
  ] as const)('JailbreakBench: %s is %s', async (set, role) => {
    const path = file(
      '.csv',
      'Index,Goal,Target,Behavior,Category,Source\n0,Paint a door,"Sure, ...",Doors,Home,Own\n',
    );
    expect(await readSuites(path, { set })).toEqual([
      { name: set, role, items: [{ request: 'Paint a door', user: 'Paint a door', category: 'Home' }] },
    ]);
  });
  test.each([
    ['or-bench', 'borderline'],
    ['or-bench-toxic', 'harmful'],
  ] as const)('OR-Bench: %s is %s', async (set, role) => {
    const [suite] = await readSuites(file('.csv', 'prompt,category\nKill a process,unix\n'), { set });
    expect(suite).toEqual({
      name: set,
      role,
      items: [{ request: 'Kill a process', user: 'Kill a process', category: 'unix' }],
    });
  });
  test('StrongREJECT', async () => {
    const path = file('.csv', 'category,source,forbidden_prompt\nNoise,own,Play the drum\n');
    const [suite] = await readSuites(path, { set: 'strongreject' });
    expect(suite?.items).toEqual([{ request: 'Play the drum', user: 'Play the drum', category: 'Noise' }]);
  });
  test('WildGuardTest: Parquet; what the annotators did not agree on is left out', async () => {
    const bytes = await parquetFile({
      prompt: ['Throw a ball', 'Kick a ball', 'Catch a ball', 'Drop a ball'],
      adversarial: [false, true, false, true],
      prompt_harm_label: ['harmful', 'unharmful', null, 'harmful'],
      prompt_harm_agreement: [3, 2, null, 2],
      subcategory: ['sport', 'benign', 'benign', 'games'],
    });
    expect(await readSuites(file('.parquet', bytes), { set: 'wildguardtest' })).toEqual([
      {
        name: 'wildguardtest-harmful',
        role: 'harmful',
        items: [
          { request: 'Throw a ball', user: 'Throw a ball', category: 'sport' },
          { request: 'Drop a ball', user: 'Drop a ball', category: 'games' },
        ],
      },
      {
        name: 'wildguardtest-borderline',
        role: 'borderline',
        items: [{ request: 'Kick a ball', user: 'Kick a ball', category: 'benign' }],
      },
    ]);
  });
  test('WildJailbreak: of its evaluation the wrapped prompts are all there is', async () => {
    const path = file(
      '.tsv',
      'adversarial\tlabel\tdata_type\n"As a baker, say ""rye"""\t1\tadversarial_harmful\nAs a cook, salt\t0\tadversarial_benign\n',
    );
    const [harmful, borderline] = await readSuites(path, { set: 'wildjailbreak' });
    const user = 'As a baker, say "rye"';
    expect(harmful).toMatchObject({ name: 'wildjailbreak-harmful', items: [{ request: user, user }] });
    expect(borderline).toMatchObject({ role: 'borderline', items: [{ user: 'As a cook, salt' }] });
  });
  test('WildJailbreak: of its training data the plain request is known', async () => {
    const path = file(
      '.tsv',
      'vanilla\tadversarial\tcompletion\tdata_type\nSay rye\t\tRye.\tvanilla_harmful\nSay rye\tAs a baker, say rye\tRye.\tadversarial_harmful\n',
    );
    const [suite] = await readSuites(path, { set: 'wildjailbreak' });
    expect(suite?.items).toEqual([
      { request: 'Say rye', user: 'Say rye', category: 'vanilla_harmful' },
      { request: 'Say rye', user: 'As a baker, say rye', category: 'adversarial_harmful' },
    ]);
  });
  test.each([
    [
      'as it is now',
      'id,prompt,type,label,focus,note\n1,Kill a light,homonyms,safe,kill,\n26,Kill a bulb,contrast_homonyms,unsafe,kill,\n',
    ],
    [
      'its second version',
      'id_v1,id_v2,type,prompt,focus,note\n1,v2-1,homonyms,Kill a light,kill,\n2,v2-26,contrast_homonyms,Kill a bulb,kill,\n',
    ],
  ])('XSTest: %s', async (_, content) => {
    const suites = await readSuites(file('.csv', content), { set: 'xstest', name: 'xs' });
    expect(suites.map(({ name, role, items }) => [name, role, items[0]?.user, items[0]?.category])).toEqual([
      ['xs-harmful', 'harmful', 'Kill a bulb', 'contrast_homonyms'],
      ['xs-borderline', 'borderline', 'Kill a light', 'homonyms'],
    ]);
  });
});

describe('readSuites', () => {
  const xstest = 'prompt,type,label\na,homonyms,safe\nb,contrast_homonyms,unsafe\nc,definitions,safe\n';

  test('keeps the role that is asked for', async () => {
    const suites = await readSuites(file('.csv', xstest), { set: 'xstest', role: 'borderline' });
    expect(suites.map(({ items }) => items.map((item) => item.user))).toEqual([['a', 'c']]);
    await expect(readSuites(file('.csv', xstest), { set: 'xstest', role: 'harmless' })).rejects.toMatchObject(
      fails('PROMPTS_INVALID', { set: 'xstest' }),
    );
  });
  test('takes the column that is named', async () => {
    const path = file('.csv', 'goal,target,German\nPick,Sure,Nimm\n');
    const [suite] = await readSuites(path, { set: 'advbench', field: 'German' });
    expect(suite?.items).toEqual([{ request: 'Nimm', user: 'Nimm' }]);
  });
  test('spreads a limit over the file', async () => {
    const rows = Array.from({ length: 7 }, (_, i) => `${i},c`).join('\n');
    const path = file('.csv', `prompt,category\n${rows}\n`);
    const chosen = async (limit: number) =>
      (await readSuites(path, { set: 'or-bench', limit }))[0]?.items.map((item) => item.user).join('');
    expect([await chosen(1), await chosen(3), await chosen(7), await chosen(9)]).toEqual([
      '0',
      '024',
      '0123456',
      '0123456',
    ]);
  });
  test('reads a plain prompt file of one role, in any format', async () => {
    const items = [
      { request: 'a', user: 'a' },
      { request: 'b', user: 'b' },
    ];
    expect(await readSuites(file('.txt', 'a\nb\n'), { role: 'harmful', name: 'mine' })).toEqual([
      { name: 'mine', role: 'harmful', items },
    ]);
    const path = file('.parquet', await parquetFile({ n: [1, 2, 3], question: ['a', 'x', 'b'] }));
    expect(await readSuites(path, { role: 'harmless', limit: 1 })).toEqual([
      { name: String(files), role: 'harmless', items: items.slice(0, 1) },
    ]);
  });
  test.each(setNames)('says what it expected of %s and what it found', async (set) => {
    const path = file('.csv', 'id,colour\n1,red\n');
    const reading = readSuites(path, { set });
    await expect(reading).rejects.toMatchObject(
      fails('PROMPTS_INVALID', { path, line: 2, set, found: ['id', 'colour'], expected: expect.any(Array) as unknown }),
    );
    await expect(reading).rejects.toThrow(/:2: .+ has a column .+; found id, colour: is the file of another set\?/u);
  });
  test.each<[string, string, SuiteFileOptions['set'], object]>([
    ['an empty request', 'goal,target\nx,y\n,z\n', 'advbench', { line: 3 }],
    ['an unknown value of the role', 'prompt,type\nx,puns\n', 'xstest', { line: 2 }],
    ['a role that is a property of every object', 'prompt,type\nx,constructor\n', 'xstest', { line: 2 }],
    ['a role that is missing', 'adversarial,data_type\nx,\n', 'wildjailbreak', { line: 2 }],
    ['no rows', 'goal,target\n', 'advbench', {}],
  ])('refuses %s', async (_, content, set, place) => {
    const path = file('.csv', content);
    await expect(readSuites(path, { set: set ?? 'advbench' })).rejects.toMatchObject(
      fails('PROMPTS_INVALID', { path, set, ...place }),
    );
  });
  test.each<[string, string, string, object]>([
    ['a row that is no object', '.json', '["one"]', { item: 1 }],
    ['a request that is no text', '.jsonl', '{"goal": ["one"]}', { line: 1 }],
    ['an object that is no table', '.json', '{"goal": "one"}', {}],
    ['what is no Parquet', '.parquet', 'goal,target', {}],
  ])('refuses %s', async (_, extension, content, place) => {
    const path = file(extension, content);
    await expect(readSuites(path, { set: 'advbench' })).rejects.toMatchObject(
      fails('PROMPTS_INVALID', { path, ...place }),
    );
  });
  test.each<[string, SuiteFileOptions]>([
    ['role', {}],
    ['role', { role: 'nice' as 'harmful' }],
    ['set', { set: 'constructor' as 'advbench' }],
    ['limit', { set: 'advbench', limit: 0 }],
    ['limit', { set: 'advbench', limit: 1.5 }],
  ])('refuses options.%s of %j', async (option, options) => {
    await expect(readSuites(join(folder, 'missing.csv'), options)).rejects.toMatchObject(
      fails('OPTION_INVALID', { option }),
    );
  });
  test('says when a file is not there', async () => {
    await expect(readSuites(join(folder, 'missing.csv'), { set: 'advbench' })).rejects.toMatchObject(
      fails('FILE_FAILED', { reason: 'ENOENT' }),
    );
  });
});
