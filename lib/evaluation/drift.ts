import { ModelSession, type RunTimeEdit } from '../session';
import { mean, wilson, type Rate } from '../statistics';
import {
  conversationOf,
  identityOf,
  keyOf,
  withSubject,
  type Answer,
  type AnswerSettings,
  type Subject,
} from './answers';
import { ResultStore, sha256 } from '../result-store';
import type { SuiteItem } from './suite';

/** How far a model is from the first one, on the first one's own answers. */
export interface AnswerDrift {
  /** Mean KL(first || this) of a token of an answer given what comes before it, nats. */
  kl: number;
  /** The same of the answers' first tokens. */
  firstKl: number;
  /** Share of tokens that both would write. */
  agreement: Rate;
}

/** Of one answer. */
interface TextDrift {
  kl: number;
  firstKl: number;
  same: number;
  tokens: number;
}

// Few enough that a stopped run loses little.
const atOnce = 32;

/**
 * Compares two models token by token while both read the first one's answers. Answers of no tokens are left out.
 *
 * @returns Null where they can't be compared: other prompts, another vocabulary, or a first model that has an edit.
 * @throws RosiError as {@link answersOf}.
 */
export async function driftOf(
  first: Subject,
  other: Subject,
  items: readonly SuiteItem[],
  answers: readonly Answer[],
  settings: AnswerSettings,
): Promise<AnswerDrift | null> {
  const asItIs = first.plan === null && first.controlVector === null;
  if (!asItIs || first.system !== other.system) return null;
  const identity = JSON.stringify([identityOf(first, settings), identityOf(other, settings)]);
  const store = ResultStore.open(settings.cache, 'drift', identity, isTextDrift);
  const read = items.map((item, i) => ({ item, answer: answers[i]! })).filter(({ answer }) => answer.text !== '');
  const keys = read.map(({ item, answer }) => sha256(JSON.stringify([keyOf(item), answer.text])));
  const missing = store.missing(read, keys);
  if (missing.length > 0) {
    const { signal, name } = settings;
    const comparable = await withBoth(first, other, settings, (base, asked, edit) =>
      store.fill(missing, { atOnce, signal }, async (batch, { from, to, total }) => {
        const texts = batch.map(({ item, answer }) => textOf(base, item, answer, first.system));
        const note = `${name}, answers ${from} to ${to} of ${total}`;
        const drift = await base.drift(texts, { session: asked, edit }, 'drift', note);
        return drift.texts.map(({ kl, firstKl, agreement, tokens }) => {
          return { kl, firstKl, same: Math.round(agreement * tokens), tokens };
        });
      }),
    );
    if (!comparable) return null;
  }
  return sumUp(keys.flatMap((key) => store.get(key) ?? []));
}

function sumUp(each: readonly TextDrift[]): AnswerDrift {
  const sum = (of: (one: TextDrift) => number) => each.reduce((total, one) => total + of(one), 0);
  const tokens = sum((one) => one.tokens);
  return {
    kl: sum((one) => one.kl * one.tokens) / tokens,
    firstKl: mean(each.map(({ firstKl }) => firstKl)),
    agreement: wilson(
      sum((one) => one.same),
      tokens,
    ),
  };
}

/** Both in memory. False when their vocabularies differ. */
async function withBoth(
  first: Subject,
  other: Subject,
  settings: AnswerSettings,
  use: (base: ModelSession, asked: ModelSession, edit?: RunTimeEdit) => Promise<void>,
): Promise<boolean> {
  const { signal } = settings;
  const base = await ModelSession.open(first.model, settings);
  let own: ModelSession | undefined;
  try {
    own =
      other.model === first.model ? undefined : await ModelSession.open(other.model, { ...settings, ...base.where });
    const session = own ?? base;
    if (session.info.nVocab !== base.info.nVocab) return false;
    await withSubject(session, other, { signal }, (asked, edit) => use(base, asked, edit));
    return true;
  } finally {
    own?.close();
    base.close();
  }
}

function textOf(base: ModelSession, item: SuiteItem, { text }: Answer, system: string | null) {
  const prompt = base.encodeConversation(conversationOf(item, system));
  const tokens = Int32Array.from([...prompt, ...base.encodeText(text)]);
  return { tokens, from: prompt.length };
}

function isTextDrift(value: unknown): value is TextDrift {
  if (typeof value !== 'object' || value === null) return false;
  const { kl, firstKl, same, tokens } = value as Partial<Record<keyof TextDrift, unknown>>;
  return [kl, firstKl, same, tokens].every((one) => typeof one === 'number');
}
