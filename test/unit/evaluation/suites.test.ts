import { plainSuite } from '../../../lib/evaluation/suite';
import { builtInSuites, limited } from '../../../lib/evaluation/suites';
import { builtInPrompts } from '../../../lib/prompts';

describe('builtInSuites', () => {
  test('are the test prompts, with their categories', () => {
    const suites = builtInSuites();
    const { test: prompts } = builtInPrompts();
    expect(suites.map(({ name, role }) => [name, role])).toEqual([
      ['harmful', 'harmful'],
      ['harmless', 'harmless'],
      ['borderline', 'borderline'],
    ]);
    for (const { role, items } of suites) {
      expect(items.map(({ user }) => user)).toEqual(prompts[role]);
      expect(items.every(({ category }) => category !== undefined && category !== '')).toBe(true);
    }
  });
});

describe('limited', () => {
  test('takes the first requests', () => {
    expect(limited([plainSuite('s', 'harmful', ['a', 'b', 'c'])], 2)[0]!.items.map(({ user }) => user)).toEqual([
      'a',
      'b',
    ]);
  });
  test('takes as many of each category as can be, in the order of the suite', () => {
    const items = ['a1', 'a2', 'a3', 'b1', 'c1', 'c2'].map((user) => ({ request: user, user, category: user[0]! }));
    const [suite] = limited([{ name: 's', role: 'harmful', items }], 4);
    expect(suite!.items.map(({ user }) => user)).toEqual(['a1', 'a2', 'b1', 'c1']);
  });
});
