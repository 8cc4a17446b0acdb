import { RosiError } from './errors';
import type { NativeDrift, NativeScores } from './native';
import { mean, wilson, type Rate } from './statistics';

/** Continuations of one text, each scored on its own. */
export interface ContinuationGroup {
  /** What comes before; at least one token. */
  prefix: Int32Array;
  /** At least one token each. */
  options: Int32Array[];
}

export interface ContinuationScore {
  /** Sum over its tokens of log p(token | prefix, tokens before), nats. */
  logLikelihood: number;
  tokens: number;
  /** Whether greedy decoding would write it. */
  greedy: boolean;
}

export interface PerplexityOptions {
  /** Tokens of a chunk. Default 512. */
  context?: number | undefined;
  /**
   * Tokens from the start of a chunk to that of the next; the last `stride` of each are counted. Default: chunks do not
   * overlap, and those after the first half are counted, as llama-perplexity does.
   */
  stride?: number | undefined;
}

export interface Perplexity {
  /** Mean negative log-likelihood of a token, nats. */
  meanNll: number;
  /** Of `meanNll`, as if tokens were independent. */
  standardError: number;
  /** e^meanNll */
  perplexity: number;
  /** How many were counted. */
  tokens: number;
}

/** A text to compare two runs on. */
export interface DriftText {
  tokens: Int32Array;
  /** The first token that is compared, from 1: that of an answer, after its prompt. */
  from: number;
}

export interface Drift {
  /** Mean KL(base || other) of a token's distribution given what comes before it, nats. */
  kl: number;
  /** Of `kl`, over the texts: the tokens of one are not independent. NaN of fewer than two texts with tokens. */
  standardError: number;
  /** Share of tokens for which both hold the same one for the most likely. */
  agreement: Rate;
  /** How many were compared. */
  tokens: number;
  /** One a text, in order; `firstKl` of its first compared token. NaN where nothing was compared. */
  texts: { kl: number; firstKl: number; agreement: number; tokens: number }[];
}

/** Scores of each option, in the shape of the groups. */
export function foldScores(groups: readonly ContinuationGroup[], scores: NativeScores): ContinuationScore[][] {
  let at = 0;
  return groups.map(({ options }) =>
    options.map(({ length }) => {
      const from = at;
      at += length;
      const logLikelihood = scores.logLikelihoods.subarray(from, at).reduce((sum, value) => sum + value, 0);
      return { logLikelihood, tokens: length, greedy: scores.greedy.subarray(from, at).every((is) => is === 1) };
    }),
  );
}

/**
 * The chunks of a text, each with its counted tokens as the one option.
 *
 * @param bos - What each chunk's first token is replaced by; undefined where the vocabulary adds none.
 * @see The engine's tools/perplexity/perplexity.cpp, `perplexity()`. With `stride` it counts the same tokens as its
 *   `perplexity_v2()` but for the last chunk, which that leaves out where it ends with the text; that also runs without BOS.
 */
export function perplexityChunks(
  tokens: Int32Array,
  { context = 512, stride }: PerplexityOptions,
  nContext: number,
  bos: number | undefined,
): ContinuationGroup[] {
  const check = (name: string, value: number, least: number, most: number) => {
    if (Number.isInteger(value) && value >= least && value <= most) return;
    throw new RosiError('OPTION_INVALID', `${name} must be ${least} to ${most}; got ${value}`, { [name]: value, most });
  };
  check('context', context, 4, nContext);
  if (stride !== undefined) check('stride', stride, 1, context - 1);
  if (tokens.length < context) {
    const message = `the text has ${tokens.length} tokens; perplexity at a context of ${context} needs as many at least`;
    throw new RosiError('PROMPTS_INVALID', message, { tokens: tokens.length, context });
  }
  const counted = stride ?? context - Math.floor(context / 2) - 1;
  const groups: ContinuationGroup[] = [];
  for (let start = 0; start + context <= tokens.length; start += stride ?? context) {
    const chunk = tokens.slice(start, start + context);
    if (bos !== undefined) chunk[0] = bos;
    groups.push({ prefix: chunk.subarray(0, context - counted), options: [chunk.subarray(context - counted)] });
  }
  return groups;
}

export function foldPerplexity({ logLikelihoods }: NativeScores): Perplexity {
  const tokens = logLikelihoods.length;
  const meanNll = -mean(logLikelihoods);
  const variance = mean(logLikelihoods.map((value) => (value + meanNll) ** 2));
  return { meanNll, standardError: Math.sqrt(variance / (tokens - 1)), perplexity: Math.exp(meanNll), tokens };
}

export function foldDrift(texts: readonly DriftText[], { kl, sameTop }: NativeDrift): Drift {
  let at = 0;
  const each = texts.map(({ tokens, from }) => {
    const begin = at;
    at += tokens.length - from;
    return {
      kl: mean(kl.subarray(begin, at)),
      firstKl: at > begin ? kl[begin]! : NaN,
      agreement: mean(sameTop.subarray(begin, at)),
      tokens: at - begin,
    };
  });
  const total = mean(kl);
  // Of a ratio of sums: each text's part of it is its tokens times how far it is from the whole's mean.
  const filled = each.filter((text) => text.tokens > 0);
  const squares = filled.reduce((sum, text) => sum + (text.tokens * (text.kl - total)) ** 2, 0);
  const error = Math.sqrt((squares * filled.length) / (filled.length - 1)) / kl.length;
  const same = sameTop.reduce((sum, value) => sum + value, 0);
  return {
    kl: total,
    standardError: filled.length < 2 ? NaN : error,
    agreement: wilson(same, sameTop.length),
    tokens: kl.length,
    texts: each,
  };
}
