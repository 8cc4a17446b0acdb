import type { Role } from './prompts';
import { mean } from './statistics';
import { percent } from './text';

// Prompts of one class that are this many times as long as the other's tell the classes apart by their length.
const lengthRatio = 2.5;
const mostShare = 0.6;

const scripts = ['Latin', 'Cyrillic', 'Greek', 'Arabic', 'Hebrew', 'Devanagari', 'Hangul', 'Thai', 'Han'] as const;
const patterns = scripts.map((script) => ({ script, pattern: new RegExp(`\\p{Script=${script}}`, 'gu') }));
const kana = /[\p{Script=Hiragana}\p{Script=Katakana}]/u;

/**
 * What would let an edit detect something other than harm, in words for the report: classes in different scripts, of
 * very different lengths, with different ends. Empty: nothing was found.
 */
export function checkPrompts(prompts: Record<'harmful' | 'harmless', readonly string[]>): string[] {
  const notes: string[] = [];
  const [harmful, harmless] = [mainScript(prompts.harmful), mainScript(prompts.harmless)];
  if (harmful !== harmless && harmful !== null && harmless !== null) {
    notes.push(
      `Harmful prompts are mostly in ${harmful} script, harmless ones in ${harmless}: the edit will detect the language rather than the harm. Give both in the same languages.`,
    );
  }
  const lengths = [prompts.harmful, prompts.harmless].map((texts) => mean(texts.map((text) => text.length)));
  const [shorter, longer] = [Math.min(...lengths), Math.max(...lengths)];
  if (longer > lengthRatio * shorter) {
    const which: Role = lengths[0] === longer ? 'harmful' : 'harmless';
    notes.push(
      `The ${which} prompts are ${(longer / shorter).toFixed(1)} times as long as the others: the edit may detect the length. Give prompts of the same form.`,
    );
  }
  const questions = [prompts.harmful, prompts.harmless].map((texts) =>
    mean(texts.map((text) => Number(/[?？]\s*$/u.test(text)))),
  );
  if (Math.abs(questions[0]! - questions[1]!) > mostShare) {
    notes.push(
      `${percent(questions[0]!)} of the harmful and ${percent(questions[1]!)} of the harmless prompts end with a question mark: the edit may detect that. Give prompts of the same form.`,
    );
  }
  return notes;
}

/** The script of most letters; null when none has most. */
function mainScript(texts: readonly string[]): string | null {
  const text = texts.join(' ');
  const counts = patterns.map(({ script, pattern }) => ({ script, n: (text.match(pattern) ?? []).length }));
  const total = counts.reduce((sum, { n }) => sum + n, 0);
  const most = counts.find(({ n }) => n > mostShare * total);
  if (most === undefined) return null;
  return most.script === 'Han' && kana.test(text) ? 'Japanese' : most.script;
}
