import type { StageTime } from '../clock';
import type { Role } from '../prompts';
import type { AnswerDrift } from './drift';
import type { Answer } from './answers';
import type { BaseNll } from './base-nll';
import type { Verdict } from './judge';
import type { JudgeAgreement } from './judges/agreement';
import type { Shift, Tally } from './tally';
import type { UtilityReport } from './utility/measure';

/** A model of the evaluation: one column of its table. */
export interface EvaluatedModel {
  name: string;
  path: string;
  sha256: string;
  bytes: number;
  /** System prompt before every request; null: none. */
  system: string | null;
  /** The run-time edit, in a few words; null: none. */
  edit: string | null;
}

/** How one model does on a suite. */
export interface ModelResult {
  /** By each judge, in the order of {@link Evaluation.judges}. */
  tallies: Tally[];
  /** Against the first model, by each judge; null for the first model itself. */
  shifts: Shift[] | null;
  /** Mean tokens of a prompt and of an answer. */
  tokens: { prompt: number; answer: number };
  /** Answers that the most tokens cut off. */
  cut: number;
  /**
   * How far the model is from the first on harmless requests; null for the first itself, for other suites, and where the
   * prompts or the vocabularies differ.
   */
  drift: AnswerDrift | null;
  /** Of the answers' {@link BaseNll}: the mean of their means, and the highest; null where none could be read. */
  baseNll: { mean: number; highest: number } | null;
}

/** A request with all answers and what each judge says of them. */
export interface AnswerRow {
  request: string;
  category: string | null;
  /** One a model. */
  answers: (Answer & {
    /** How likely the first model's file finds the answer; null where it is empty or could not be read. */
    baseNll: BaseNll | null;
    /** One a judge. */
    verdicts: Verdict[];
  })[];
}

export interface SuiteResult {
  name: string;
  role: Role;
  /** Of the requests as they are asked: canonical JSON, in order. */
  sha256: string;
  prompts: number;
  /** One a model. */
  results: ModelResult[];
  /** By category, in alphabetical order; empty where the suite has none. Of the first judge. */
  categories: { name: string; prompts: number; tallies: Tally[] }[];
  rows: AnswerRow[];
}

/** What an evaluation found: plain JSON. A share of nothing is null in JSON. */
export interface Evaluation {
  /** Version of this package. */
  rosi: string;
  settings: { maxTokens: number; thinking: boolean };
  models: EvaluatedModel[];
  /** Names; the first is the one that tables show. */
  judges: string[];
  suites: SuiteResult[];
  /** How each two judges agree on all answers; empty of one judge. */
  agreement: (JudgeAgreement & { judges: [string, string] })[];
  /** Questions with choices, and perplexity; null where none were asked for. */
  utility: UtilityReport | null;
  /** What a reader of the numbers should know. */
  notes: string[];
  stages: StageTime[];
  seconds: number;
}
