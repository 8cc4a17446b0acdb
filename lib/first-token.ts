import { roles, type Role } from './prompts';
import { refusalOpenings } from './refusal';
import type { ModelSession } from './session';
import { mean } from './statistics';

/** First-token behaviour on prompts of each role; a screening signal, not the result. */
export interface Screening {
  /** Mean probability that the answer starts with the first token of a refusal, 0 to 1; 0 without prompts. */
  refusal: Record<Role, number>;
  /** Mean KL(original || edited) of the first token on harmless prompts, nats. */
  kl: number;
}

/** First tokens of refusals in this model's vocabulary, at the start of an answer, after a space and after a line. */
export function refusalTokens(session: ModelSession): Set<number> {
  const starts = ['', ' ', '\n'];
  const tokens = refusalOpenings.flatMap((word) => starts.map((start) => session.firstToken(start + word)));
  return new Set(tokens.filter((token) => token !== undefined));
}

/** log softmax of one row of logits [nVocab]. */
export function logProbabilities(logits: Float32Array): Float32Array {
  let highest = -Infinity;
  for (const value of logits) if (value > highest) highest = value;
  let sum = 0;
  for (const value of logits) sum += Math.exp(value - highest);
  const norm = highest + Math.log(sum);
  return logits.map((value) => value - norm);
}

/** Probability that the first token is one of `tokens`. */
export function probabilityOf(tokens: ReadonlySet<number>, logP: Float32Array): number {
  let sum = 0;
  for (const token of tokens) sum += Math.exp(logP[token]!);
  return sum;
}

/** KL(p || q) in nats from log p and log q. */
export function divergence(logP: Float32Array, logQ: Float32Array): number {
  let sum = 0;
  for (let j = 0; j < logP.length; ++j) {
    const p = logP[j]!;
    if (p > -30) sum += Math.exp(p) * (p - logQ[j]!); // e^-30 of a probability adds nothing
  }
  return Math.max(0, sum);
}

/** What one prompt's first token says; `kl` is null where the role's drift is not of interest. */
export interface FirstToken {
  role: Role;
  refusal: number;
  kl: number | null;
}

export function summarise(tokens: readonly FirstToken[]): Screening {
  const meanOf = (values: number[]) => (values.length === 0 ? 0 : mean(values));
  const refusal = Object.fromEntries(
    roles.map((role) => [role, meanOf(tokens.filter((token) => token.role === role).map((token) => token.refusal))]),
  ) as Record<Role, number>;
  return { refusal, kl: meanOf(tokens.flatMap(({ kl }) => (kl === null ? [] : [kl]))) };
}
