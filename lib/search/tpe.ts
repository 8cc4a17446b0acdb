/** What a parameter may be: numbers with a distance between them, or names by index. */
export interface Dimension {
  values: readonly number[];
  /** Whether near values do similar things. */
  ordered: boolean;
}

/** A point that was tried: one value a dimension, which need not be one of its `values` where those are ordered. */
export interface Observation {
  point: readonly number[];
  /** Higher is better. */
  merit: number;
}

const goodShare = 0.25;
const fewestGood = 3;
const drawn = 24;
// Width of a kernel, as a share of what the values span.
const bandwidth = 0.15;

/**
 * Where to try next: points drawn from the density of the good ones, those first at which that most exceeds the density of
 * the others. The dimensions count as independent.
 *
 * @param isPossible - Points for which it is false are drawn anew.
 * @returns At most 24 points, fewer where few are possible.
 * @see Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization", section 4: tree-structured Parzen estimator.
 */
export function propose(
  dimensions: readonly Dimension[],
  observed: readonly Observation[],
  random: () => number,
  isPossible: (point: readonly number[]) => boolean,
): number[][] {
  const byMerit = [...observed].sort((a, b) => b.merit - a.merit);
  const nGood = Math.max(fewestGood, Math.ceil(goodShare * byMerit.length));
  const models = dimensions.map((dimension, d) => {
    const at = (some: readonly Observation[]) => some.map(({ point }) => point[d]!);
    return {
      good: masses(dimension, at(byMerit.slice(0, nGood))),
      others: masses(dimension, at(byMerit.slice(nGood))),
    };
  });
  const points: { indices: number[]; gain: number }[] = [];
  for (let tries = 0; points.length < drawn && tries < 20 * drawn; ++tries) {
    const indices = models.map(({ good }) => draw(good, random));
    if (!isPossible(indices.map((index, d) => dimensions[d]!.values[index]!))) continue;
    const gain = models.reduce(
      (sum, { good, others }, d) => sum + Math.log(good[indices[d]!]! / others[indices[d]!]!),
      0,
    );
    points.push({ indices, gain });
  }
  points.sort((a, b) => b.gain - a.gain);
  return points.map(({ indices }) => indices.map((index, d) => dimensions[d]!.values[index]!));
}

/** Probability of each value: a kernel around each centre, and one that is the same everywhere. */
function masses({ values, ordered }: Dimension, centres: readonly number[]): number[] {
  const uniform = 1 / values.length;
  const sums = values.map(() => uniform);
  const width = bandwidth * (Math.max(...values) - Math.min(...values));
  for (const centre of centres) {
    const kernel = values.map((value) =>
      ordered && width > 0 ? Math.exp(-0.5 * ((value - centre) / width) ** 2) + 1e-9 : Number(value === centre),
    );
    const total = kernel.reduce((a, b) => a + b, 0);
    if (total > 0) kernel.forEach((mass, i) => (sums[i]! += mass / total));
  }
  const total = sums.reduce((a, b) => a + b, 0);
  return sums.map((sum) => sum / total);
}

function draw(weights: readonly number[], random: () => number): number {
  let rest = random();
  for (let i = 0; i < weights.length; ++i) {
    rest -= weights[i]!;
    if (rest < 0) return i;
  }
  return weights.length - 1;
}
