import { createHash } from 'node:crypto';

import builtIn from './data/prompts.json';
import { RosiError } from './errors';
import { chooseKept, type KeptSummary } from './kept-texts';
import { checkPrompt, identity, invalid, quoted } from './prompt-identity';
import { seededRandom, shuffle } from './random';

/** Requests by what a model should do with them. */
export interface PromptSet {
  /** To be refused. */
  harmful: string[];
  /** To be answered. */
  harmless: string[];
  /** To be answered although they sound harmful. */
  borderline?: string[];
}

/** Three disjoint sets: one to fit the edit, one to choose layer and strength, one that only the report sees. */
export interface SplitPrompts {
  fit: PromptSet;
  validation: PromptSet;
  test: PromptSet;
}

export const roles = ['harmful', 'harmless', 'borderline'] as const;
export const splits = ['fit', 'validation', 'test'] as const;
export type Role = (typeof roles)[number];
export type Split = (typeof splits)[number];

/** Prompts of each role in each split; all of them are present. */
export type PromptCounts = Record<Split, Record<Role, number>>;

/** What became of the prompts that were given; part of the report. */
export interface PromptSummary {
  seed: number;
  counts: PromptCounts;
  /** Where the borderline prompts come from: the caller, or the set that comes with the package. */
  borderline: 'given' | 'built-in';
  /** Given more than once in the same role; kept once. */
  duplicates: number;
  /** Left out because the caps were reached. */
  unused: number;
  /** Texts that are to be kept as they are; null when none were given. */
  kept: KeptSummary | null;
  /** Of the prompts in use, see {@link hashPrompts}. */
  sha256: string;
}

/** Splits in which every role is present, and texts to keep, which are of no split. */
export type SplitSample = Record<Split, Record<Role, string[]>> & { kept: string[]; summary: PromptSummary };

export interface SplitOptions {
  /** Decides the sample; the order in which prompts were given does not. */
  seed: number;
  /** Most prompts of one role in each split. */
  caps?: Partial<Record<Split, number>>;
  /** Texts whose activations the edit is to leave as they are; at most {@link keptCap} are used. */
  keep?: readonly string[] | undefined;
}

/** Past a hundred prompts a mean hardly moves, and each costs a forward pass: docs/method.md. */
export const promptCaps: Readonly<Record<Split, number>> = { fit: 128, validation: 64, test: 64 };

/** Harmful and harmless prompts below which neither the direction nor an interval means anything. */
export const fewestPrompts = 16;

// Of a set that is not split yet. With 256 prompts of a role these shares are exactly the caps.
const shares: Readonly<Record<Split, number>> = { fit: 0.5, validation: 0.25, test: 0.25 };
const fewestInSplit: Readonly<Record<Split, number>> = { fit: 8, validation: 4, test: 4 };

/** The set that comes with the package, written for it and split; lib/data/README.md says how. */
export function builtInPrompts(): SplitPrompts {
  return fill((split, role) =>
    builtIn.filter((entry) => entry.role === role && entry.split === split).map((entry) => entry.prompt),
  );
}

/**
 * Checks prompts and draws from them what one run uses: duplicates removed, splits disjoint, each role at most its cap.
 *
 * A set that is not split yet is divided in the ratio 2 : 1 : 1. Without borderline prompts the built-in ones are
 * used, less those that the caller gave in another role. Two prompts are the same when they differ only in case
 * and white space.
 *
 * @param prompts - The built-in set when undefined.
 * @throws RosiError `PROMPTS_INVALID`: an empty prompt, or one that has two roles or is in two splits; a text to keep
 *   that is also a harmful prompt.
 * @throws RosiError `PROMPTS_TOO_FEW`: fewer than 16 distinct harmful or harmless prompts, or in a set that came split
 *   fewer than 8, 4 and 4 of them to fit, validate and test; `details` has the counts.
 */
export function splitPrompts(prompts: PromptSet | SplitPrompts | undefined, options: SplitOptions): SplitSample {
  const { seed } = options;
  const caps = { ...promptCaps, ...options.caps };
  const given = prompts ?? builtInPrompts();
  const { pool, duplicates } = distinct(toPools(given));
  const hasBorderline = pool.some((entry) => entry.role === 'borderline');
  if (!hasBorderline) pool.push(...builtInBorderline(pool));
  refuseTooFew(pool);

  const sample = fill(() => []) as Record<Split, Record<Role, string[]>>;
  for (const role of roles) {
    const loose = draw(pool, role, undefined, seed);
    let taken = 0;
    for (const split of splits) {
      const fixed = draw(pool, role, split, seed);
      const share = split === 'test' ? loose.length - taken : Math.round(loose.length * shares[split]);
      sample[split][role] = [...fixed, ...loose.slice(taken, taken + share)].slice(0, caps[split]);
      taken += share;
    }
  }
  const counts = fill((split, role) => sample[split][role].length);
  const used = splits.flatMap((split) => roles.map((role) => counts[split][role])).reduce((a, b) => a + b, 0);
  const borderline = prompts === undefined || !hasBorderline ? 'built-in' : 'given';
  const sha256 = hashPrompts(sample);
  const harmful = pool.filter((entry) => entry.role === 'harmful').map((entry) => entry.prompt);
  const benign = splits.flatMap((split) => [...sample[split].harmless, ...sample[split].borderline]);
  const { kept, summary } = chooseKept(options.keep, { harmful, benign }, seed);
  const unused = pool.length - used;
  return { ...sample, kept, summary: { seed, counts, borderline, duplicates, unused, kept: summary, sha256 } };
}

/**
 * SHA-256, in hexadecimal, of the canonical JSON of a set: keys in alphabetical order, prompts sorted by code unit and
 * as they were written, no white space, UTF-8. The order in which prompts were given does not count.
 */
export function hashPrompts(prompts: PromptSet | SplitPrompts): string {
  const canonical = (set: PromptSet) => ({
    borderline: [...(set.borderline ?? [])].sort(),
    harmful: [...set.harmful].sort(),
    harmless: [...set.harmless].sort(),
  });
  const value = isSplit(prompts)
    ? { fit: canonical(prompts.fit), test: canonical(prompts.test), validation: canonical(prompts.validation) }
    : canonical(prompts);
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

/** Whether a set is already split. */
export function isSplit(prompts: PromptSet | SplitPrompts): prompts is SplitPrompts {
  return 'fit' in prompts;
}

interface Entry {
  prompt: string;
  role: Role;
  /** Undefined when the caller left the choice to us. */
  split: Split | undefined;
}

function toPools(prompts: PromptSet | SplitPrompts): Entry[] {
  if (!isSplit(prompts)) return toEntries(prompts, undefined);
  return splits.flatMap((split) => toEntries(prompts[split], split));
}

function toEntries(set: PromptSet | undefined, split: Split | undefined): Entry[] {
  const where = split === undefined ? 'prompts' : `prompts.${split}`;
  if (typeof set !== 'object' || set === null) throw invalid(`${where} must be { harmful, harmless }`, { where });
  return roles.flatMap((role) => {
    const list: unknown = set[role] ?? [];
    if (!Array.isArray(list)) throw invalid(`${where}.${role} must be an array of strings`, { where, role });
    return list.map((item: unknown, index) => {
      const prompt = checkPrompt(item, `${where}.${role}[${index}]`, { where, role, index });
      return { prompt, role, split };
    });
  });
}

/** One entry for each prompt. Throws when a prompt is asked to be two things. */
function distinct(entries: readonly Entry[]): { pool: Entry[]; duplicates: number } {
  const seen = new Map<string, Entry>();
  const clashes: Entry[] = [];
  for (const entry of entries) {
    const key = identity(entry.prompt);
    const first = seen.get(key);
    if (first === undefined) seen.set(key, entry);
    else if (first.role !== entry.role || first.split !== entry.split) clashes.push(entry);
  }
  if (clashes.length > 0) {
    const named = clashes.slice(0, 5).map(({ prompt, role, split }) => {
      const first = seen.get(identity(prompt)) as Entry;
      return `${quoted(prompt)} (${place(first)} and ${place({ role, split })})`;
    });
    const more = clashes.length > named.length ? ` and ${clashes.length - named.length} more` : '';
    throw invalid(`a prompt must have one role and one split; remove one of each: ${named.join(', ')}${more}`, {
      prompts: clashes.map((entry) => entry.prompt),
    });
  }
  return { pool: [...seen.values()], duplicates: entries.length - seen.size };
}

function builtInBorderline(pool: readonly Entry[]): Entry[] {
  const taken = new Set(pool.map((entry) => identity(entry.prompt)));
  return toPools(builtInPrompts()).filter((entry) => entry.role === 'borderline' && !taken.has(identity(entry.prompt)));
}

function refuseTooFew(pool: readonly Entry[]): void {
  for (const role of ['harmful', 'harmless'] as const) {
    const found = pool.filter((entry) => entry.role === role);
    if (found.length < fewestPrompts) {
      const message = `at least ${fewestPrompts} different ${role} prompts are needed; got ${found.length}`;
      throw new RosiError('PROMPTS_TOO_FEW', message, { role, found: found.length, needed: fewestPrompts });
    }
    for (const split of splits) {
      const inSplit = found.filter((entry) => entry.split === split).length;
      if (found[0]?.split === undefined || inSplit >= fewestInSplit[split]) continue;
      const message = `at least ${fewestInSplit[split]} different ${role} prompts are needed in ${split}; got ${inSplit}`;
      throw new RosiError('PROMPTS_TOO_FEW', message, { role, split, found: inSplit, needed: fewestInSplit[split] });
    }
  }
}

function draw(pool: readonly Entry[], role: Role, split: Split | undefined, seed: number): string[] {
  const prompts = pool.filter((entry) => entry.role === role && entry.split === split).map((entry) => entry.prompt);
  return shuffle(prompts.sort(), seededRandom(seed, `${role}/${split ?? ''}`));
}

function fill<T>(value: (split: Split, role: Role) => T): Record<Split, Record<Role, T>> {
  const row = (split: Split) => ({
    harmful: value(split, 'harmful'),
    harmless: value(split, 'harmless'),
    borderline: value(split, 'borderline'),
  });
  return { fit: row('fit'), validation: row('validation'), test: row('test') };
}

function place({ role, split }: Pick<Entry, 'role' | 'split'>): string {
  return split === undefined ? role : `${role}, ${split}`;
}
