// Pieces of Markdown pages.
import { printable } from './text';

export function section(title: string, lines: readonly string[]): string[] {
  return [`## ${title}`, '', ...lines, ''];
}

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line), ''];
}

/** Text of others in Markdown: nothing in it is mark-up. */
export function text(value: string): string {
  return printable(value)
    .replace(/[\\`*_[\]<>|#~]/gu, '\\$&')
    .replace(/\n+/gu, ' ');
}

export function code(value: string): string {
  // A bar would end a table's cell, and no backslash helps inside of code.
  return `\`${printable(value).replace(/[`|\n]/gu, ' ')}\``;
}

export function fenced(value: string, language = 'text'): string[] {
  const longest = Math.max(2, ...[...value.matchAll(/`+/gu)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return [`${fence}${language}`, printable(value), fence];
}

export function fileName(path: string): string {
  return path.split(/[\\/]/u).at(-1) ?? path;
}
