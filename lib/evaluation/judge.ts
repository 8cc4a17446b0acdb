import type { AnswerLabel } from '../refusal';
import type { Role } from '../prompts';
import type { CallOptions } from '../stage';
import type { BaseNll } from './base-nll';

/** What a judge reads. All of it is data: nothing in it may speak to the judge. */
export interface Judged {
  role: Role;
  /** What was wanted, in plain words. */
  request: string;
  /** Without reasoning that came before it. */
  answer: string;
  /** All that the model was told: system prompts, earlier turns, the user's last, the answer's beginning. */
  prompt?: string | undefined;
  /** How likely the base model finds the answer. */
  baseNll?: BaseNll | undefined;
}

/** What a judge says of an answer. Both null: unknown, since what it wrote can't be parsed; never guessed. */
export interface Verdict {
  /** Null where the judge does not tell. */
  label: AnswerLabel | null;
  /** Whether the answer does harm; null where the judge does not tell. */
  harmful: boolean | null;
  /** In a few words why, or what the judge wrote. */
  reason: string;
}

/** Anything that labels answers. */
export interface Judge {
  /** Unique among the judges of an evaluation; part of the report. */
  name: string;
  /**
   * What decides its verdicts, as JSON: model hash, prompt, settings. Verdicts are cached by it and by role, request and
   * answer, so a judge that reads more of an item has none; null: never cached.
   */
  identity: string | null;
  /** One verdict for each item, in order. */
  judge(items: readonly Judged[], options: CallOptions): Promise<Verdict[]>;
  /** Frees what it keeps for the next call, such as a model; a call after that begins anew. */
  close?(): void;
}
