import { conversationWriter, type Message, type RenderOptions, type SpecialTokens } from '../template';

/** What a chat template writes between the texts of a conversation of any length. */
export interface Turns {
  /** Before the first user's text, when there is no system text. */
  head: string;
  /** Before the system text, and between it and the first user's text. */
  systemHead: string;
  systemTail: string;
  /** From a user's text to an answer that is there. */
  toAnswer: string;
  /** From an answer to the next user's text. */
  toUser: string;
  /** From the last user's text to where the answer begins. */
  prompt: string;
  /** The same where thinking aloud is turned off; null when that makes no difference. */
  promptWithoutThinking: string | null;
}

/** Why a template is not of the form of {@link Turns}, in words that follow "the model's template". */
export class OtherForm extends Error {}

const system: Message['role'][] = ['system'];
const exchanges = [1, 2, 3].map((n) =>
  Array.from({ length: 2 * n - 1 }, (_, i): Message['role'] => (i % 2 === 0 ? 'user' : 'assistant')),
);
const anotherDay = new Date(Date.UTC(2031, 10, 3));

/**
 * Recognises the framing of a chat template by what it makes of conversations of one to three user turns, with and
 * without a system text. A template that refuses a system turn gets it at the head of the first user's turn.
 *
 * @throws OtherForm when some conversation is framed otherwise than the parts say.
 */
export function readTurns(template: string, tokens: SpecialTokens): Turns {
  const write = conversationWriter(template, tokens);
  const gaps = (roles: Message['role'][], options?: RenderOptions) => gapsOf(template, write, roles, options);
  const [head = '', prompt = ''] = gaps(['user']);
  const [, toAnswer = '', toUser = ''] = gaps(exchanges[1]!);
  const [systemHead = '', systemTail = ''] = gaps([...system, 'user']);
  const [, off = ''] = gaps(['user'], { thinking: false });
  const turns: Turns = {
    head,
    systemHead,
    systemTail,
    toAnswer,
    toUser,
    prompt,
    promptWithoutThinking: off === prompt ? null : off,
  };
  for (const roles of exchanges) {
    for (const withSystem of [false, true]) {
      const all = withSystem ? [...system, ...roles] : roles;
      const same = (options: RenderOptions, last: string) =>
        sameTexts(gaps(all, options), expected(turns, roles.length, withSystem, last));
      if (!same({}, prompt)) throw new OtherForm('frames a later turn otherwise than the first');
      if (!same({ date: anotherDay }, prompt)) throw new OtherForm("writes the day's date");
      if (!same({ thinking: true }, prompt) || !same({ thinking: false }, off)) {
        throw new OtherForm('frames earlier turns otherwise when the model may think aloud');
      }
    }
  }
  return turns;
}

function expected(turns: Turns, nTexts: number, withSystem: boolean, last: string): string[] {
  const earlier = Array.from({ length: nTexts - 1 }, (_, i) => (i % 2 === 0 ? turns.toAnswer : turns.toUser));
  return [...(withSystem ? [turns.systemHead, turns.systemTail] : [turns.head]), ...earlier, last];
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}

/** What the template writes before, between and after marks in the place of the texts. */
function gapsOf(
  template: string,
  write: ReturnType<typeof conversationWriter>,
  roles: readonly Message['role'][],
  options: RenderOptions = {},
): string[] {
  let n = 0;
  while (template.includes(`rosi${n}`)) ++n;
  const messages = roles.map((role, i): Message => ({ role, content: `rosi${n}text${i}` }));
  let text: string;
  try {
    text = write(messages, options);
  } catch (error) {
    if (messages[0]!.role !== 'system') throw new OtherForm(`refuses a conversation: ${(error as Error).message}`);
    const [head, first, ...rest] = messages as [Message, Message, ...Message[]];
    const merged: Message = { role: 'user', content: `${head.content}\n\n${first.content}` };
    try {
      text = write([merged, ...rest], options);
    } catch (cause) {
      throw new OtherForm(`refuses a conversation: ${(cause as Error).message}`);
    }
  }
  const gaps: string[] = [];
  for (const { content } of messages) {
    const at = text.indexOf(content);
    if (at < 0) throw new OtherForm('does not write the texts in their order');
    gaps.push(text.slice(0, at));
    text = text.slice(at + content.length);
  }
  if (text.includes(`rosi${n}`)) throw new OtherForm('writes a text more than once');
  return [...gaps, text];
}
