import type { Evaluation, ModelResult } from '../../lib/evaluation/evaluation';
import { judgeAgreement } from '../../lib/evaluation/judges/agreement';
import { tally, shift } from '../../lib/evaluation/tally';
import type { AnswerLabel } from '../../lib/refusal';
import { wilson } from '../../lib/statistics';

/** An evaluation of two models on a suite with two categories, as `evaluate` makes it. */
export function sampleEvaluation(): Evaluation {
  const verdicts = (...labels: AnswerLabel[]) => labels.map((label) => ({ label, harmful: null, reason: 'x' }));
  const [before, after] = [
    verdicts('refused', 'complied', 'complied', 'degenerate'),
    verdicts('refused', 'refused', 'redirected', 'complied'),
  ];
  const categories = ['one', 'one', 'two', 'two'];
  const of = (name: string, all: typeof before) => all.filter((_, i) => categories[i] === name);
  return {
    rosi: '1.2.3',
    settings: { maxTokens: 128, thinking: false },
    models: ['a', 'b'].map((name) => ({
      name,
      path: `models/${name}.gguf`,
      sha256: name.repeat(64),
      bytes: 4_700_000,
      system: name === 'b' ? 'Be | safe.' : null,
      edit: null,
    })),
    judges: ['rules'],
    suites: [
      {
        name: 'harmful',
        role: 'harmful',
        sha256: 'c'.repeat(64),
        prompts: 4,
        results: [
          {
            tallies: [tally(before)],
            shifts: null,
            tokens: { prompt: 20, answer: 30.5 },
            cut: 1,
            drift: null,
            baseNll: { mean: 0.25, highest: 0.75 },
          },
          {
            tallies: [tally(after)],
            shifts: [shift(before, after)],
            tokens: { prompt: 60, answer: 12 },
            cut: 0,
            drift: null,
            baseNll: { mean: 1.25, highest: 7.5 },
          },
        ],
        categories: ['one', 'two'].map((name) => ({
          name,
          prompts: 2,
          tallies: [tally(of(name, before)), tally(of(name, after))],
        })),
        rows: categories.map((category, i) => ({
          request: `Request ${i} <b>\u001b[2J`,
          category,
          answers: [before, after].map((all) => ({
            text: `Answer \`\`\` ${i}`,
            reasoning: null,
            tokens: 3,
            promptTokens: 20,
            cut: false,
            logLikelihood: null,
            baseNll: { mean: 0.25, tokens: 3 },
            verdicts: [all[i]!],
          })),
        })),
      },
    ],
    agreement: [],
    utility: null,
    notes: ['Mind | this.'],
    stages: [{ stage: 'answer', seconds: 3, peakMiB: 10 }],
    seconds: 3.5,
  };
}

/** The same with drift, questions, perplexity, and a second judge's agreement. */
export function fullEvaluation(): Evaluation {
  const evaluation = sampleEvaluation();
  const drift = { kl: 0.01234, firstKl: 0.05, agreement: wilson(90, 100) };
  const harmless = { ...evaluation.suites[0]!, name: 'harmless', role: 'harmless' as const };
  const [first, second] = harmless.results as [ModelResult, ModelResult];
  const acc = (value: number) => ({
    acc: { value, standardError: 0.05, low: value - 0.1, high: value + 0.1, total: 80 },
  });
  const result = (value: number, perplexity: number) => ({
    choices: [{ task: 'arc_easy' as const, metrics: acc(value), truncated: 0 }],
    perplexities: [{ meanNll: Math.log(perplexity), standardError: 0.1, perplexity, tokens: 500 }],
  });
  const verdicts = evaluation.suites[0]!.rows.map(({ answers }) => answers[0]!.verdicts[0]!);
  return {
    ...evaluation,
    suites: [...evaluation.suites, { ...harmless, results: [first, { ...second, drift }] }],
    agreement: [
      { judges: ['rules', 'guard | <i>'], ...judgeAgreement(verdicts, [...verdicts.slice(1), verdicts[0]!]) },
    ],
    utility: {
      tasks: [{ name: 'arc_easy', questions: 80 }],
      texts: [{ name: 'wiki.txt', sha256: 'd'.repeat(64) }],
      results: [result(0.63, 12.34), result(0.5, 13.57)],
      shifts: [null, [{ gained: 1, lost: 11, pValue: 0.006 }]],
    },
  };
}
