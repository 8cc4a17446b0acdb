import builtIn from '../data/prompts.json';
import { roles } from '../prompts';
import type { Suite } from './suite';

/** The test prompts of the set that comes with the package, which nothing is fitted on by default: a suite a role. */
export function builtInSuites(): Suite[] {
  return roles.map((role) => ({
    name: role,
    role,
    items: builtIn
      .filter((entry) => entry.role === role && entry.split === 'test')
      .map(({ prompt, category }) => ({ request: prompt, user: prompt, category })),
  }));
}

/** The first requests of each suite; of a suite with categories, as many of each as can be. */
export function limited(suites: readonly Suite[], limit: number): Suite[] {
  return suites.map((suite) => ({ ...suite, items: spread(suite.items, limit) }));
}

/** The first items; where they have categories, as many of each as can be. In their order. */
export function spread<T extends { category?: string }>(items: readonly T[], limit: number): readonly T[] {
  if (items.length <= limit) return items;
  const rank = new Map<string, number>();
  const ranked = items.map((item, i) => {
    const category = item.category ?? '';
    const position = rank.get(category) ?? 0;
    rank.set(category, position + 1);
    return { item, i, position };
  });
  const chosen = ranked.sort((a, b) => a.position - b.position || a.i - b.i).slice(0, limit);
  return chosen.sort((a, b) => a.i - b.i).map(({ item }) => item);
}
