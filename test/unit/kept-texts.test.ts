import { keptCap } from '../../lib/kept-texts';
import { resolveOptions } from '../../lib/options';
import { builtInPrompts, splitPrompts, splits } from '../../lib/prompts';

const many = (word: string, n: number) => Array.from({ length: n }, (_, i) => `${word} number ${i}`);
const prompts = { harmful: many('harmful', 600), harmless: many('harmless', 40), borderline: many('borderline', 20) };
const split = (keep: readonly string[] | undefined, seed = 1) => splitPrompts(prompts, { seed, keep });

test('texts to keep change nothing of the splits', () => {
  const [without, { kept, summary, ...others }] = [split(undefined), split(['one', 'two'])];
  expect(without.kept).toEqual([]);
  expect(without.summary.kept).toBeNull();
  expect(others).toEqual({ fit: without.fit, validation: without.validation, test: without.test });
  expect(summary).toEqual({ ...without.summary, kept: summary.kept });
  expect([...kept].sort()).toEqual(['one', 'two']);
  expect(summary.kept).toMatchObject({ used: 2, duplicates: 0, unused: 0 });
});

test('repeated ones, and prompts that are harmless or borderline anyway, are left out', () => {
  const keep = ['one', ' ONE ', 'two', prompts.harmless[3]!, prompts.borderline[5]!.toUpperCase()];
  const { kept, summary } = split(keep);
  expect([...kept].sort()).toEqual(['one', 'two']);
  expect(summary.kept).toMatchObject({ used: 2, duplicates: 3, unused: 0 });
});

test('beyond the cap the seed draws, whatever the order', () => {
  const keep = many('text', keptCap + 44);
  const { kept, summary } = split(keep);
  expect(new Set(kept).size).toBe(keptCap);
  expect(summary.kept).toMatchObject({ used: keptCap, duplicates: 0, unused: 44 });
  expect(split([...keep].reverse())).toMatchObject({ kept, summary });
  const other = split(keep, 2);
  expect([...other.kept].sort()).not.toEqual([...kept].sort());
  expect(other.summary.kept!.sha256).not.toBe(summary.kept!.sha256);
});

// At most 256 of 600 are in use: some of these are not.
test.each([['Harmful number 7'], ['harmful  number 599'], ['harmful number 300']])(
  'a harmful prompt can not be kept, in use or not: %s',
  (text) => {
    const keep = () => split(['one', text]);
    const details = expect.objectContaining({ prompts: [text] }) as unknown;
    expect(keep).toThrow(expect.objectContaining({ code: 'PROMPTS_INVALID', details }));
    expect(keep).toThrow(JSON.stringify(text));
  },
);

test.each(splits)('a built-in harmful prompt can not be kept: %s', (name) => {
  const keep = builtInPrompts()[name].harmful.slice(0, 1);
  expect(() => splitPrompts(undefined, { seed: 1, keep })).toThrow(
    expect.objectContaining({ code: 'PROMPTS_INVALID' }),
  );
});

test.each<[string, unknown, object]>([
  ['no list', 'text', { option: 'keep' }],
  ['an empty text', ['one', ' '], { option: 'keep', index: 1 }],
  ['a number', [3], { option: 'keep', index: 0 }],
])('%s is refused', (_, keep, details) => {
  expect(() => split(keep as string[])).toThrow(expect.objectContaining({ code: 'PROMPTS_INVALID', details }));
});

test.each(['mean-input', 'mean-row', 'mean-row-signed'] as const)('%s keeps nothing, so texts are refused', (name) => {
  const details = { option: 'keep', rightFactor: name };
  expect(() => resolveOptions('m.gguf', { rightFactor: name, keep: ['one'] })).toThrow(
    expect.objectContaining({ code: 'OPTION_INVALID', details }),
  );
  expect(() => resolveOptions('m.gguf', { rightFactor: name })).not.toThrow();
  expect(() => resolveOptions('m.gguf', { keep: ['one'] })).not.toThrow();
});
