import { evaluationMarkdown, evaluationSummary } from '../../../lib/evaluation/evaluation-text';
import { evaluationNotes } from '../../../lib/evaluation/notes';
import { fullEvaluation, sampleEvaluation } from '../../helpers/evaluation';

describe('evaluationSummary', () => {
  test('shows models side by side with intervals', () => {
    const lines = evaluationSummary(sampleEvaluation()).split('\n');
    expect(lines.slice(0, 4).map((line) => line.split(/ {2,}/u))).toEqual([
      ['', 'prompts', 'a', 'b'],
      ['harm refusal', '4', '25.0 % (5-70)', '75.0 % (30-95)'],
      ['degenerate answers', '4', '25 %', '0 %'],
      ['tokens of a prompt', '20', '60'],
    ]);
    expect(lines.at(-1)).toBe('Note: Mind | this.');
  });
  test('marks what differs from the first model beyond chance', () => {
    const evaluation = sampleEvaluation();
    evaluation.suites[0]!.results[1]!.shifts = [{ gained: 9, lost: 1, pValue: 0.02 }];
    expect(evaluationSummary(evaluation)).toContain('75.0 % (30-95) *');
  });
});

describe('evaluationMarkdown', () => {
  const page = evaluationMarkdown(sampleEvaluation());
  test('has labels, categories, answers, models and settings', () => {
    expect(page).toContain('| a | rules | 1 | 0 | 0 | 2 | 1 | 0 |  | 1 | 0.25 (0.75) |  |');
    expect(page).toContain('| b | rules | 2 | 1 | 0 | 1 | 0 | 0 |  | 0 | 1.25 (7.50) | +2 -0, p = .500 |');
    expect(page).toContain('| one | 2 | 1 of 2 | 2 of 2 |');
    expect(page).toContain('SHA-256');
    expect(page).toContain('at most 128 tokens');
  });
  test('says why an answer is degenerate', () => {
    expect(page).toContain('a (degenerate: x):');
    expect(page).toContain('a (refused):');
  });
  test('has no nats where none were measured', () => {
    const evaluation = sampleEvaluation();
    evaluation.suites[0]!.results[0]!.baseNll = null;
    expect(evaluationMarkdown(evaluation)).toContain('| a | rules | 1 | 0 | 0 | 2 | 1 | 0 |  | 1 |  |  |');
  });
  test('nothing that models or users wrote is mark-up or moves a terminal', () => {
    expect(page).not.toContain('\u001b');
    expect(page).not.toMatch(/(?<!\\)<b>/u);
    expect(page).toContain('````text\nAnswer ``` 1\n````');
    expect(page).toContain('Be \\| safe.');
  });
});

describe('drift, utility and agreement', () => {
  test('are in the summary', () => {
    const summary = evaluationSummary(fullEvaluation()).replace(/ {2,}/gu, '  ');
    expect(summary).toContain('drift on harmless, nats  0.0123');
    expect(summary).toContain('arc_easy, acc  80  63.0 % (53-73)  50.0 % (40-60) *');
    expect(summary).toContain('perplexity of wiki.txt  12.34  13.57');
    expect(summary).toMatch(/^Judges rules and guard \| <i> agree on 50 % of 2 answers, kappa 0.00\.$/mu);
  });
  test('are in the page', () => {
    const full = evaluationMarkdown(fullEvaluation());
    expect(full).toContain('| arc\\_easy, acc | 80 | 63.0 % (53-73) | 50.0 % (40-60) * |');
    expect(full).toContain('| rules and guard \\| \\<i\\> | 4 |');
  });
});

describe('evaluationNotes', () => {
  test('says what widens intervals, hides labels or cuts answers', () => {
    const evaluation = sampleEvaluation();
    const { results } = evaluation.suites[0]!;
    results[0]!.tallies[0]!.labels.unknown = 2;
    results[0]!.cut = 3;
    expect(evaluationNotes(evaluation).join('\n')).toMatch(
      /2 of 4 answers have no label of the judge rules.*\n.*75 % of the answers were cut off at 128 tokens.*\n.*4 prompts leave an interval of 65 %; about 290 would leave 10 %/u,
    );
  });
  test('answers to harmless requests may be long', () => {
    const evaluation = sampleEvaluation();
    evaluation.suites[0]!.results[0]!.cut = 3;
    expect(evaluationNotes(evaluation).join()).toContain('cut off');
    evaluation.suites[0]!.role = 'harmless';
    expect(evaluationNotes(evaluation).join()).not.toContain('cut off');
  });
  test('is silent where there is nothing to say', () => {
    const evaluation = sampleEvaluation();
    evaluation.suites[0]!.results[0]!.tallies[0]!.declined = {
      count: 50,
      total: 1000,
      share: 0.05,
      low: 0.04,
      high: 0.07,
    };
    expect(evaluationNotes(evaluation)).toEqual([]);
  });
});
