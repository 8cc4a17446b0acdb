import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';

import { CsvError, parse as parseCsv } from 'csv-parse/sync';

import { type ErrorDetails, RosiError, toRosiError } from './errors';
import { readParquet } from './parquet';

/** Where a row was found, for messages. */
export interface Place {
  path: string;
  /** Counted from 1. */
  line?: number;
  /** Counted from 1. */
  item?: number;
}

/** A line of text, an item of a list or a row of a table. Nothing is known of the value. */
export interface Row {
  value: unknown;
  place: Place;
}

/** What a file holds: rows, or one JSON value that is no list. */
export type FileContent = { rows: Row[] } | { value: unknown };

/** Endings of the names of files that are understood. */
export const rowFormats = ['.txt', '.json', '.jsonl', '.ndjson', '.csv', '.tsv', '.parquet'] as const;

// 256 MiB: the largest public prompt sets are about 100 MB; above this someone named the wrong file.
const maxBytes = 2 ** 28;

/**
 * Reads a file by the ending of its name, in any case:
 *
 * - `.txt`: one text a line, trimmed; blank lines are skipped.
 * - `.json`: a list, or any other value. Lines of JSON under this name, as some public sets have it, are read as `.jsonl`.
 * - `.jsonl`, `.ndjson`: one JSON value a line.
 * - `.csv`, `.tsv`: a header, then one record a row; rows of empty cells are skipped.
 * - `.parquet`: one record a row; uncompressed or Snappy.
 *
 * @throws RosiError `FILE_FAILED` when it can't be read; `PROMPTS_INVALID`, with `path` and `line` or `item`, when it
 *   can't be understood or has more than 256 MiB.
 */
export async function readRows(path: string): Promise<FileContent> {
  const extension = extname(path).toLowerCase();
  if (!rowFormats.some((known) => known === extension)) {
    const known = `${rowFormats.slice(0, -1).join(', ')} and ${rowFormats.at(-1)}`;
    throw invalid(`prompts are read from ${known}; "${extension}" is none of them`, { path });
  }
  const bytes = await readBytes(path);
  if (extension === '.parquet') return { rows: await parquetRows(bytes, path) };
  const text = decode(bytes, path);
  if (extension === '.txt')
    return { rows: lines(text, path).map(({ text, place }) => ({ value: text.trim(), place })) };
  if (extension === '.json') return jsonContent(text, path);
  if (extension === '.csv') return { rows: tableRows(text, ',', path) };
  if (extension === '.tsv') return { rows: tableRows(text, '\t', path) };
  return { rows: jsonLines(text, path) };
}

/** The rows of a list, in order. */
export function itemRows(items: readonly unknown[], path: string): Row[] {
  return items.map((value, index) => ({ value, place: { path, item: index + 1 } }));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** As messages name a value's kind. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

/** The error for a file or one of its rows. */
export function invalid(message: string, place: Place, cause?: unknown, details: ErrorDetails = {}): RosiError {
  const { path, line, item } = place;
  const where = line !== undefined ? `:${line}` : item !== undefined ? `, item ${item}` : '';
  return new RosiError('PROMPTS_INVALID', `${path}${where}: ${message}`, { ...place, ...details }, { cause });
}

/** A text file, UTF-8. @throws As {@link readRows}. */
export async function readText(path: string): Promise<string> {
  return decode(await readBytes(path), path);
}

async function readBytes(path: string): Promise<Buffer> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw toRosiError(error);
  }
  if (bytes.length > maxBytes) throw invalid(`it has ${bytes.length} bytes; prompt files end at ${maxBytes}`, { path });
  return bytes;
}

function decode(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes); // drops a byte order mark
  } catch (cause) {
    throw invalid('it is not UTF-8 text; save it as UTF-8', { path }, cause);
  }
}

async function parquetRows(bytes: Buffer, path: string): Promise<Row[]> {
  try {
    return itemRows(await readParquet(bytes, maxBytes), path);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw invalid(`it can't be read as Parquet: ${reason}; save it as .csv or .jsonl`, { path }, cause);
  }
}

function lines(text: string, path: string): { text: string; place: Place }[] {
  return text
    .split(/\r\n|\n|\r/u)
    .map((text, index) => ({ text, place: { path, line: index + 1 } }))
    .filter(({ text }) => text.trim() !== '');
}

function jsonLines(text: string, path: string): Row[] {
  return lines(text, path).map(({ text, place }) => ({ value: parseJson(text, place), place }));
}

function jsonContent(text: string, path: string): FileContent {
  if (isJsonLines(text)) return { rows: jsonLines(text, path) };
  const value = parseJson(text, { path });
  return Array.isArray(value) ? { rows: itemRows(value, path) } : { value };
}

/** Whether there is one object on the first line and more after it: no JSON text as a whole. */
function isJsonLines(text: string): boolean {
  const [first, second] = text.split(/\r\n|\n|\r/u, 2).map((line) => line.trim());
  if (!first?.startsWith('{') || !second?.startsWith('{')) return false;
  try {
    return isRecord(JSON.parse(first));
  } catch {
    return false;
  }
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

function tableRows(text: string, delimiter: string, path: string): Row[] {
  try {
    const rows = parseCsv(text, { columns: true, delimiter, info: true, skip_empty_lines: true });
    return (rows as unknown as { record: Record<string, string>; info: { lines: number } }[])
      .filter(({ record }) => Object.values(record).some((cell) => cell.trim() !== ''))
      .map(({ record, info }) => ({ value: record, place: { path, line: info.lines } }));
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = (error as CsvError & { lines?: number }).lines;
    throw invalid(`it is not a valid table: ${error.message}`, line === undefined ? { path } : { path, line }, error);
  }
}
