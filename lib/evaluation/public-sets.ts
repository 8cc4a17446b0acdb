import { basename, extname } from 'node:path';

import { RosiError } from '../errors';
import { type FileContent, invalid, isRecord, kindOf, type Place, readRows, type Row } from '../file-rows';
import { type PromptFileOptions, readPrompts, withInput } from '../prompt-files';
import { type Role, roles } from '../prompts';
import { type Column, type Layout, layouts, type SetName, setNames } from './set-layouts';
import { plainSuite, type Suite, type SuiteItem } from './suite';

export interface SuiteFileOptions extends PromptFileOptions {
  /** Which public set the file is of. Default none: a plain prompt file, which needs a role. */
  set?: SetName;
  /** Of a plain prompt file, the role of its prompts. Of a set, the only role that is kept. Default all. */
  role?: Role;
  /** Default the set's name, or the file's without its ending. */
  name?: string;
  /** Most items of a suite, 1 or more; taken evenly over the file, so that each category has its share. Default all. */
  limit?: number;
}

/**
 * Reads requests for an evaluation: a public set as it is published, or a plain prompt file.
 *
 * A set gives one suite for each role that is in the file, harmful ones first; where its rows have roles of their own the
 * suites are named `<name>-<role>`. Requests are kept as they are written, also repeated ones, and know their category
 * as the set spells it. Rows that the set does not label are left out. Without a set all of the file is one suite.
 *
 * Formats: .csv, .tsv, .json, .jsonl, .ndjson, .parquet (uncompressed or Snappy), up to 256 MiB; .txt without a set.
 *
 * ```ts
 * const [harmful, borderline] = await readSuites('xstest_prompts.csv', { set: 'xstest' });
 * ```
 *
 * @param options.field - Of a set, the column of the request, in place of those that hold it and its wrapper.
 * @throws RosiError `OPTION_INVALID`; `FILE_FAILED` when the file can't be read; `PROMPTS_INVALID`, with `path` and `line`
 *   or `item`, when it can't be understood: `details` has the set and the columns that were expected and found.
 */
export async function readSuites(path: string, options: SuiteFileOptions = {}): Promise<Suite[]> {
  const { set, role, limit } = options;
  checkOptions(options);
  const name = options.name ?? set ?? basename(path, extname(path));
  if (set === undefined) {
    const suite = plainSuite(name, role as Role, await readPrompts(path, options));
    return [{ ...suite, items: evenly(suite.items, limit) }];
  }
  const reader = new RowReader(set, layoutOf(set, options.field));
  const read = toRows(await readRows(path), set, path).map((row) => reader.read(row));
  const suites = roles.flatMap((one) => {
    const items = read.flatMap((item) => (item.role === one && (role ?? one) === one ? [item.item] : []));
    if (items.length === 0) return [];
    const ownName = typeof layouts[set].role === 'string' ? name : `${name}-${one}`;
    return [{ name: ownName, role: one, items: evenly(items, limit) }];
  });
  if (suites.length === 0)
    throw invalid(`there are no ${role ?? 'labelled'} requests in it`, { path }, undefined, { set });
  return suites;
}

/** Reads rows of one set. */
class RowReader {
  constructor(
    private readonly set: SetName,
    private readonly layout: Layout,
  ) {}

  /** Role null: not labelled. */
  read({ value, place }: Row): { item: SuiteItem; role: Role | null } {
    if (!isRecord(value)) throw this.refuse(`a row must be an object; got ${kindOf(value)}`, place);
    const { request, wrapped = [], context = [], category = [] } = this.layout;
    const role = this.roleOf(value, place);
    let plain = this.cell(value, request, place);
    if (plain !== '' && this.set === 'alpaca') plain = withInput(plain, value.input);
    const before = this.cell(value, context, place);
    if (plain !== '' && before !== '') plain = `${before}\n\n---\n\n${plain}`; // as HarmBench asks it
    const user = this.cell(value, wrapped, place) || plain;
    if (user === '') throw this.missing([...wrapped, ...request], value, place);
    const label = this.cell(value, category, place);
    return { item: { request: plain || user, user, ...(label === '' ? {} : { category: label }) }, role };
  }

  private roleOf(value: Record<string, unknown>, place: Place): Role | null {
    const { role } = this.layout;
    if (typeof role === 'string') return role;
    if (!role.column.some((name) => Object.hasOwn(value, name))) throw this.missing(role.column, value, place);
    const found = this.cell(value, role.column, place);
    if (Object.hasOwn(role.of, found)) return role.of[found] as Role | null;
    const known = Object.keys(role.of).filter((name) => name !== '');
    throw this.refuse(
      `${role.column.join(' or ')} must be one of ${known.join(', ')}; got ${JSON.stringify(found)}`,
      place,
    );
  }

  /** Of the columns that are there, the first that is filled; empty when none is. */
  private cell(row: Record<string, unknown>, names: Column, place: Place): string {
    for (const name of names) {
      const value = Object.hasOwn(row, name) ? row[name] : undefined;
      if (value === undefined || value === null) continue;
      if (typeof value !== 'string') throw this.refuse(`${name} must be a string; got ${kindOf(value)}`, place);
      if (value.trim() !== '') return value;
    }
    return '';
  }

  private missing(expected: Column, row: Record<string, unknown>, place: Place): RosiError {
    const found = Object.keys(row);
    const here = expected.filter((name) => found.includes(name));
    const what =
      here.length > 0
        ? `${here.join(' and ')} must not be empty; leave the row out`
        : `${this.set} has a column ${expected.join(' or ')}; found ${found.join(', ') || 'no columns'}: ` +
          'is the file of another set? Name that, or the column of the request as field';
    return this.refuse(what, place, { expected, found });
  }

  private refuse(message: string, place: Place, details: object = {}): RosiError {
    return invalid(message, place, undefined, { set: this.set, ...details });
  }
}

function layoutOf(set: SetName, field: string | undefined): Layout {
  const { wrapped, ...layout } = layouts[set];
  if (field !== undefined) return { ...layout, request: [field] };
  return { ...layout, ...(wrapped === undefined ? {} : { wrapped }) };
}

function toRows(file: FileContent, set: SetName, path: string): Row[] {
  if ('rows' in file) {
    if (file.rows.length === 0) throw invalid('there are no requests in it', { path }, undefined, { set });
    return file.rows;
  }
  if (set === 'catqa' && isRecord(file.value)) return nestedRows(file.value, path);
  throw invalid(`${set} is a table or a list of objects; got ${kindOf(file.value)}`, { path }, undefined, { set });
}

/** CatQA as `{ category: { subcategory: [question] } }`. */
function nestedRows(value: Record<string, unknown>, path: string): Row[] {
  const rows: Row[] = [];
  for (const [category, questions] of Object.entries(value)) {
    for (const [name, list] of Object.entries(isRecord(questions) ? questions : {})) {
      if (!Array.isArray(list)) throw invalid(`${category}, ${name} must be an array of questions`, { path });
      for (const question of list as unknown[]) {
        rows.push({ value: { Category: category, Question: question }, place: { path, item: rows.length + 1 } });
      }
    }
  }
  if (rows.length === 0) throw invalid('catqa is { category: { subcategory: [question] } } or lines of JSON', { path });
  return rows;
}

function evenly<T>(items: readonly T[], limit: number | undefined): readonly T[] {
  if (limit === undefined || limit >= items.length) return items;
  return Array.from({ length: limit }, (_, i) => items[Math.floor((i * items.length) / limit)] as T);
}

function checkOptions({ set, role, limit }: SuiteFileOptions): void {
  const refuse = (option: string, wanted: string, value: unknown) => {
    throw new RosiError('OPTION_INVALID', `options.${option} must be ${wanted}; got ${String(value)}`, {
      option,
      value,
    });
  };
  if (set !== undefined && !setNames.includes(set)) refuse('set', `one of ${setNames.join(', ')}`, set);
  if (role !== undefined && !roles.includes(role)) refuse('role', `one of ${roles.join(', ')}`, role);
  if (set === undefined && role === undefined)
    refuse('role', `one of ${roles.join(', ')}, or options.set be given`, role);
  if (limit !== undefined && (!Number.isInteger(limit) || limit < 1))
    refuse('limit', 'a whole number, 1 or more', limit);
}
