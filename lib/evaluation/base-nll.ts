import { ResultStore, sha256, type Missing } from '../result-store';
import { ModelSession } from '../session';
import { conversationOf, identityOf, keyOf, type Answer, type AnswerSettings, type Subject } from './answers';
import type { SuiteItem } from './suite';

/** How likely the base model finds an answer. */
export interface BaseNll {
  /** Mean negative log-likelihood of a token of the answer given what comes before it, nats. */
  mean: number;
  /** Tokens of the answer in the base model's vocabulary. */
  tokens: number;
}

/** A column of an evaluation with its answers, one an item. */
export interface AnsweredSubject {
  name: string;
  subject: Subject;
  answers: readonly Answer[];
}

// Between what fluent answers reach at most and words in no order at least: docs/evaluation.md, scripts/base-nll.mjs. A few
// unlikely words make a short answer improbable.
export const improbable = { nats: 4.5, fewestTokens: 32 };

/** Whether an answer is so unlikely that it can hardly be language. */
export function isImprobable({ mean, tokens }: BaseNll): boolean {
  return tokens >= improbable.fewestTokens && mean > improbable.nats;
}

// Few enough that a stopped run loses little.
const atOnce = 32;

/** Whether a column is answered by the base model itself: the first column's file without what a run-time edit adds. */
export function isBase({ sha256, plan, controlVector }: Subject, first: Subject): boolean {
  return sha256 === first.sha256 && plan === null && controlVector === null;
}

/**
 * The base model ({@link isBase}) reads the answers of the columns, each after the prompt that its column had, in the base
 * model's own template and vocabulary. Reasoning is left out, its block closed. Equal answers to equal prompts are read once,
 * and not those that it wrote itself with their log-likelihood.
 *
 * Cost: a forward pass over prompt and answer for each answer that has no stored result.
 *
 * @returns [column][item]; null of an empty answer, and of a prompt that leaves no room in the base model's context.
 * @throws RosiError as {@link answersOf}.
 */
export async function baseNlls(
  first: Subject,
  columns: readonly AnsweredSubject[],
  items: readonly SuiteItem[],
  settings: Omit<AnswerSettings, 'name'>,
): Promise<(BaseNll | null)[][]> {
  const { cache, signal } = settings;
  const stores = new Map<string | null, ResultStore<BaseNll | null>>(); // by system prompt
  const found: (BaseNll | null)[][] = [];
  let base: ModelSession | undefined;
  try {
    for (const { name, subject, answers } of columns) {
      const { system } = subject;
      const asked = { ...first, system, plan: null, controlVector: null };
      const identity = identityOf(asked, { ...settings, name, thinking: false });
      const store = stores.get(system) ?? ResultStore.open(cache, 'base-nll', identity, isBaseNll);
      stores.set(system, store);
      const read = items.map((item, i) => ({ item, text: answers[i]!.text }));
      const keys = read.map(({ item, text }) => sha256(JSON.stringify([keyOf(item), text])));
      if (isBase(subject, first)) store.add(ownNlls(store.missing(answers, keys)));
      const missing = store.missing(read, keys);
      if (missing.length > 0) {
        const session = (base ??= await ModelSession.open(first.model, { ...settings, thinking: false }));
        await store.fill(missing, { atOnce, signal }, (batch, { from, to, total }) =>
          readAnswers(session, system, batch, `${name}, answers ${from} to ${to} of ${total}`),
        );
      }
      found.push(keys.map((key) => store.get(key)!));
    }
  } finally {
    base?.close();
  }
  return found;
}

/** Of answers that the base model wrote, where its log-likelihood is that of the text which would be read. */
function ownNlls(answers: readonly Missing<Answer>[]): [key: string, nll: BaseNll][] {
  return answers.flatMap(({ key, item: { logLikelihood, tokens } }) =>
    logLikelihood === null || tokens === 0 ? [] : [[key, { mean: -logLikelihood / tokens, tokens }]],
  );
}

async function readAnswers(
  base: ModelSession,
  system: string | null,
  batch: readonly { item: SuiteItem; text: string }[],
  note: string,
): Promise<(BaseNll | null)[]> {
  const groups = batch.map(({ item, text }) => {
    const prefix = base.encodeConversation(conversationOf(item, system));
    // Text that no tokenizer wrote may have more tokens than its model generated.
    const tokens = base.encodeText(text).subarray(0, Math.max(0, base.info.nContext - prefix.length));
    return { prefix, options: [tokens] };
  });
  const readable = groups.filter(({ options: [tokens] }) => tokens!.length > 0);
  const scores = readable.length === 0 ? [] : await base.scoreContinuations(readable, undefined, 'read', note);
  return groups.map((group) => {
    const score = scores[readable.indexOf(group)]?.[0];
    return score === undefined ? null : { mean: -score.logLikelihood / score.tokens, tokens: score.tokens };
  });
}

function isBaseNll(value: unknown): value is BaseNll | null {
  if (value === null) return true;
  if (typeof value !== 'object') return false;
  const { mean, tokens } = value as Partial<Record<keyof BaseNll, unknown>>;
  return typeof mean === 'number' && Number.isInteger(tokens);
}
