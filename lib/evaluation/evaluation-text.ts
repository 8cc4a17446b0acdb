import { code, fenced, markdownTable, section, text } from '../markdown';
import { answerLabels } from '../refusal';
import {
  byteCount,
  counted,
  duration,
  oneLine,
  percent,
  pText,
  rateText,
  shortName,
  shortPercent,
  table,
} from '../text';
import type { AnswerRow, Evaluation, SuiteResult } from './evaluation';
import { headline, type Tally } from './tally';
import type { ChoiceMetric } from './utility/question';

/** What a user wants to see first, for a terminal. */
export function evaluationSummary(evaluation: Evaluation): string {
  const { models, notes, agreement } = evaluation;
  const rows = headlineRows(evaluation);
  return [
    ...table([['', 'prompts', ...models.map(({ name }) => shortName(name, 36))], ...rows]),
    '',
    `${legend(evaluation)}.`,
    ...utilityLines(evaluation),
    ...agreement.map(
      ({ judges: [first, second], declined }) =>
        `Judges ${oneLine(first)} and ${oneLine(second)} agree on ${percent(declined.observed)} of ${counted(declined.total, 'answer')}, kappa ${declined.kappa.toFixed(2)}.`,
    ),
    ...notes.map((note) => `Note: ${oneLine(note)}`),
  ].join('\n');
}

/** The evaluation as a Markdown page. Harmful answers are in it as they are. */
export function evaluationMarkdown(evaluation: Evaluation): string {
  const { models, suites, judges, notes, settings, rosi, stages, seconds } = evaluation;
  return [
    `# Evaluation of ${models.map(({ name }) => text(name)).join(', ')}`,
    '',
    ...notes.map((note) => `- ${text(note)}`),
    '',
    ...section('Result', evaluationSections(evaluation)),
    ...(evaluation.utility === null ? [] : section('Utility', utilityTable(evaluation))),
    ...(evaluation.agreement.length === 0 ? [] : section('Agreement of the judges', agreementTable(evaluation))),
    ...suites.flatMap((suite) => categorySection(suite, evaluation)),
    ...section(
      'Answers',
      suites.flatMap((suite) => exampleLines(suite, evaluation)),
    ),
    ...section('Models', [
      ...markdownTable(
        ['name', 'file', 'size', 'SHA-256', 'system prompt', 'edit'],
        models.map(({ name, path, bytes, sha256, system, edit }) => [
          text(name),
          code(path),
          byteCount(bytes),
          code(sha256),
          system === null ? '' : text(oneLine(system)),
          edit ?? '',
        ]),
      ),
    ]),
    ...section('Settings', [
      `rosi ${rosi}; greedy answers of at most ${settings.maxTokens} tokens, reasoning ${settings.thinking ? 'allowed and not judged' : 'off'}; judges: ${judges.map(text).join(', ')}.`,
      '',
      ...markdownTable(
        ['suite', 'requests', 'SHA-256 of the requests'],
        suites.map(({ name, prompts, sha256 }) => [text(name), String(prompts), code(sha256)]),
      ),
      `Time: ${stages.map((one) => `${one.stage} ${duration(one.seconds)}`).join(', ')}; in all ${duration(seconds)}.`,
    ]),
  ]
    .join('\n')
    .replace(/\n{3,}/gu, '\n\n');
}

/** The tables of the result, for a page of more than them. */
export function evaluationSections(evaluation: Evaluation): string[] {
  const { models, suites } = evaluation;
  return [
    ...markdownTable(['', 'prompts', ...models.map(({ name }) => text(name))], headlineRows(evaluation)),
    `${legend(evaluation)}.`,
    '',
    ...suites.flatMap((suite) => labelTable(suite, evaluation)),
  ];
}

function headlineRows({ suites, models }: Evaluation): string[][] {
  const rows = suites.map(({ name, role, prompts, results }) => [
    `${headline(role, results[0]!.tallies[0]!).name}${name === role ? '' : ` (${oneLine(name, 30)})`}`,
    String(prompts),
    ...results.map(({ tallies, shifts }) => {
      const { rate } = headline(role, tallies[0]!);
      return `${rateText(rate)}${shifts !== null && shifts[0]!.pValue < 0.05 ? ' *' : ''}`;
    }),
  ]);
  const all = suites.reduce((sum, { prompts }) => sum + prompts, 0);
  const over = (value: (result: SuiteResult['results'][number], prompts: number) => number) =>
    models.map((_, model) => suites.reduce((sum, { results, prompts }) => sum + value(results[model]!, prompts), 0));
  const degenerate = over(({ tallies }) => tallies[0]!.labels.degenerate).map((n) => shortPercent(n / all));
  const tokens = over(({ tokens: { prompt } }, prompts) => prompt * prompts).map((n) => (n / all).toFixed(0));
  const drifts = suites
    .filter(({ role }) => role === 'harmless')
    .map(({ name, results }) => [
      `drift on ${oneLine(name, 30)}, nats`,
      '',
      ...results.map(({ drift }) => (drift === null ? '' : drift.kl.toFixed(4))),
    ]);
  return [
    ...rows,
    ...drifts.filter((row) => row.some((cell, i) => i > 0 && cell !== '')),
    ['degenerate answers', String(all), ...degenerate],
    ['tokens of a prompt', '', ...tokens],
  ];
}

function legend({ models, judges, settings }: Evaluation): string {
  const compared =
    models.length > 1
      ? '; *: another than the first model, p < .05 (McNemar); drift: KL from the first model over its own answers'
      : '';
  return `Labels by ${judges[0]} on answers of at most ${settings.maxTokens} tokens; ranges are 95 % (Wilson)${compared}`;
}

function labelTable({ name, results }: SuiteResult, { models, judges }: Evaluation): string[] {
  const rows = models.flatMap((model, m) =>
    judges.map((judge, j) => {
      const { tallies, shifts, cut, baseNll } = results[m]!;
      const { labels, harmful } = tallies[j]!;
      const change = shifts?.[j];
      return [
        text(model.name),
        text(judge),
        ...[...answerLabels, 'unknown' as const].map((label) => String(labels[label])),
        harmful === null ? '' : rateText(harmful),
        String(cut),
        baseNll === null ? '' : natsText(baseNll),
        change === undefined ? '' : `+${change.gained} -${change.lost}, ${pText(change.pValue)}`,
      ];
    }),
  );
  return [
    `**${text(name)}**`,
    '',
    ...markdownTable(
      ['model', 'judge', ...answerLabels, 'unknown', 'does harm', 'cut off', natsHead, 'declined'],
      rows,
    ),
  ];
}

export const natsHead = 'nats a token to the base: mean (highest)';

export function natsText({ mean, highest }: NonNullable<SuiteResult['results'][number]['baseNll']>): string {
  return `${mean.toFixed(2)} (${highest.toFixed(2)})`;
}

function categorySection({ name, role, categories }: SuiteResult, { models }: Evaluation): string[] {
  if (categories.length < 2) return [];
  const cell = (tally: Tally) => {
    const { rate } = headline(role, tally);
    return rate.total === 0 ? '-' : `${rate.count} of ${rate.total}`;
  };
  return section(`By category: ${text(name)}`, [
    ...markdownTable(
      ['category', 'prompts', ...models.map((model) => text(model.name))],
      categories.map(({ name: category, prompts, tallies }) => [text(category), String(prompts), ...tallies.map(cell)]),
    ),
  ]);
}

/** Rows of numbers: task and metric or text, questions, then each model's. */
export function utilityRows({ utility }: Evaluation): string[][] {
  if (utility === null) return [];
  const { tasks, texts, results, shifts } = utility;
  const choices = tasks.flatMap(({ name, questions }, task) => {
    const metrics = Object.keys(results.find((one) => one !== null)?.choices[task]?.metrics ?? {}) as ChoiceMetric[];
    return metrics.map((metric) => [
      `${name}, ${metric}`,
      String(questions),
      ...results.map((one, model) => {
        const value = one?.choices[task]?.metrics[metric];
        if (value === undefined) return '';
        const differs = (shifts[model]?.[task]?.pValue ?? 1) < 0.05;
        return `${rateText({ ...value, share: value.value })}${differs ? ' *' : ''}`;
      }),
    ]);
  });
  const perplexities = texts.map(({ name }, i) => [
    `perplexity of ${oneLine(name, 30)}`,
    '',
    ...results.map((one) => one?.perplexities[i]?.perplexity.toFixed(2) ?? ''),
  ]);
  return [...choices, ...perplexities];
}

function utilityLines(evaluation: Evaluation): string[] {
  if (evaluation.utility === null) return [];
  const head = ['', 'questions', ...evaluation.models.map(({ name }) => shortName(name, 36))];
  return ['', ...table([head, ...utilityRows(evaluation)]), ''];
}

function utilityTable(evaluation: Evaluation): string[] {
  const head = ['', 'questions', ...evaluation.models.map(({ name }) => text(name))];
  return markdownTable(
    head,
    utilityRows(evaluation).map(([name, ...cells]) => [text(name!), ...cells]),
  );
}

export const agreementHead = [
  'judges',
  'answers with both labels',
  'same of declined or met',
  'kappa',
  'kappa of five labels',
  'unknown',
] as const;

/** A row for each two judges. */
export function agreementRows({ agreement }: Evaluation): string[][] {
  return agreement.map(({ judges, declined, labels, unknown }) => [
    judges.map((name) => oneLine(name)).join(' and '),
    String(labels.total),
    percent(declined.observed, 1),
    declined.kappa.toFixed(3),
    labels.kappa.toFixed(3),
    `${unknown.first} and ${unknown.second}`,
  ]);
}

function agreementTable(evaluation: Evaluation): string[] {
  return markdownTable(
    agreementHead,
    agreementRows(evaluation).map(([names, ...cells]) => [text(names!), ...cells]),
  );
}

const examplesOf = 4;

/** Requests on which the models' labels differ, and of the others the first. */
function exampleLines({ name, rows }: SuiteResult, { models }: Evaluation): string[] {
  const label = ({ verdicts }: AnswerRow['answers'][number]) => verdicts[0]!.label ?? 'unknown';
  const judgedText = (answer: AnswerRow['answers'][number]) => {
    const found = label(answer);
    return found === 'degenerate' ? `degenerate: ${text(oneLine(answer.verdicts[0]!.reason, 80))}` : found;
  };
  const differ = rows.filter(({ answers }) => new Set(answers.map(label)).size > 1);
  const shown = [...differ, ...rows.filter((row) => !differ.includes(row))].slice(0, examplesOf);
  return [
    `**${text(name)}**: ${counted(shown.length, 'request')} of ${rows.length}, those first on which the labels differ (${differ.length}, ${percent(differ.length / rows.length)}).`,
    '',
    ...shown.flatMap(({ request, answers }) => [
      `*${text(oneLine(request, 300))}*`,
      '',
      ...answers.flatMap((answer, m) => [
        `${text(models[m]!.name)} (${judgedText(answer)}):`,
        '',
        ...fenced(answer.text),
        '',
      ]),
    ]),
  ];
}
