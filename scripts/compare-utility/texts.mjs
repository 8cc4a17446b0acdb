// What utility is measured on when nothing else is given: this project's own pages and questions.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { root } from '../lay-out-engine.mjs';

export const ownQuestions = join(root, 'scripts', 'compare-utility', 'questions.txt');

/** The prose of README.md and docs/, without code, tables and the page that the figures are written to. */
export function ownPages() {
  const docs = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md') && name !== 'utility.md');
  const pages = ['README.md', ...docs.sort().map((name) => join('docs', name))];
  return pages
    .map((page) => readFileSync(join(root, page), 'utf8'))
    .join('\n')
    .replace(/^```[\s\S]*?^```$/gmu, '')
    .replace(/^\|.*\n/gmu, '')
    .replace(/\n{3,}/gu, '\n\n');
}

/** Questions as llama-perplexity reads them: six lines each, the context, the index of the right ending, four endings. */
export function readQuestions(path) {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  if (lines.length % 6 !== 0) throw new Error(`${path} has ${lines.length} lines; each question has six`);
  return Array.from({ length: lines.length / 6 }, (_, i) => {
    const [context, right, ...choices] = lines.slice(6 * i, 6 * i + 6);
    if (!/^[0-3]$/u.test(right)) throw new Error(`${path}: question ${i + 1} has no index of the right ending`);
    return { context, right: Number(right), choices };
  });
}
