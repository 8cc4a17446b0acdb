/** A share that was counted, with its 95 % interval. All shares are 0 to 1; of nothing they are NaN. */
export interface Rate {
  count: number;
  total: number;
  share: number;
  low: number;
  high: number;
}

// Two-sided 95 % point of the normal distribution.
const Z95 = 1.959963984540054;

/**
 * A counted share and its Wilson score interval, which stays inside [0, 1] and is honest near its ends, where
 * refusal rates live: 0 of 40 gives 0 to .088, not 0 to 0.
 *
 * @see Wilson (1927), https://doi.org/10.1080/01621459.1927.10502953
 */
export function wilson(count: number, total: number): Rate {
  const share = count / total;
  const denominator = 1 + Z95 ** 2 / total;
  const centre = (share + Z95 ** 2 / (2 * total)) / denominator;
  const half = (Z95 * Math.sqrt((share * (1 - share)) / total + Z95 ** 2 / (4 * total ** 2))) / denominator;
  // At 0 and at `total` the ends are exactly 0 and 1; the formula misses them by a rounding error.
  return {
    count,
    total,
    share,
    low: count === 0 ? 0 * share : Math.max(0, centre - half),
    high: count === total ? share : Math.min(1, centre + half),
  };
}

/** Fewest trials at which the Wilson interval of a share is at most `width` wide, to two digits. */
export function trialsFor(share: number, width: number): number {
  let n = 1;
  // The width falls as 1 / sqrt(n): from below in steps of a twentieth.
  for (; ; n = Math.ceil(n * 1.05)) {
    const { low, high } = wilson(Math.round(share * n), n);
    if (high - low <= width) break;
  }
  return Number(n.toPrecision(2));
}

/** The normal 95 % interval of a mean between 0 and 1. */
export function interval(value: number, standardError: number): { low: number; high: number } {
  const half = Z95 * standardError;
  return { low: Math.max(0, value - half), high: Math.min(1, value + half) };
}

/** Arithmetic mean; NaN of nothing. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; ++i) sum += values[i] as number;
  return sum / values.length;
}

/**
 * Quantile by linear interpolation between order statistics (type 7, as in R and NumPy); NaN of nothing.
 *
 * @param share - 0 is the smallest value, .5 the median, 1 the largest.
 */
export function quantile(values: ArrayLike<number>, share: number): number {
  if (values.length === 0) return NaN;
  const sorted = Float64Array.from(values).sort();
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const lower = sorted[below] as number;
  const upper = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return lower + (upper - lower) * (position - below);
}

/**
 * Chance that a random positive scores above a random negative, ties counting half: .5 tells nothing, 1 separates.
 * O(n log n), from the positives' mid-ranks. NaN when either side is empty.
 */
export function auroc(positives: ArrayLike<number>, negatives: ArrayLike<number>): number {
  const scored = [
    ...Array.from(positives, (score) => ({ score, positive: true })),
    ...Array.from(negatives, (score) => ({ score, positive: false })),
  ].sort((a, b) => a.score - b.score);
  let rankSum = 0;
  for (let start = 0; start < scored.length;) {
    let end = start;
    while (end < scored.length && scored[end]?.score === scored[start]?.score) ++end;
    const midRank = (start + 1 + end) / 2; // ranks count from 1
    for (let i = start; i < end; ++i) if (scored[i]?.positive) rankSum += midRank;
    start = end;
  }
  const wins = rankSum - (positives.length * (positives.length + 1)) / 2;
  return wins / (positives.length * negatives.length);
}

/**
 * Two-sided exact McNemar test on the same prompts before and after: the chance of a split at least this uneven if
 * a change of label were a coin toss.
 *
 * @param gained - Prompts that were refused only after.
 * @param lost - Prompts that were refused only before.
 */
export function mcnemarExact(gained: number, lost: number): number {
  const n = gained + lost;
  if (n === 0) return 1;
  // In logarithms, because 2^-n underflows past a thousand prompts.
  let logTerm = -n * Math.LN2;
  let tail = Math.exp(logTerm);
  for (let k = 1; k <= Math.min(gained, lost); ++k) {
    logTerm += Math.log((n - k + 1) / k);
    tail += Math.exp(logTerm);
  }
  return Math.min(1, 2 * tail);
}

/**
 * Cohen's kappa: how much more two raters agree than they would by chance, with each one's own shares of the categories.
 * 1 is agreement in all, 0 what chance gives, below 0 less than that; dimensionless.
 *
 * NaN of nothing, and when both raters put everything into one and the same category: then chance alone agrees in all.
 *
 * @param counts - [categories, categories]: row what the first rater says, column what the second does.
 * @see Cohen (1960), https://doi.org/10.1177/001316446002000104
 */
export function cohenKappa(counts: readonly (readonly number[])[]): number {
  const rows = counts.map((row) => row.reduce((sum, count) => sum + count, 0));
  const columns = counts.map((_, j) => counts.reduce((sum, row) => sum + row[j]!, 0));
  const total = rows.reduce((sum, count) => sum + count, 0);
  // In counts and squared counts, which are whole numbers: certain agreement by chance is then found exactly.
  const agreed = counts.reduce((sum, row, i) => sum + row[i]!, 0) * total;
  const byChance = rows.reduce((sum, count, i) => sum + count * columns[i]!, 0);
  return (agreed - byChance) / (total ** 2 - byChance);
}
