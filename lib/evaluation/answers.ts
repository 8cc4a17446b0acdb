import type { LayerPush } from '../outputs/control-vector';
import type { SavedPlan } from '../outputs/saved-plan';
import type { PlacementOptions } from '../placement';
import { ModelSession, type RunTimeEdit } from '../session';
import { promptText } from '../template';
import type { CallOptions } from '../stage';
import { withEdit } from '../trial-edit';
import { buildIdentity } from '../build-identity';
import { splitReasoning } from './reasoning';
import { ResultStore, sha256, type Missing } from '../result-store';
import type { SuiteItem } from './suite';

/** A model as it is asked: the file, and what is added to it or said before every request. */
export interface Subject {
  /** Path of a GGUF. */
  model: string;
  /** SHA-256 of the file, in hexadecimal; of a split model, of its files one after the other. */
  sha256: string;
  /** System prompt before every request; null: none. */
  system: string | null;
  /** An edit that acts at run time; null: none. */
  plan: SavedPlan | null;
  /** A control vector that acts at run time; null: none. */
  controlVector: readonly LayerPush[] | null;
}

/** A greedy answer. */
export interface Answer {
  /** What was said to the user; empty when the model was cut off while thinking. */
  text: string;
  /** What it thought aloud before; null when it did not. It is not judged. */
  reasoning: string | null;
  /** Tokens that the model wrote, reasoning and all. */
  tokens: number;
  /** Tokens of the prompt. */
  promptTokens: number;
  /** Whether the most tokens were reached before the model ended its turn. */
  cut: boolean;
  /**
   * Of the text after the prompt, by the model that wrote it, nats; null when it was not asked for, when the model was let think, and
   * where the text alone would be other tokens than it wrote.
   */
  logLikelihood: number | null;
}

export interface AnswerSettings extends CallOptions, PlacementOptions {
  /** Most new tokens. */
  maxTokens: number;
  thinking: boolean;
  /** Whether new answers come with their log-likelihood. Stored ones stay as they are. Default false. */
  logLikelihoods?: boolean | undefined;
  /** Null: nothing is kept on disk. */
  cache: string | null;
  threads?: number | undefined;
  /** Of the subject, for progress. */
  name: string;
}

// Few enough that a run that is stopped loses a minute at most on a laptop, and enough to fill batches.
const atOnce = 48;

/**
 * Greedy answers to each item, each on its own. Those that an earlier run stored are not generated again; the others are,
 * in batches that are stored whole, so that a run that was stopped goes on with the very batches it would have had.
 *
 * @throws RosiError `GGUF_INVALID`, `MODEL_UNSUPPORTED`, `PROMPTS_INVALID`, `TEMPLATE_FAILED`, `ENGINE_FAILED`, `FILE_FAILED`, `ABORTED`.
 */
export async function answersOf(
  subject: Subject,
  items: readonly SuiteItem[],
  settings: AnswerSettings,
): Promise<Answer[]> {
  const store = ResultStore.open(settings.cache, 'answers', identityOf(subject, settings), isAnswer);
  const keys = items.map(keyOf);
  const missing = store.missing(items, keys);
  if (missing.length > 0) await generateInto(store, subject, missing, settings);
  return keys.map((key) => store.get(key)!);
}

async function generateInto(
  store: ResultStore<Answer>,
  subject: Subject,
  missing: readonly Missing<SuiteItem>[],
  settings: AnswerSettings,
): Promise<void> {
  const { signal, maxTokens, logLikelihoods = false, name } = settings;
  const session = await ModelSession.open(subject.model, settings);
  try {
    await withSubject(session, subject, { signal }, (asked, edit) =>
      store.fill(missing, { atOnce, signal }, async (items, { from, to, total }) => {
        const prompts = items.map((item) => session.encodeConversation(conversationOf(item, subject.system)));
        const note = `${name}, answers ${from} to ${to} of ${total}`;
        const how = { maxTokens, logLikelihoods, edit, stage: 'answer', note };
        const { texts, tokens: written, counts, logLikelihoods: likely } = await asked.generate(prompts, how);
        return items.map((item, i) => {
          const { reasoning, answer } = splitReasoning(texts[i]!, opensReasoning(session, item, subject.system));
          const [tokens, promptTokens] = [counts[i]!, prompts[i]!.length];
          const isAll = () => !settings.thinking && session.encodeText(answer).join() === written[i]!.join();
          const logLikelihood = likely !== null && isAll() ? likely[i]! : null;
          return { text: answer, reasoning, tokens, promptTokens, cut: tokens >= maxTokens, logLikelihood };
        });
      }),
    );
  } finally {
    session.close();
  }
}

/** Lends the session with what the subject adds to its file. */
export async function withSubject<T>(
  session: ModelSession,
  { plan, controlVector }: Subject,
  options: CallOptions,
  use: (session: ModelSession, edit?: RunTimeEdit) => Promise<T>,
): Promise<T> {
  if (controlVector !== null) {
    const adapter = session.loadPushes(controlVector);
    try {
      return await use(session, { adapter, scale: 1 });
    } finally {
      session.closeAdapter(adapter);
    }
  }
  if (plan === null || plan.plan.tensors.length === 0) return use(session);
  return withEdit(session, plan.plan, options, use);
}

/** What the engine is asked; the item's own system turn comes after the subject's. */
export function conversationOf({ user, history, system, assistantPrefix }: SuiteItem, before: string | null) {
  const both = [before, system].filter((text) => text !== null && text !== undefined && text !== '');
  return { user, history, assistantPrefix, system: both.length > 0 ? both.join('\n\n') : undefined };
}

function opensReasoning(session: ModelSession, item: SuiteItem, system: string | null): boolean {
  const text = promptText(session.render(conversationOf({ ...item, assistantPrefix: '' }, system)));
  return /(?:<think(?:ing)?>|<reasoning>|\[THINK\])\s*$/u.test(text);
}

/** Everything that decides an answer beside the item. */
export function identityOf(
  { sha256: model, system, plan, controlVector }: Subject,
  { maxTokens, thinking }: AnswerSettings,
): string {
  const added = plan?.plan ?? controlVector;
  const edit = added === null ? null : sha256(JSON.stringify(added, typedArraysAsText));
  return JSON.stringify({ build: buildIdentity(), model, system, edit, maxTokens, thinking });
}

function typedArraysAsText(_: string, value: unknown): unknown {
  return ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
    : value;
}

/** What decides the answer of one subject. */
export function keyOf({ user, history = [], system, assistantPrefix }: SuiteItem): string {
  const turns = history.map((turn) => [turn.user, turn.assistant]);
  return sha256(JSON.stringify([turns, user, system ?? null, assistantPrefix ?? null]));
}

function isAnswer(value: unknown): value is Answer {
  if (typeof value !== 'object' || value === null) return false;
  const { text, reasoning, tokens, promptTokens, cut, logLikelihood } = value as Partial<Record<keyof Answer, unknown>>;
  const counted = Number.isInteger(tokens) && Number.isInteger(promptTokens);
  const measured = logLikelihood === null || typeof logLikelihood === 'number';
  const said = typeof text === 'string' && (reasoning === null || typeof reasoning === 'string');
  return said && counted && measured && typeof cut === 'boolean';
}
