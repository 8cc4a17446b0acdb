import { ModelSession } from '../../session';
import { mcnemarExact } from '../../statistics';
import { identityOf, withSubject, type AnswerSettings, type Subject } from '../answers';
import { ResultStore, sha256 } from '../../result-store';
import type { Perplexity } from '../../score';
import { multipleChoice, type MultipleChoiceResult } from './multiple-choice';
import type { ChoiceTask } from './question';

/** A text whose perplexity is measured. */
export interface NamedText {
  name: string;
  text: string;
}

/** What is measured beside answers to requests. */
export interface UtilityTasks {
  /** Questions with choices: `readChoiceTask`. Default none. */
  tasks?: readonly ChoiceTask[] | undefined;
  /** Texts for perplexity, each at least 512 tokens long. Default none. */
  texts?: readonly NamedText[] | undefined;
}

/** How useful one model is; null of a model with a system prompt, as these are no conversations. */
export interface UtilityResult {
  choices: Omit<MultipleChoiceResult, 'perQuestion'>[];
  perplexities: Perplexity[];
}

/** Of a task, how the answers to the same questions differ between the first model and another. */
export interface ChoiceShift {
  /** Questions that only the other gets right. */
  gained: number;
  /** Questions that only the first gets right. */
  lost: number;
  /** Exact two-sided McNemar test of the two counts. */
  pValue: number;
}

/** Tasks and texts, and what each model makes of them; null where none were asked for. */
export interface UtilityReport {
  tasks: { name: string; questions: number }[];
  texts: { name: string; sha256: string }[];
  /** One a model. */
  results: (UtilityResult | null)[];
  /** [model][task], against the first model; null of the first model and where one of both has no result. */
  shifts: (ChoiceShift[] | null)[];
}

type Stored = { choice: MultipleChoiceResult } | { perplexity: Perplexity };

/** Measures each model once; what an earlier run stored is not measured again. @throws RosiError as `evaluate`. */
export async function measureUtility(
  subjects: readonly { subject: Subject; described: { name: string } }[],
  { tasks = [], texts = [] }: UtilityTasks,
  settings: Omit<AnswerSettings, 'name'>,
): Promise<UtilityReport | null> {
  if (tasks.length === 0 && texts.length === 0) return null;
  const found: ({ choices: MultipleChoiceResult[]; perplexities: Perplexity[] } | null)[] = [];
  for (const { subject, described } of subjects) {
    const measured = new Measured(subject, { ...settings, name: described.name });
    found.push(subject.system === null ? await measured.all(tasks, texts) : null);
  }
  const [first] = found;
  return {
    tasks: tasks.map(({ name, questions }) => ({ name, questions: questions.length })),
    texts: texts.map(({ name, text }) => ({ name, sha256: sha256(text) })),
    results: found.map((one) => one && { ...one, choices: one.choices.map(withoutQuestions) }),
    shifts: found.map((one, i) =>
      i === 0 || !first || !one ? null : one.choices.map((choice, task) => shiftOf(first.choices[task]!, choice)),
    ),
  };
}

/** One model's results, in memory only where something is missing. */
class Measured {
  private readonly store: ResultStore<Stored>;

  constructor(
    private readonly subject: Subject,
    private readonly settings: AnswerSettings,
  ) {
    this.store = ResultStore.open(settings.cache, 'utility', identityOf(subject, settings), isStored);
  }

  async all(tasks: readonly ChoiceTask[], texts: readonly NamedText[]) {
    const keys = [...tasks, ...texts].map((one) => sha256(JSON.stringify(one)));
    if (keys.some((key) => this.store.get(key) === undefined)) await this.measure(tasks, texts, keys);
    const stored = keys.map((key) => this.store.get(key)!);
    return {
      choices: stored.flatMap((one) => ('choice' in one ? [one.choice] : [])),
      perplexities: stored.flatMap((one) => ('perplexity' in one ? [one.perplexity] : [])),
    };
  }

  private async measure(tasks: readonly ChoiceTask[], texts: readonly NamedText[], keys: readonly string[]) {
    const { signal, name } = this.settings;
    const session = await ModelSession.open(this.subject.model, { ...this.settings, thinking: false });
    try {
      await withSubject(session, this.subject, { signal }, async (asked, edit) => {
        for (const [i, task] of tasks.entries()) {
          if (this.store.get(keys[i]!) !== undefined) continue;
          const choice = await multipleChoice(asked, task, { edit, note: `${name}, ${task.name}` });
          this.store.add([[keys[i]!, { choice }]]);
        }
        for (const [i, { name: of, text }] of texts.entries()) {
          const key = keys[tasks.length + i]!;
          if (this.store.get(key) !== undefined) continue;
          const tokens = session.encodeText(text, session.info.addsBos);
          const perplexity = await asked.perplexity(tokens, {}, edit, 'perplexity', `${name}, ${of}`);
          this.store.add([[key, { perplexity }]]);
        }
      });
    } finally {
      session.close();
    }
  }
}

function withoutQuestions({ task, metrics, truncated }: MultipleChoiceResult) {
  return { task, metrics, truncated };
}

function shiftOf(first: MultipleChoiceResult, other: MultipleChoiceResult): ChoiceShift {
  const only = (a: MultipleChoiceResult, b: MultipleChoiceResult) =>
    a.perQuestion.filter(({ correct }, i) => correct && !b.perQuestion[i]!.correct).length;
  const [gained, lost] = [only(other, first), only(first, other)];
  return { gained, lost, pValue: mcnemarExact(gained, lost) };
}

function isStored(value: unknown): value is Stored {
  if (typeof value !== 'object' || value === null) return false;
  const { choice, perplexity } = value as { choice?: Partial<MultipleChoiceResult>; perplexity?: Partial<Perplexity> };
  return Array.isArray(choice?.perQuestion) || typeof perplexity?.perplexity === 'number';
}
