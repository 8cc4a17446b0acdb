import { RosiError } from './errors';
import { Environment, type Program, Template } from './jinja';
import { type Segment, toSegments } from './segments';
import { BoundedInterpreter, checkLength, LimitError, range, withinTime } from './template-limits';

/** A turn of each that is over. */
export interface Exchange {
  user: string;
  assistant: string;
}

/** What is said up to the point where the model speaks. All of it is data: none of it can become a control token. */
export interface Conversation {
  system?: string | undefined;
  /** Turns before the last, oldest first. Default none. */
  history?: readonly Exchange[] | undefined;
  /** What the user says last. */
  user: string;
  /** How the answer begins. */
  assistantPrefix?: string | undefined;
}

/** What a model's vocabulary says of its special tokens. */
export interface SpecialTokens {
  /** Text of the token that begins a sequence; templates write it as `bos_token`. */
  bosToken?: string | null | undefined;
  eosToken?: string | null | undefined;
  /**
   * Text of every token that the tokeniser only makes when it parses special tokens: those of type CONTROL and
   * UNKNOWN. With it, only their occurrences in the conversation are fenced off and the rest of the prompt is one
   * segment, tokenised exactly as in chat. Without it, every text of the conversation is a segment of its own, which
   * tokenisers that put a space before each segment (SentencePiece) see as one token more.
   */
  controlTokens?: readonly string[] | undefined;
}

export interface RenderedPrompt {
  segments: Segment[];
  /** Whether the tokeniser is to put the token that begins a sequence in front, if it is a model that wants one. */
  addBos: boolean;
  /** The model has no template; the prompt is `User: ...`, `Assistant: ...` on lines of their own, after the system text. */
  usedFallback: boolean;
  /** The template refuses or drops a system turn, so the system text stands at the head of the first user's turn. */
  systemMerged: boolean;
}

/**
 * The day that templates are told it is. Llama 3 writes the date into its system turn, and prompts of another day would
 * be other prompts: the same seed must give the same file. It is the day Llama 3.1's template names when it has no clock.
 */
export const templateDate = new Date(Date.UTC(2024, 6, 26));

/**
 * Writes a prompt with the model's own chat template, ending where the assistant's turn begins.
 *
 * A template is run once, with marks in the place of texts, and the texts are put in afterwards, trimmed where the
 * template trims. So a template never sees a text, and a text can't choose how it is framed.
 *
 * @param template - `tokenizer.chat_template` of the file; null or blank when it has none.
 * @param thinking - Whether the model may think aloud first. Default false: the template is told not to, and a reasoning
 *   block that it opens all the same is closed.
 * @throws RosiError `TEMPLATE_FAILED` with what the template said, or when it leaves out what one of them says.
 */
export function renderPrompt(
  template: string | null | undefined,
  conversation: Conversation,
  tokens: SpecialTokens = {},
  thinking = false,
): RenderedPrompt {
  const usedFallback = template === null || template === undefined || template.trim() === '';
  const { system = '', history = [], user } = conversation;
  const hasSystem = system.trim() !== '';
  const turns = [...history.flatMap((past) => [past.user, past.assistant]), user];
  const frame = usedFallback
    ? fallbackFrame(hasSystem, turns.length)
    : templateFrame(template, hasSystem, turns.length, tokens, thinking);
  const pieces = frame.parts.map((part) => {
    if ('text' in part) return { text: part.text, data: false };
    let text = part.slot === 'system' ? system : (turns[part.slot] as string);
    if (part.trimStart) text = text.trimStart();
    if (part.trimEnd) text = text.trimEnd();
    return { text, data: true };
  });
  if (conversation.assistantPrefix) pieces.push({ text: conversation.assistantPrefix, data: true });
  const bos = tokens.bosToken;
  const addBos = !(bos && pieces[0]?.data === false && pieces[0].text.startsWith(bos));
  return { segments: toSegments(pieces, tokens.controlTokens), addBos, usedFallback, systemMerged: frame.systemMerged };
}

/** A turn of a conversation. */
export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

/** What a template is told beside the conversation. */
export interface RenderOptions {
  /** The day that it is. Default {@link templateDate}. */
  date?: Date | undefined;
  /** Whether the model may think aloud first. Undefined: the template is not told. */
  thinking?: boolean | undefined;
}

/**
 * A template as a function that writes whole conversations, up to where the assistant's next turn begins. For texts of
 * one's own: they are seen by the template and not fenced off from its control tokens.
 *
 * The function throws what the template throws, and when a content is not in what it writes.
 * @throws RosiError `TEMPLATE_FAILED` when it can't be read.
 */
export function conversationWriter(
  template: string,
  tokens: SpecialTokens,
): (messages: readonly Message[], options?: RenderOptions) => string {
  let program: Program;
  try {
    checkLength(template);
    program = withinTime(() => new Template(template).parsed);
  } catch (cause) {
    throw failed(cause);
  }
  return (messages, options = {}) => {
    let failure: unknown;
    for (const form of [messages, messages.map(contentAsList)]) {
      try {
        const text = withinTime(() => run(program, form, tokens, options));
        if (messages.every(({ content }) => text.includes(content))) return text;
        failure ??= new Error('it leaves out a text of the conversation');
      } catch (error) {
        if (error instanceof LimitError) throw error;
        failure ??= error;
      }
    }
    throw failure;
  };
}

/** The whole text of a prompt, for people to read; tokenise its segments instead. */
export function promptText(prompt: RenderedPrompt): string {
  return prompt.segments.map((segment) => segment.text).join('');
}

/** The system text, or a turn: users speak in those of even number, counted from 0. */
type SlotName = 'system' | number;
type Part = { text: string } | { slot: SlotName; trimStart: boolean; trimEnd: boolean };

/** A prompt with its texts taken out. */
interface Frame {
  parts: Part[];
  systemMerged: boolean;
}

function slot(name: SlotName): Part {
  return { slot: name, trimStart: false, trimEnd: false };
}

function fallbackFrame(hasSystem: boolean, nTurns: number): Frame {
  const parts: Part[] = hasSystem ? [slot('system'), { text: '\n\n' }] : [];
  for (let turn = 0; turn < nTurns; ++turn) {
    const head = turn % 2 === 1 ? '\nAssistant: ' : turn === 0 ? 'User: ' : '\nUser: ';
    parts.push({ text: head }, slot(turn));
  }
  return { parts: [...parts, { text: '\nAssistant:' }], systemMerged: false };
}

// A run renders hundreds of prompts with a few frames; parsing a long template takes milliseconds.
const frames = new Map<string, Frame>();
const maxFrames = 32;

function templateFrame(
  template: string,
  hasSystem: boolean,
  nTurns: number,
  tokens: SpecialTokens,
  thinking: boolean,
): Frame {
  const key = JSON.stringify([template, hasSystem, nTurns, tokens.bosToken, tokens.eosToken, thinking]);
  const known = frames.get(key);
  if (known) return known;
  let frame: Frame;
  try {
    checkLength(template);
    frame = withinTime(() => makeFrame(template, hasSystem, nTurns, tokens, thinking));
  } catch (cause) {
    throw failed(cause);
  }
  if (frames.size >= maxFrames) frames.clear();
  frames.set(key, frame);
  return frame;
}

function makeFrame(
  template: string,
  hasSystem: boolean,
  nTurns: number,
  tokens: SpecialTokens,
  thinking: boolean,
): Frame {
  const program = new Template(template).parsed;
  const mark = chooseMark(template);
  const turns = Array.from({ length: nTurns }, (_, turn): Message => {
    return { role: turn % 2 === 0 ? 'user' : 'assistant', content: mark.of(turn) };
  });
  const [first, ...later] = turns as [Message, ...Message[]];
  const system: Message = { role: 'system', content: mark.of('system') };
  const merged: Message = { role: 'user', content: `${system.content}\n\n${first.content}` };
  // First as the template's authors meant it, then with the system text at the head of the first user's turn. Templates
  // of models that also see images may want the content as a list.
  const attempts = hasSystem
    ? [
        { messages: [system, ...turns], systemMerged: false },
        { messages: [merged, ...later], systemMerged: true },
      ]
    : [{ messages: turns, systemMerged: false }];
  let failure: unknown;
  for (const { messages, systemMerged } of attempts) {
    for (const asList of [false, true]) {
      try {
        const text = run(program, asList ? messages.map(contentAsList) : messages, tokens, { thinking });
        const parts = cut(thinking ? text : withoutReasoning(text), mark);
        const missing = missingText(parts, hasSystem, nTurns);
        if (missing === null) return { parts, systemMerged };
        failure ??= new Error(`the template leaves out ${missing}`);
      } catch (error) {
        if (error instanceof LimitError) throw error; // the other attempts would only cost as much again
        failure ??= error;
      }
    }
  }
  throw failure;
}

function missingText(parts: readonly Part[], hasSystem: boolean, nTurns: number): string | null {
  const slots = new Set(parts.map((part) => ('slot' in part ? part.slot : null)));
  if (!slots.has(nTurns - 1)) return 'the user text';
  for (let turn = 0; turn < nTurns; ++turn) if (!slots.has(turn)) return 'the text of an earlier turn';
  return hasSystem && !slots.has('system') ? 'the system text' : null;
}

function contentAsList(message: Message): object {
  return { role: message.role, content: [{ type: 'text', text: message.content }] };
}

/** Closes a reasoning block that the template opens whatever it is told: the answer begins after it. */
function withoutReasoning(text: string): string {
  return text.trimEnd().endsWith('<think>') ? `${text.trimEnd()}\n\n</think>\n\n` : text;
}

/** What a model's template may use: docs of the transformers library, "Chat templates". */
function run(
  program: Program,
  messages: readonly object[],
  tokens: SpecialTokens,
  { date = templateDate, thinking }: RenderOptions,
): string {
  const globals: Record<string, unknown> = {
    true: true,
    false: false,
    none: null,
    True: true,
    False: false,
    None: null,
    range,
    raise_exception: (message: string) => {
      throw new Error(message);
    },
    strftime_now: (format: string) => strftime(date, format),
    messages,
    add_generation_prompt: true,
    ...(thinking === undefined ? {} : { enable_thinking: thinking, thinking }),
    bos_token: tokens.bosToken ?? '',
    eos_token: tokens.eosToken ?? '',
  };
  const environment = new Environment();
  for (const [name, value] of Object.entries(globals)) environment.set(name, value);
  return (new BoundedInterpreter(environment).run(program) as { value: string }).value;
}

/** What stands for the texts while the template runs. */
interface Mark {
  of(slot: SlotName): string;
  /** Finds marks, with the white space around them that is left. */
  pattern: RegExp;
}

// White space that no template writes; whether it survives says whether the template trims.
const pad = '\u2003';

function chooseMark(template: string): Mark {
  const taken = new Set(Array.from(template.matchAll(/rosi(\d+)/gu), ([, digits]) => Number(digits)));
  let n = 0;
  while (taken.has(n)) ++n;
  return {
    of: (slot) => `${pad}rosi${n}m${slot}e${pad}`,
    pattern: new RegExp(`(${pad}?)rosi${n}m(system|\\d+)e(${pad}?)`, 'gu'),
  };
}

function cut(text: string, { pattern }: Mark): Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    const [whole, before, name, after] = match;
    if (match.index > from) parts.push({ text: text.slice(from, match.index) });
    parts.push({ slot: name === 'system' ? name : Number(name), trimStart: before === '', trimEnd: after === '' });
    from = match.index + whole.length;
  }
  if (from < text.length) parts.push({ text: text.slice(from) });
  return parts;
}

/** As Python's in the C locale, for what dates in templates use. */
function strftime(date: Date, format: string): string {
  const months = 'January February March April May June July August September October November December'.split(' ');
  const days = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');
  const month = months[date.getUTCMonth()] as string;
  const day = days[date.getUTCDay()] as string;
  const two = (n: number) => String(n).padStart(2, '0');
  const fields: Record<string, string> = {
    a: day.slice(0, 3),
    A: day,
    b: month.slice(0, 3),
    B: month,
    d: two(date.getUTCDate()),
    e: String(date.getUTCDate()).padStart(2),
    F: date.toISOString().slice(0, 10),
    H: two(date.getUTCHours()),
    I: two(date.getUTCHours() % 12 || 12),
    m: two(date.getUTCMonth() + 1),
    M: two(date.getUTCMinutes()),
    p: date.getUTCHours() < 12 ? 'AM' : 'PM',
    S: two(date.getUTCSeconds()),
    T: date.toISOString().slice(11, 19),
    y: two(date.getUTCFullYear() % 100),
    Y: String(date.getUTCFullYear()),
    Z: 'UTC',
    z: '+0000',
    '%': '%',
  };
  // "%-d" is the field without its leading zero.
  return format.replace(/%(-?)([A-Za-z%])/gu, (all, bare: string, field: string) => {
    const text = fields[field];
    if (text === undefined) return all;
    return bare ? text.replace(/^[0 ](?=.)/u, '') : text;
  });
}

function failed(cause: unknown): RosiError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new RosiError('TEMPLATE_FAILED', `the model's chat template can't be used: ${reason}`, { reason }, { cause });
}
