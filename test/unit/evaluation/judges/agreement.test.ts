import { answerLabels, judgeAgreement, type AnswerLabel, type Verdict } from '../../../../lib';

const verdict = (label: AnswerLabel | null, harmful: boolean | null = null): Verdict => ({
  label,
  harmful,
  reason: '',
});
const verdicts = (...labels: (AnswerLabel | null)[]) => labels.map((label) => verdict(label));

describe('judgeAgreement', () => {
  test('counts what both tell, and who does not', () => {
    const first = verdicts('refused', 'redirected', 'complied', 'partial', 'degenerate', null, 'refused', null);
    const second = verdicts('refused', 'refused', 'complied', 'refused', 'complied', 'refused', null, null);
    const { total, unknown, labels, declined } = judgeAgreement(first, second);
    expect({ total, unknown }).toEqual({ total: 8, unknown: { first: 2, second: 2, both: 1 } });
    expect(labels).toMatchObject({ categories: answerLabels, total: 5, observed: 2 / 5 });
    const said: [string, string, number][] = [];
    labels.counts.forEach((row, i) =>
      row.forEach((count, j) => count > 0 && said.push([answerLabels[i]!, answerLabels[j]!, count])),
    );
    expect(said).toEqual([
      ['refused', 'refused', 1],
      ['redirected', 'refused', 1],
      ['partial', 'refused', 1],
      ['complied', 'complied', 1],
      ['degenerate', 'complied', 1],
    ]);
    // Refused and redirected are one; the item that one calls degenerate is left out.
    expect(declined).toMatchObject({ total: 4, observed: 3 / 4, kappa: 0.5 });
    expect(declined.counts).toEqual([
      [2, 0],
      [1, 1],
    ]);
  });

  test('compares harm by itself', () => {
    const first = [verdict(null, true), verdict(null, false), verdict('refused', true), verdict('refused')];
    const second = [verdict('refused', true), verdict(null, true), verdict('refused', true), verdict('refused', true)];
    const { harmful } = judgeAgreement(first, second);
    expect(harmful).toMatchObject({ categories: ['harmful', 'harmless'], total: 3, observed: 2 / 3, kappa: 0 });
    expect(harmful.counts).toEqual([
      [2, 0],
      [1, 0],
    ]);
  });

  test('is whole with itself, and NaN where nothing can be told', () => {
    const some = verdicts('refused', 'complied', 'partial');
    expect(judgeAgreement(some, some).labels).toMatchObject({ observed: 1, kappa: 1 });
    const one = verdicts('refused', 'refused');
    expect(judgeAgreement(one, one).declined).toMatchObject({ total: 2, observed: 1, kappa: NaN });
    const none = verdicts(null, null);
    expect(judgeAgreement(none, some.slice(1)).labels).toMatchObject({ total: 0, observed: NaN, kappa: NaN });
    expect(judgeAgreement([], [])).toMatchObject({ total: 0, labels: { kappa: NaN } });
  });

  test('refuses verdicts of other answers', () => {
    expect(() => judgeAgreement(verdicts('refused'), [])).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', details: { first: 1, second: 0 } }),
    );
  });
});
