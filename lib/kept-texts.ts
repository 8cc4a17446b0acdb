import { createHash } from 'node:crypto';

import { checkPrompt, identity, invalid, quoted } from './prompt-identity';
import { seededRandom, shuffle } from './random';

/** What became of the texts that are to be kept as they are; part of the report. */
export interface KeptSummary {
  used: number;
  /** Given more than once, or harmless or borderline prompts in use; left out. */
  duplicates: number;
  /** Left out because the cap was reached. */
  unused: number;
  /** Of the texts in use: their sorted list as JSON, UTF-8. */
  sha256: string;
}

/** Three rows of each are kept of every writer's inputs: with these and the prompts the capture of a model about doubles. */
export const keptCap = 256;

/**
 * Checks the texts whose activations are to stay and draws what a run uses. Harmless and borderline prompts are left out:
 * those of the fitting split are kept anyway, and the others measure.
 *
 * @throws RosiError `PROMPTS_INVALID`: no list, an empty text, or one that is a harmful prompt as well.
 */
export function chooseKept(
  texts: readonly string[] | undefined,
  prompts: { harmful: readonly string[]; benign: readonly string[] },
  seed: number,
): { kept: string[]; summary: KeptSummary | null } {
  if (texts === undefined) return { kept: [], summary: null };
  const list: unknown = texts;
  if (!Array.isArray(list)) throw invalid('options.keep must be an array of strings', { option: 'keep' });
  const harmful = new Set(prompts.harmful.map(identity));
  const taken = new Set(prompts.benign.map(identity));
  const distinct = new Map<string, string>();
  const clashes: string[] = [];
  for (const [index, entry] of list.entries()) {
    const text = checkPrompt(entry, `options.keep[${index}]`, { option: 'keep', index });
    const key = identity(text);
    if (harmful.has(key)) clashes.push(text);
    else if (!taken.has(key) && !distinct.has(key)) distinct.set(key, text);
  }
  if (clashes.length > 0) {
    const named = clashes.slice(0, 5).map(quoted).join(', ');
    const more = clashes.length > 5 ? ` and ${clashes.length - 5} more` : '';
    const message = `a text to keep can't be a harmful prompt as well; remove one of each: ${named}${more}`;
    throw invalid(message, { option: 'keep', prompts: clashes });
  }
  const kept = shuffle([...distinct.values()].sort(), seededRandom(seed, 'kept')).slice(0, keptCap);
  const sha256 = createHash('sha256')
    .update(JSON.stringify([...kept].sort()))
    .digest('hex');
  const duplicates = list.length - distinct.size;
  return { kept, summary: { used: kept.length, duplicates, unused: distinct.size - kept.length, sha256 } };
}
