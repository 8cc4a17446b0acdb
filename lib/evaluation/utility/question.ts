/** A question with answers to choose from, as a model reads it. */
export interface ChoiceQuestion {
  /** What comes before the answer. */
  context: string;
  /** Answers; a space comes before each. */
  choices: string[];
  /** Whether each is right. */
  right: boolean[];
  /** Of the set that it is from: of MMLU the subject. */
  category?: string;
}

export const choiceMetrics = ['acc', 'acc_norm', 'mc1', 'mc2'] as const;
/**
 * - `acc`, `mc1`: share of questions whose most likely choice is right.
 * - `acc_norm`: the same of the likelihood a character, so that short choices have no advantage.
 * - `mc2`: probability of all right choices together, among all choices.
 */
export type ChoiceMetric = (typeof choiceMetrics)[number];

/** Questions of one set. */
export interface ChoiceTask {
  name: ChoiceTaskName;
  metrics: readonly ChoiceMetric[];
  questions: readonly ChoiceQuestion[];
}

export const choiceTaskNames = [
  'mmlu',
  'hellaswag',
  'arc_easy',
  'arc_challenge',
  'boolq',
  'truthfulqa_mc1',
  'truthfulqa_mc2',
] as const;
export type ChoiceTaskName = (typeof choiceTaskNames)[number];
