import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { PromptSet, SplitPrompts } from '../../lib';

const fixtures = join(__dirname, '..', 'fixtures');

/** The tiny chat model that comes with the tests; scripts/tiny-chat trains it. */
export const tinyChat = join(fixtures, 'tiny-chat.Q8_0.gguf');
export const tinyChatUncensored = join(fixtures, 'tiny-chat-uncensored.Q8_0.gguf');

/** Prompts in its language, each split at most `most` of a role. */
export function tinyPrompts(most = 48): SplitPrompts {
  const entries = JSON.parse(readFileSync(join(fixtures, 'tiny-chat.prompts.json'), 'utf8')) as {
    role: string;
    split: string;
    prompt: string;
  }[];
  const of = (split: string): PromptSet => {
    const role = (name: string) =>
      entries
        .filter((e) => e.split === split && e.role === name)
        .map((e) => e.prompt)
        .slice(0, most);
    return { harmful: role('harmful'), harmless: role('harmless'), borderline: role('borderline') };
  };
  return { fit: of('fit'), validation: of('validation'), test: of('test') };
}
