import { deflateRawSync } from 'node:zlib';

/** Why a text is no answer at all. */
export type Degeneration = 'empty' | 'noise' | 'repetition';

/**
 * Whether a text is what a model babbles when an edit was too strong: nothing, noise, or the same words over and over.
 * Fluent nonsense is not seen: words that follow each other naturally and mean nothing need a reader, or a model that finds
 * them unlikely (lib/evaluation/base-nll.ts).
 */
export function degeneration(text: string): Degeneration | null {
  if (text.trim() === '') return 'empty';
  if (isNoise(text)) return 'noise';
  return isRepetition(text) ? 'repetition' : null;
}

function isNoise(text: string): boolean {
  if (!/[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(text)) return true;
  // Bytes that form no character: the model emits them one by one when it has lost the thread.
  if ((text.match(/\ufffd/gu)?.length ?? 0) > text.length / 10) return true;
  // Longer than any word that is written with these letters; addresses have other characters between.
  if (/[\p{Script=Latin}\p{Script=Cyrillic}]{50,}/u.test(text)) return true;
  return isScriptSalad(text);
}

const scripts = [
  /\p{Script=Latin}/u,
  /\p{Script=Cyrillic}/u,
  /\p{Script=Greek}/u,
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u, // Japanese mixes them in every sentence
  /\p{Script=Hangul}/u,
  /\p{Script=Arabic}/u,
  /\p{Script=Hebrew}/u,
  /\p{Script=Thai}/u,
  /\p{Script=Devanagari}/u,
];

/** Three or more scripts, changing at every other word. Lists and brackets, as in "hello (привет)", are no change. */
function isScriptSalad(text: string): boolean {
  const found = new Set<number>();
  let changes = 0;
  for (const [stretch] of text.matchAll(/[\p{L}\p{M} ]+/gu)) {
    const sequence = [...stretch.matchAll(/\p{L}/gu)].map(([letter]) =>
      scripts.findIndex((script) => script.test(letter)),
    );
    for (const script of sequence) found.add(script);
    changes += sequence.filter((script, i) => i > 0 && script !== sequence[i - 1]).length;
  }
  return found.size >= 3 && changes >= 6 && changes > wordsOf(text).length * 0.4;
}

function isRepetition(text: string): boolean {
  const words = wordsOf(text);
  if (longestRun(words) >= 8) return true;
  // One character over and over, unless it draws a line or counts.
  if (/([^\s\p{N}\-=_*.#~|`+])\1{11,}/u.test(text)) return true;
  // Songs and tables repeat half of their three-word groups at most; loops repeat nearly all.
  if (words.length >= 12 && distinctShare(words, 3) < 0.45) return true;
  if (endsInLoop(words) || repeatsSentences(text)) return true;
  if (/(?:^[ \t]*[-*•][ \t]*\n){8}/mu.test(text)) return true; // a list without items
  const letters = [...text.replace(/[\s\-=_*|.]+/gu, ' ')];
  // Text without spaces: one "word" may be a hundred characters long.
  if (letters.length >= 40 && words.length < letters.length / 12 && distinctShare(letters, 4) < 0.4) return true;
  // Loops whose rounds differ by a word or a number. Prose of this length shrinks to a half or a third, tables to a fifth.
  const bytes = Buffer.from(text);
  return bytes.length >= 400 && bytes.length / deflateRawSync(bytes).length > 7;
}

/** Whether the last words are one group of words at least four times over. */
function endsInLoop(words: readonly string[]): boolean {
  const end = words.length - 1;
  for (let period = 1; period <= words.length / 4; ++period) {
    let same = 0;
    while (same + period <= end && words[end - same] === words[end - same - period]) ++same;
    if (same >= 3 * period && same + period >= 12) return true;
  }
  return false;
}

/** Whether half of the sentences, lines and list items of three words and more were there before, whatever their number. */
function repeatsSentences(text: string): boolean {
  const said = text
    .split(/\n[ \t]*(?:\d{1,3}[.)])?|[.!?]+(?=\s|$)/u)
    .map((sentence) => wordsOf(sentence))
    .filter((words) => words.length >= 3)
    .map((words) => words.join(' '));
  const repeats = said.length - new Set(said).size;
  return repeats >= 4 && repeats >= said.length / 2;
}

function longestRun(words: readonly string[]): number {
  let longest = 0;
  let run = 0;
  for (let i = 0; i < words.length; ++i) {
    run = words[i] === words[i - 1] ? run + 1 : 1;
    longest = Math.max(longest, run);
  }
  return longest;
}

/** Share of groups of n neighbours that are different, 1 when none repeats. */
function distinctShare(items: readonly string[], n: number): number {
  const groups = items.slice(n - 1).map((_, i) => items.slice(i, i + n).join('\u0000'));
  return new Set(groups).size / Math.max(1, groups.length);
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}'’]+/gu) ?? [];
}
