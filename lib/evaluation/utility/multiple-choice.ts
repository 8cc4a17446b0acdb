import { RosiError } from '../../errors';
import type { ContinuationGroup } from '../../score';
import type { ModelSession, RunTimeEdit } from '../../session';
import { interval, mean, wilson } from '../../statistics';
import { spread } from '../suites';
import type { ChoiceMetric, ChoiceQuestion, ChoiceTask, ChoiceTaskName } from './question';

export interface MultipleChoiceOptions {
  /** Most questions: the first ones, of a task with categories as many of each as can be. Default all. */
  limit?: number | undefined;
  edit?: RunTimeEdit | undefined;
  note?: string | undefined;
}

/** A mean over questions, 0 to 1. */
export interface MetricValue {
  value: number;
  /** Sample standard deviation over the root of `total`, as lm-evaluation-harness reports it; NaN of one question. */
  standardError: number;
  /** 95 % interval: Wilson's of a share, the normal one of `mc2`. */
  low: number;
  high: number;
  total: number;
}

export interface QuestionResult {
  /** Whether the most likely choice is right. */
  correct: boolean;
  /** The question's part of each metric, 0 to 1. */
  values: Partial<Record<ChoiceMetric, number>>;
  /** Of each choice, nats. */
  logLikelihoods: number[];
  category?: string;
}

export interface MultipleChoiceResult {
  task: ChoiceTaskName;
  metrics: Partial<Record<ChoiceMetric, MetricValue>>;
  /** In the order of the task; the same questions for every model that the task is run on with the same limit. */
  perQuestion: QuestionResult[];
  /** Questions whose beginning was cut off, as they are longer than the model's context. */
  truncated: number;
}

/**
 * Asks a model the questions of a task: it answers by the choice that it finds most likely after the question. No chat
 * template, as in lm-evaluation-harness without `--apply_chat_template`; a text is tokenised with its choice and cut where
 * the text alone ends, and one beyond the context loses its beginning, as there.
 *
 * @throws RosiError `OPTION_INVALID`, `ENGINE_FAILED`, `ABORTED`.
 */
export async function multipleChoice(
  session: ModelSession,
  task: ChoiceTask,
  options: MultipleChoiceOptions = {},
): Promise<MultipleChoiceResult> {
  const { limit = task.questions.length, edit, note = task.name } = options;
  if (!Number.isInteger(limit) || limit < 1) {
    throw new RosiError('OPTION_INVALID', `limit must be an integer from 1; got ${limit}`, { limit });
  }
  const questions = spread(task.questions, limit);
  const groups = questions.map((question) => encode(session, question));
  const scores = await session.scoreContinuations(
    groups.map(({ group }) => group),
    edit,
    'utility',
    note,
  );
  const perQuestion = questions.map((question, i) =>
    judge(
      question,
      task.metrics,
      scores[i]!.map(({ logLikelihood }) => logLikelihood),
    ),
  );
  const metrics = task.metrics.map((metric) => [metric, summarise(metric, perQuestion)] as const);
  return {
    task: task.name,
    metrics: Object.fromEntries(metrics),
    perQuestion,
    truncated: groups.filter(({ truncated }) => truncated).length,
  };
}

/** As `TemplateLM._encode_pair` of lm_eval/api/model.py: white space at the end of the context belongs to the choice. */
function encode(
  session: ModelSession,
  { context, choices }: ChoiceQuestion,
): { group: ContinuationGroup; truncated: boolean } {
  const { addsBos, nContext } = session.info;
  const before = context.trimEnd();
  const tokens = session.encodeText(before, addsBos);
  const options = choices.map((choice) => {
    const whole = session.encodeText(`${context} ${choice}`, addsBos);
    return whole.slice(Math.min(tokens.length, whole.length - 1)); // one token at least
  });
  const longest = Math.max(...options.map(({ length }) => length));
  const room = nContext + 1 - longest; // the last token of a choice is not run
  if (room < 1) {
    throw new RosiError('OPTION_INVALID', `a choice has ${longest} tokens; this model's context is ${nContext}`, {
      tokens: longest,
      nContext,
    });
  }
  const truncated = tokens.length > room;
  return { group: { prefix: truncated ? tokens.slice(-room) : tokens, options }, truncated };
}

/** What the likelihoods of a question's choices say. */
export function judge(
  { choices, right, category }: ChoiceQuestion,
  metrics: readonly ChoiceMetric[],
  logLikelihoods: number[],
): QuestionResult {
  const correct = right[first(logLikelihoods)]!;
  // In characters, as len() of a Python string counts them, without the space before the choice.
  const perCharacter = logLikelihoods.map((value, i) => value / [...choices[i]!].length);
  const value = (metric: ChoiceMetric): number => {
    if (metric === 'acc_norm') return right[first(perCharacter)] ? 1 : 0;
    if (metric === 'mc2') return shareOfRight(right, logLikelihoods);
    return correct ? 1 : 0;
  };
  const values = Object.fromEntries(metrics.map((metric) => [metric, value(metric)]));
  return { correct, values, logLikelihoods, ...(category !== undefined && { category }) };
}

/** Index of the highest, of several the first. */
function first(values: readonly number[]): number {
  return values.indexOf(Math.max(...values));
}

function shareOfRight(right: readonly boolean[], logLikelihoods: readonly number[]): number {
  const highest = Math.max(...logLikelihoods);
  const weights = logLikelihoods.map((value) => Math.exp(value - highest));
  const sum = (of: readonly number[]) => of.reduce((total, weight) => total + weight, 0);
  return sum(weights.filter((_, i) => right[i])) / sum(weights);
}

function summarise(metric: ChoiceMetric, questions: readonly QuestionResult[]): MetricValue {
  const values = questions.map((question) => question.values[metric]!);
  const total = values.length;
  const value = mean(values);
  const squares = values.reduce((sum, each) => sum + (each - value) ** 2, 0);
  const standardError = Math.sqrt(squares / (total - 1) / total);
  const { low, high } = metric === 'mc2' ? interval(value, standardError) : wilson(Math.round(value * total), total);
  return { value, standardError, low, high, total };
}
