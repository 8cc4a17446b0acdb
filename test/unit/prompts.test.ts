import {
  builtInPrompts,
  hashPrompts,
  promptCaps,
  type PromptSet,
  roles,
  splitPrompts,
  splits,
} from '../../lib/prompts';

const many = (word: string, n: number) => Array.from({ length: n }, (_, i) => `${word} number ${i}`);
const set = (harmful: number, harmless: number, borderline?: number): PromptSet => ({
  harmful: many('harmful', harmful),
  harmless: many('harmless', harmless),
  ...(borderline === undefined ? {} : { borderline: many('borderline', borderline) }),
});
const fails = (code: string, details: object) =>
  expect.objectContaining({ code, details: expect.objectContaining(details) });

describe('splitPrompts on a set that is not split', () => {
  const sample = splitPrompts(set(40, 60, 20), { seed: 1 });

  test('makes three disjoint splits of the given prompts, two to one to one', () => {
    for (const [role, n] of [
      ['harmful', 40],
      ['harmless', 60],
      ['borderline', 20],
    ] as const) {
      const all = splits.flatMap((split) => sample[split][role]);
      expect(new Set(all).size).toBe(n);
      expect(splits.map((split) => sample[split][role].length)).toEqual([n / 2, n / 4, n / 4]);
    }
    expect(sample.summary).toMatchObject({ borderline: 'given', duplicates: 0, unused: 0, seed: 1 });
    expect(sample.summary.counts.fit).toEqual({ harmful: 20, harmless: 30, borderline: 10 });
  });
  test('is decided by the seed and not by the order', () => {
    const given = set(40, 60, 20);
    const turned = { ...given, harmful: [...given.harmful].reverse() };
    expect(splitPrompts(given, { seed: 1 })).toEqual(sample);
    expect(splitPrompts(turned, { seed: 1 })).toEqual(sample);
    expect(splitPrompts(given, { seed: 2 }).fit.harmful).not.toEqual(sample.fit.harmful);
  });
  test('draws each role by itself: other harmless prompts leave the harmful sample alone', () => {
    const other = { ...set(40, 60, 20), harmless: many('benign', 33) };
    expect(splitPrompts(other, { seed: 1 }).fit.harmful).toEqual(sample.fit.harmful);
  });
  test('caps large sets', () => {
    const large = splitPrompts(set(260, 2000, 0), { seed: 1 });
    expect(splits.map((split) => large[split].harmful.length)).toEqual([128, 64, 64]);
    expect(splits.map((split) => large[split].harmless.length)).toEqual([128, 64, 64]);
    expect(large.summary.unused).toBe(260 + 2000 - 512);
    const small = splitPrompts(set(260, 2000), { seed: 1, caps: { fit: 16 } });
    expect(small.summary.counts.fit).toEqual({ harmful: 16, harmless: 16, borderline: 16 });
    expect(small.summary.counts.test.harmful).toBe(promptCaps.test);
  });
  test('counts what differs only in case and white space once', () => {
    const given = set(20, 20, 8);
    given.harmful.push('HARMFUL  number 3 ', 'harmful number 3');
    const sample = splitPrompts(given, { seed: 1 });
    expect(sample.summary.duplicates).toBe(2);
    expect(splits.flatMap((split) => sample[split].harmful)).toHaveLength(20);
  });
  test('adds the built-in borderline prompts when there are none', () => {
    const sample = splitPrompts(set(20, 20), { seed: 1 });
    const own = builtInPrompts();
    expect(sample.summary.borderline).toBe('built-in');
    for (const split of splits) {
      expect([...sample[split].borderline].sort()).toEqual([...(own[split].borderline ?? [])].sort());
    }
  });
  test('leaves a built-in borderline prompt out that was given another role', () => {
    const prompt = builtInPrompts().fit.borderline?.[0] as string;
    const given = set(20, 20);
    given.harmful.push(` ${prompt.toUpperCase()}`);
    const sample = splitPrompts(given, { seed: 1 });
    expect(splits.flatMap((split) => sample[split].borderline)).not.toContain(prompt);
  });
});

describe('splitPrompts on a set that is split', () => {
  const given = { fit: set(10, 9, 4), validation: set(0, 0), test: set(0, 0) };
  given.validation = { harmful: many('bad', 5), harmless: many('good', 4) };
  given.test = { harmful: many('evil', 6), harmless: many('fine', 7) };

  test('keeps the splits', () => {
    const sample = splitPrompts(given, { seed: 1 });
    for (const split of splits) {
      for (const role of roles) expect([...sample[split][role]].sort()).toEqual([...(given[split][role] ?? [])].sort());
    }
    expect(sample.summary).toMatchObject({ borderline: 'given', unused: 0 });
  });
  test('refuses a prompt that is in two splits, and names it', () => {
    const twice = { ...given, test: { ...given.test, harmful: [...given.test.harmful, 'harmful number 2'] } };
    expect(() => splitPrompts(twice, { seed: 1 })).toThrow(fails('PROMPTS_INVALID', { prompts: ['harmful number 2'] }));
    expect(() => splitPrompts(twice, { seed: 1 })).toThrow('"harmful number 2" (harmful, fit and harmful, test)');
  });
  test('refuses a split with too few', () => {
    const few = { ...given, validation: { ...given.validation, harmful: many('bad', 3), harmless: many('good', 20) } };
    few.test = { ...given.test, harmful: many('evil', 20) };
    const details = { role: 'harmful', split: 'validation', found: 3, needed: 4 };
    expect(() => splitPrompts(few, { seed: 1 })).toThrow(fails('PROMPTS_TOO_FEW', details));
  });
});

describe('splitPrompts', () => {
  test('uses the built-in set, whole, when given none', () => {
    const sample = splitPrompts(undefined, { seed: 1 });
    const own = builtInPrompts();
    expect(sample.summary).toMatchObject({
      borderline: 'built-in',
      unused: 0,
      duplicates: 0,
      sha256: hashPrompts(own),
    });
  });
  test.each([
    ['harmful', set(15, 40), { role: 'harmful', found: 15, needed: 16 }],
    ['harmless', set(40, 3), { role: 'harmless', found: 3, needed: 16 }],
    ['harmful', { harmful: Array.from({ length: 30 }, () => 'again'), harmless: many('h', 20) }, { found: 1 }],
  ])('needs 16 different %s prompts', (_, given, details) => {
    expect(() => splitPrompts(given, { seed: 1 })).toThrow(fails('PROMPTS_TOO_FEW', details));
  });
  test('refuses a prompt with two roles, and names it', () => {
    const given = set(20, 20);
    given.harmless.push('Harmful number 7');
    expect(() => splitPrompts(given, { seed: 1 })).toThrow(fails('PROMPTS_INVALID', { prompts: ['Harmful number 7'] }));
    expect(() => splitPrompts(given, { seed: 1 })).toThrow('"Harmful number 7" (harmful and harmless)');
  });
  test.each([
    [
      'an empty prompt',
      { harmful: [...many('a', 20), ' \n'], harmless: many('b', 20) },
      { role: 'harmful', index: 20 },
    ],
    ['a number', { harmful: many('a', 20), harmless: [7] }, { role: 'harmless', index: 0 }],
    ['a string for a list', { harmful: 'all', harmless: [] }, { role: 'harmful' }],
    ['null', { fit: null, validation: set(1, 1), test: set(1, 1) }, { where: 'prompts.fit' }],
  ])('refuses %s', (_, given, details) => {
    expect(() => splitPrompts(given as unknown as PromptSet, { seed: 1 })).toThrow(fails('PROMPTS_INVALID', details));
  });
});

describe('hashPrompts', () => {
  test('is SHA-256 of canonical JSON', () => {
    // printf '{"borderline":[],"harmful":["a","b"],"harmless":["é"]}' | sha256sum
    const hash = 'cf3214a8aff6caf14c91b9cb7e31aaedb6c8e1bb33b4b9b0dd4925a6425b9177';
    expect(hashPrompts({ harmful: ['b', 'a'], harmless: ['é'] })).toBe(hash);
    expect(hashPrompts({ harmful: ['a', 'b'], harmless: ['é'], borderline: [] })).toBe(hash);
  });
  test('changes with a role, a split and a letter', () => {
    const a = set(2, 2, 2);
    const hashes = [
      a,
      { ...a, harmful: a.harmless, harmless: a.harmful },
      { ...a, harmful: ['harmful number 0', 'harmful number 1.'] },
      { fit: a, validation: set(0, 0), test: set(0, 0) },
      { fit: set(0, 0), validation: a, test: set(0, 0) },
    ].map(hashPrompts);
    expect(new Set(hashes).size).toBe(5);
  });
});
