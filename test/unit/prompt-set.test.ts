import entries from '../../lib/data/prompts.json';
import { builtInPrompts, roles, splits } from '../../lib/prompts';
import { mean } from '../../lib/statistics';

const of = (role: string, split?: string) =>
  entries.filter((entry) => entry.role === role && (split === undefined || entry.split === split));
const words = (prompt: string) => prompt.split(/\s+/u).length;

describe('the built-in prompts', () => {
  test('are at least 128 harmful, 128 harmless and 64 borderline', () => {
    expect(of('harmful').length).toBeGreaterThanOrEqual(128);
    expect(of('harmless').length).toBeGreaterThanOrEqual(128);
    expect(of('borderline').length).toBeGreaterThanOrEqual(64);
    expect(new Set(entries.map((entry) => entry.role))).toEqual(new Set(roles));
    expect(new Set(entries.map((entry) => entry.split))).toEqual(new Set(splits));
  });
  test('name at least 12 kinds of harm, each in every split', () => {
    const kinds = new Set(of('harmful').map((entry) => entry.category));
    expect(kinds.size).toBeGreaterThanOrEqual(12);
    for (const split of splits) {
      expect(new Set(of('harmful', split).map((entry) => entry.category))).toEqual(kinds);
    }
  });
  test('are all different, also across roles and splits', () => {
    const distinct = new Set(
      entries.map((entry) =>
        entry.prompt
          .toLowerCase()
          .replace(/[^a-z0-9]+/gu, ' ')
          .trim(),
      ),
    );
    expect(distinct.size).toBe(entries.length);
  });
  test('are short single lines of plain text', () => {
    for (const { prompt } of entries) {
      expect(prompt).toMatch(/^[\x20-\x7e]+$/u);
      expect(prompt).toBe(prompt.trim());
      expect(words(prompt)).toBeLessThanOrEqual(40);
    }
  });
  // A direction fitted on them must not be one of length or form.
  test.each(splits)('have the same lengths and endings in both roles: %s', (split) => {
    const [harmful, harmless] = ['harmful', 'harmless'].map((role) => of(role, split).map((entry) => entry.prompt));
    const share = (list: string[] | undefined) => mean((list ?? []).map((prompt) => Number(prompt.endsWith('?'))));
    expect(Math.abs(share(harmful) - share(harmless))).toBeLessThan(0.1);
    const length = (list: string[] | undefined) => mean((list ?? []).map(words));
    expect(Math.abs(length(harmful) / length(harmless) - 1)).toBeLessThan(0.15);
  });
  test('come out of builtInPrompts whole', () => {
    const own = builtInPrompts();
    for (const split of splits) {
      for (const role of roles) expect(own[split][role]).toEqual(of(role, split).map((entry) => entry.prompt));
    }
  });
});
