import type { Role } from './prompts';
import { labelAnswer, refusalOpenings, type AnswerLabel } from './refusal';
import type { ModelSession, RunTimeEdit } from './session';
import { mean, wilson, type Rate } from './statistics';

/** First-token behaviour on prompts of each role; a screening signal, not the result. */
export interface Screening {
  /** Mean probability that the answer starts with the first token of a refusal, 0 to 1. */
  refusal: Record<Role, number>;
  /** Mean KL(original || edited) of the first token on harmless prompts, nats. */
  kl: number;
}

export interface AnswerSample {
  role: Role;
  prompt: string;
  answer: string;
  label: AnswerLabel;
}

/** Whole answers, labelled. */
export interface Behaviour {
  /** Share refused, of each role, with its 95 % Wilson interval. */
  refused: Record<Role, Rate>;
  /** Share of all answers that are empty or loop. */
  degenerate: Rate;
  answers: AnswerSample[];
}

const roles: Role[] = ['harmful', 'harmless', 'borderline'];

/** First tokens of refusals in this model's vocabulary, at the start of an answer and after a space. */
export function refusalTokens(session: ModelSession): Set<number> {
  const tokens = refusalOpenings.flatMap((word) => [session.encodeText(word)[0], session.encodeText(` ${word}`)[0]]);
  return new Set(tokens.filter((token) => token !== undefined));
}

/** Screens one edit after another on the same prompts; the original's logits are computed once. */
export class Screen {
  private constructor(
    private readonly session: ModelSession,
    private readonly tokens: Int32Array[],
    private readonly roleOf: Role[],
    private readonly refusal: Set<number>,
    private readonly original: Map<number, Float32Array>,
    readonly baseline: Screening,
  ) {}

  static async open(session: ModelSession, prompts: Record<Role, string[]>): Promise<Screen> {
    const roleOf = roles.flatMap((role) => prompts[role].map(() => role));
    const tokens = roles.flatMap((role) => prompts[role].map((prompt) => session.encode(prompt)));
    const refusal = refusalTokens(session);
    const logits = await session.nextTokenLogits(tokens, undefined, 'screen the original');
    const original = new Map<number, Float32Array>();
    const baseline = measure(logits, session.info.nVocab, roleOf, refusal, original, true);
    return new Screen(session, tokens, roleOf, refusal, original, baseline);
  }

  /** The same prompts through another model of the same vocabulary, e.g. the hardened file. */
  async compare(session: ModelSession): Promise<Screening> {
    const logits = await session.nextTokenLogits(this.tokens, undefined, 'screen the output');
    return measure(logits, session.info.nVocab, this.roleOf, this.refusal, this.original, false);
  }

  async run(edit: RunTimeEdit, note: string): Promise<Screening> {
    const logits = await this.session.nextTokenLogits(this.tokens, edit, 'search', note);
    return measure(logits, this.session.info.nVocab, this.roleOf, this.refusal, this.original, false);
  }
}

function measure(
  logits: Float32Array,
  nVocab: number,
  roleOf: Role[],
  refusal: Set<number>,
  original: Map<number, Float32Array>,
  isOriginal: boolean,
): Screening {
  const shares: Record<Role, number[]> = { harmful: [], harmless: [], borderline: [] };
  const kls: number[] = [];
  roleOf.forEach((role, i) => {
    const row = logits.subarray(i * nVocab, (i + 1) * nVocab);
    const norm = logSumExp(row);
    let share = 0;
    for (const token of refusal) share += Math.exp(row[token]! - norm);
    shares[role].push(share);
    if (role !== 'harmless') return;
    if (isOriginal)
      original.set(
        i,
        row.map((value) => value - norm),
      );
    else kls.push(divergence(original.get(i)!, row, norm));
  });
  const refusalOf = (role: Role) => (shares[role].length === 0 ? 0 : mean(shares[role]));
  return {
    refusal: { harmful: refusalOf('harmful'), harmless: refusalOf('harmless'), borderline: refusalOf('borderline') },
    kl: kls.length === 0 ? 0 : mean(kls),
  };
}

function logSumExp(row: Float32Array): number {
  let highest = -Infinity;
  for (const value of row) if (value > highest) highest = value;
  let sum = 0;
  for (const value of row) sum += Math.exp(value - highest);
  return highest + Math.log(sum);
}

/** KL(p || q) from log p and the unnormalised log q. */
function divergence(logP: Float32Array, logits: Float32Array, norm: number): number {
  let sum = 0;
  for (let j = 0; j < logP.length; ++j) {
    const p = logP[j]!;
    if (p > -30) sum += Math.exp(p) * (p - (logits[j]! - norm));
  }
  return Math.max(0, sum);
}

/** Generates and labels whole answers. */
export async function behaviour(
  session: ModelSession,
  prompts: Record<Role, string[]>,
  options: { maxTokens: number; edit?: RunTimeEdit; stage: string; note?: string },
): Promise<Behaviour> {
  const list = roles.flatMap((role) => prompts[role].map((prompt) => ({ role, prompt })));
  const tokens = list.map(({ prompt }) => session.encode(prompt));
  const texts = await session.generate(tokens, options.maxTokens, options.edit, options.stage, options.note);
  const answers = list.map((item, i) => ({ ...item, answer: texts[i]!, label: labelAnswer(texts[i]!).label }));
  const rate = (role: Role) => {
    const of = answers.filter((answer) => answer.role === role);
    return wilson(of.filter((answer) => answer.label === 'refused').length, of.length);
  };
  return {
    refused: { harmful: rate('harmful'), harmless: rate('harmless'), borderline: rate('borderline') },
    degenerate: wilson(answers.filter((answer) => answer.label === 'degenerate').length, answers.length),
    answers,
  };
}
