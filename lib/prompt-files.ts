import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';

import { CsvError, parse as parseCsv } from 'csv-parse/sync';

import { type ErrorDetails, RosiError, toRosiError } from './errors';
import { type PromptSet, type Role, roles, type Split, type SplitPrompts, splits } from './prompts';
import { counted } from './text';

export interface PromptFileOptions {
  /** Name of the field or column that holds the prompt; by default the first of {@link promptFields} that is there. */
  field?: string;
}

/** Names under which public sets keep their prompts, in the order in which they are tried. */
export const promptFields = ['prompt', 'instruction', 'goal', 'question', 'text'] as const;

/** One prompt as a file gives it. In the file of one role, `role` and `split` may be columns of other meaning. */
interface Item {
  prompt: string;
  role: unknown;
  split: unknown;
  place: Place;
}

/** Where an item was found, for messages. */
interface Place {
  path: string;
  /** Counted from 1. */
  line?: number;
  /** Counted from 1. */
  item?: number;
}

type Content = { kind: 'items'; items: Item[] } | { kind: 'set'; set: PromptSet | SplitPrompts };

// 256 MiB: the largest public prompt sets are about 100 MB; above this someone named the wrong file.
const maxBytes = 2 ** 28;

/**
 * Reads the prompts of one role from a file.
 *
 * - `.txt`: one prompt a line; blank lines are skipped.
 * - `.json`: an array of strings, or of objects with a field from {@link promptFields}.
 * - `.jsonl`, `.ndjson`: one such string or object a line.
 * - `.csv`, `.tsv`: a header, then one prompt a row.
 *
 * Where the field is `instruction` and there is also a filled `input`, as in Alpaca, the two are joined by an empty line.
 *
 * @throws RosiError `FILE_FAILED` when it can't be read; `PROMPTS_INVALID`, with `path` and `line` or `item`, when it
 *   can't be understood.
 */
export async function readPrompts(path: string, options: PromptFileOptions = {}): Promise<string[]> {
  const content = await readContent(path, options);
  if (content.kind === 'set' || content.items.some((item) => roles.some((role) => role === item.role))) {
    throw invalid('this file gives each prompt a role: read it as a whole set (--prompts), not as one role', { path });
  }
  return content.items.map((item) => item.prompt);
}

/**
 * Reads a file that holds all roles: JSON `{ harmful, harmless, borderline }`, the same under `fit`, `validation` and
 * `test`, or a list in any format but .txt whose items also have a `role` and, all or none of them, a `split`.
 *
 * @throws As {@link readPrompts}.
 */
export async function readPromptSet(path: string, options: PromptFileOptions = {}): Promise<PromptSet | SplitPrompts> {
  const content = await readContent(path, options);
  if (content.kind === 'set') return content.set;
  refuseOtherRoles(content.items);
  const items = content.items.map(({ prompt, role, split, place }) => ({
    prompt,
    role: oneOf(roles, role, 'role', place),
    split: isBlank(split) ? undefined : oneOf(splits, split, 'split', place),
  }));
  const withSplit = items.filter((item) => item.split !== undefined).length;
  if (withSplit !== 0 && withSplit !== items.length) {
    throw invalid(`${withSplit} of ${items.length} prompts have a split; all need one, or none`, { path });
  }
  const pick = (split: Split | undefined): PromptSet => {
    const of = (role: Role) => items.filter((i) => i.role === role && i.split === split).map((i) => i.prompt);
    return { harmful: of('harmful'), harmless: of('harmless'), borderline: of('borderline') };
  };
  return withSplit === 0 ? pick(undefined) : { fit: pick('fit'), validation: pick('validation'), test: pick('test') };
}

/** A set made for something else as well: each role that is none of ours, so that one reading of the message is enough. */
function refuseOtherRoles(items: readonly Item[]): void {
  const found = new Map<string, number>();
  for (const { role } of items) {
    if (typeof role === 'string' && role !== '') found.set(role, (found.get(role) ?? 0) + 1);
  }
  const others = [...found].filter(([role]) => !roles.some((known) => known === role));
  const first = items.find(({ role }) => others.some(([other]) => other === role));
  if (first === undefined) return;
  const named = others.slice(0, 5).map(([role, count]) => `${JSON.stringify(role)} (${counted(count, 'prompt')})`);
  const more = others.length > named.length ? ` and ${others.length - named.length} more` : '';
  throw invalid(
    `the roles are ${roles.join(', ')}; found also ${named.join(', ')}${more}: leave those prompts out or give them one of these roles`,
    first.place,
    undefined,
    { roles: Object.fromEntries(found) },
  );
}

async function readContent(path: string, options: PromptFileOptions): Promise<Content> {
  const text = await readText(path);
  const content = parse(extname(path).toLowerCase(), text, path, options);
  if (content.kind === 'items' && content.items.length === 0) throw invalid('there are no prompts in it', { path });
  return content;
}

function parse(extension: string, text: string, path: string, options: PromptFileOptions): Content {
  switch (extension) {
    case '.txt':
      return {
        kind: 'items',
        items: lines(text).map(({ line, number }) => toItem(line.trim(), { path, line: number }, options)),
      };
    case '.json':
      return fromJson(parseJson(text, { path }), path, options);
    case '.jsonl':
    case '.ndjson':
      return {
        kind: 'items',
        items: lines(text).map(({ line, number }) => {
          const place = { path, line: number };
          return toItem(parseJson(line, place), place, options);
        }),
      };
    case '.csv':
      return { kind: 'items', items: fromTable(text, ',', path, options) };
    case '.tsv':
      return { kind: 'items', items: fromTable(text, '\t', path, options) };
    default:
      throw invalid(`prompts are read from .txt, .json, .jsonl, .csv and .tsv; "${extension}" is none of them`, {
        path,
      });
  }
}

async function readText(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw toRosiError(error);
  }
  if (bytes.length > maxBytes) throw invalid(`it has ${bytes.length} bytes; prompt files end at ${maxBytes}`, { path });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes); // drops a byte order mark
  } catch (cause) {
    throw invalid('it is not UTF-8 text; save it as UTF-8', { path }, cause);
  }
}

function lines(text: string): { line: string; number: number }[] {
  return text
    .split(/\r\n|\n|\r/u)
    .map((line, index) => ({ line, number: index + 1 }))
    .filter(({ line }) => line.trim() !== '');
}

function parseJson(text: string, place: Place): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = (cause as Error).message;
    const position = /position (\d+)/u.exec(reason)?.[1];
    // Of a whole file, say which line it is; a line of .jsonl knows already.
    const line = place.line ?? (position === undefined ? undefined : lineAt(text, Number(position)));
    throw invalid(`it is not valid JSON: ${reason}`, line === undefined ? place : { ...place, line }, cause);
  }
}

function lineAt(text: string, position: number): number {
  return text.slice(0, position).split('\n').length;
}

function fromJson(value: unknown, path: string, options: PromptFileOptions): Content {
  if (Array.isArray(value)) {
    return { kind: 'items', items: value.map((item, index) => toItem(item, { path, item: index + 1 }, options)) };
  }
  if (isRecord(value) && splits.every((split) => split in value)) {
    const of = (split: Split) => toSet(value[split], path, options, `${split}.`);
    return { kind: 'set', set: { fit: of('fit'), validation: of('validation'), test: of('test') } };
  }
  if (isRecord(value) && roles.some((role) => role in value)) {
    return { kind: 'set', set: toSet(value, path, options, '') };
  }
  throw invalid('it must be an array, or an object with harmful and harmless, or with fit, validation and test', {
    path,
  });
}

function toSet(value: unknown, path: string, options: PromptFileOptions, prefix: string): PromptSet {
  if (!isRecord(value)) throw invalid(`${prefix.slice(0, -1)} must be an object with harmful and harmless`, { path });
  const of = (role: Role): string[] => {
    const list = value[role] ?? [];
    if (!Array.isArray(list)) throw invalid(`${prefix}${role} must be an array`, { path });
    return list.map((item, index) => toItem(item, { path, item: index + 1 }, options, `${prefix}${role}: `).prompt);
  };
  return { harmful: of('harmful'), harmless: of('harmless'), borderline: of('borderline') };
}

function fromTable(text: string, delimiter: string, path: string, options: PromptFileOptions): Item[] {
  try {
    const rows = parseCsv(text, { columns: true, delimiter, info: true, skip_empty_lines: true });
    return (rows as unknown as { record: Record<string, string>; info: { lines: number } }[])
      .filter(({ record }) => Object.values(record).some((cell) => cell.trim() !== ''))
      .map(({ record, info }) => toItem(record, { path, line: info.lines }, options));
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = (error as CsvError & { lines?: number }).lines;
    throw invalid(`it is not a valid table: ${error.message}`, line === undefined ? { path } : { path, line }, error);
  }
}

function toItem(value: unknown, place: Place, options: PromptFileOptions, prefix = ''): Item {
  if (typeof value === 'string') {
    return { prompt: filled(value, place, prefix), role: undefined, split: undefined, place };
  }
  if (!isRecord(value)) throw invalid(`${prefix}a prompt must be a string or an object; got ${kindOf(value)}`, place);
  const names = options.field === undefined ? promptFields : [options.field];
  const name = names.find((candidate) => Object.hasOwn(value, candidate));
  if (name === undefined) {
    const found = Object.keys(value).join(', ') || 'no fields';
    throw invalid(`${prefix}no field ${names.join(', ')} for the prompt; found ${found}`, place);
  }
  const { [name]: text, input, role, split } = value;
  if (typeof text !== 'string') throw invalid(`${prefix}${name} must be a string; got ${kindOf(text)}`, place);
  const hasInput = name === 'instruction' && typeof input === 'string' && input.trim() !== '';
  return { prompt: filled(hasInput ? `${text}\n\n${input}` : text, place, prefix), role, split, place };
}

function filled(prompt: string, place: Place, prefix: string): string {
  if (prompt.trim() === '') throw invalid(`${prefix}the prompt is empty`, place);
  return prompt;
}

function oneOf<T extends string>(allowed: readonly T[], value: unknown, name: string, place: Place): T {
  const match = allowed.find((candidate) => candidate === value);
  if (match === undefined) {
    const found = value === undefined ? 'none' : JSON.stringify(value);
    throw invalid(`each prompt of a whole set needs a ${name}, one of ${allowed.join(', ')}; got ${found}`, place);
  }
  return match;
}

function isBlank(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

function invalid(message: string, place: Place, cause?: unknown, details: ErrorDetails = {}): RosiError {
  const { path, line, item } = place;
  const where = line !== undefined ? `:${line}` : item !== undefined ? `, item ${item}` : '';
  return new RosiError('PROMPTS_INVALID', `${path}${where}: ${message}`, { ...place, ...details }, { cause });
}
