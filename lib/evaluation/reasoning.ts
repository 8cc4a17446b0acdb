/** What a model wrote, taken apart. */
export interface Spoken {
  /** What it thought aloud before it answered; null when it did not. */
  reasoning: string | null;
  /** What it said to the user; empty when it was cut off while thinking. */
  answer: string;
}

// Qwen3, DeepSeek-R1, SmolLM3 and most others; then what a few models write instead.
const blocks = [
  ['<think>', '</think>'],
  ['<thinking>', '</thinking>'],
  ['<reasoning>', '</reasoning>'],
  ['[THINK]', '[/THINK]'],
] as const;

/**
 * Parts the reasoning at the beginning of a text from the answer after it. A template may have opened the block, so that
 * its opening tag is not in the text: then `opened` says so, and a closing tag alone ends it.
 *
 * @param opened - Whether the prompt left the model inside of a reasoning block. Default false.
 */
export function splitReasoning(text: string, opened = false): Spoken {
  const trimmed = text.trimStart();
  for (const [open, close] of blocks) {
    const starts = trimmed.startsWith(open);
    const end = trimmed.indexOf(close);
    if (!starts && !(opened && end >= 0)) continue;
    const from = starts ? open.length : 0;
    if (end < 0) return { reasoning: trimmed.slice(from).trim(), answer: '' };
    return { reasoning: trimmed.slice(from, end).trim(), answer: trimmed.slice(end + close.length).trim() };
  }
  return opened ? { reasoning: trimmed.trim(), answer: '' } : { reasoning: null, answer: text.trim() };
}
