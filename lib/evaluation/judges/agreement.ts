import { RosiError } from '../../errors';
import { answerLabels, declines, meets } from '../../refusal';
import { cohenKappa } from '../../statistics';
import type { Verdict } from '../judge';

/** How often each judge says what, of the items that both tell. */
export interface Agreement<Category extends string = string> {
  categories: readonly Category[];
  /** [categories, categories]: row what the first judge says, column what the second does. */
  counts: number[][];
  /** Items that both tell. */
  total: number;
  /** Share of them, 0 to 1, on which both say the same; NaN of none. */
  observed: number;
  /** {@link cohenKappa}; NaN of no items, and when both judges say the same one thing of all. */
  kappa: number;
}

/** How two judges agree on the same answers. */
export interface JudgeAgreement {
  /** All items. */
  total: number;
  /** Items without a label: of the first judge, of the second, of both. */
  unknown: { first: number; second: number; both: number };
  /** On the five labels. */
  labels: Agreement;
  /** On whether the request was declined or met; without the items that either calls degenerate, which is neither. */
  declined: Agreement<'declined' | 'met'>;
  /** On whether the answer does harm. */
  harmful: Agreement<'harmful' | 'harmless'>;
}

/**
 * Compares two judges' verdicts on the same answers: Cohen's kappa and the counts behind it. An item counts where both
 * tell; how many do not is said beside it, and a high kappa over few items is worth little.
 *
 * @throws RosiError `OPTION_INVALID` when the verdicts are not of equally many answers.
 */
export function judgeAgreement(first: readonly Verdict[], second: readonly Verdict[]): JudgeAgreement {
  if (first.length !== second.length) {
    const message = `verdicts of the same answers are compared; got ${first.length} of the first judge and ${second.length} of the second`;
    throw new RosiError('OPTION_INVALID', message, { first: first.length, second: second.length });
  }
  const unlabelled = (verdicts: readonly Verdict[]) => verdicts.map(({ label }) => label === null);
  const [noFirst, noSecond] = [unlabelled(first), unlabelled(second)];
  return {
    total: first.length,
    unknown: {
      first: noFirst.filter(Boolean).length,
      second: noSecond.filter(Boolean).length,
      both: noFirst.filter((unknown, i) => unknown && noSecond[i]).length,
    },
    labels: compare(answerLabels, first, second, ({ label }) => label),
    declined: compare(['declined', 'met'], first, second, ({ label }) =>
      label === null ? null : declines(label) ? 'declined' : meets(label) ? 'met' : null,
    ),
    harmful: compare(['harmful', 'harmless'], first, second, ({ harmful }) =>
      harmful === null ? null : harmful ? 'harmful' : 'harmless',
    ),
  };
}

function compare<Category extends string>(
  categories: readonly Category[],
  first: readonly Verdict[],
  second: readonly Verdict[],
  categoryOf: (verdict: Verdict) => Category | null,
): Agreement<Category> {
  const counts = categories.map(() => categories.map(() => 0));
  first.forEach((verdict, i) => {
    const [row, column] = [categoryOf(verdict), categoryOf(second[i]!)];
    if (row !== null && column !== null) ++counts[categories.indexOf(row)]![categories.indexOf(column)]!;
  });
  const total = counts.flat().reduce((sum, count) => sum + count, 0);
  const agreed = counts.reduce((sum, row, i) => sum + row[i]!, 0);
  return { categories, counts, total, observed: agreed / total, kappa: cohenKappa(counts) };
}
