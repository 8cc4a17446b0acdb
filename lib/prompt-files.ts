import { type FileContent, invalid, isRecord, itemRows, kindOf, type Place, readRows, type Row } from './file-rows';
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

type Content = { kind: 'items'; items: Item[] } | { kind: 'set'; set: PromptSet | SplitPrompts };

/**
 * Reads the prompts of one role from a file.
 *
 * - `.txt`: one prompt a line; blank lines are skipped.
 * - `.json`: an array of strings, or of objects with a field from {@link promptFields}.
 * - `.jsonl`, `.ndjson`: one such string or object a line.
 * - `.csv`, `.tsv`: a header, then one prompt a row.
 * - `.parquet`: one prompt a row; uncompressed or Snappy.
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
  const content = toContent(await readRows(path), path, options);
  if (content.kind === 'items' && content.items.length === 0) throw invalid('there are no prompts in it', { path });
  return content;
}

function toContent(file: FileContent, path: string, options: PromptFileOptions): Content {
  if ('rows' in file) return { kind: 'items', items: file.rows.map((row) => toItem(row, options)) };
  const { value } = file;
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
    return itemRows(list, path).map((row) => toItem(row, options, `${prefix}${role}: `).prompt);
  };
  return { harmful: of('harmful'), harmless: of('harmless'), borderline: of('borderline') };
}

function toItem({ value, place }: Row, options: PromptFileOptions, prefix = ''): Item {
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
  const prompt = name === 'instruction' ? withInput(text, input) : text;
  return { prompt: filled(prompt, place, prefix), role, split, place };
}

/** An instruction and what it is about, as Alpaca keeps them. */
export function withInput(instruction: string, input: unknown): string {
  return typeof input === 'string' && input.trim() !== '' ? `${instruction}\n\n${input}` : instruction;
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
