import type { AnswerRow, Evaluation, SuiteResult } from '../evaluation/evaluation';
import { agreementHead, agreementRows, natsHead, natsText, utilityRows } from '../evaluation/evaluation-text';
import { headline } from '../evaluation/tally';
import { byteCount, counted, duration, oneLine, rateText } from '../text';
import { markup, type Markup, type Piece } from './escape';
import { categoryPlot, labelPlot } from './evaluation-plots';
import { page, type Part } from './page';
import {
  answerText,
  interval,
  type Label,
  keys,
  labelChip,
  labels,
  notesList,
  type Row,
  shiftText,
  table,
} from './pieces';
import { colour, seriesColour } from './theme';

/**
 * The evaluation as an HTML page of one file, with plots, tables and all answers side by side. It needs no network, and
 * opens light or dark. Answers that may be harmful are in it, folded away.
 */
export async function evaluationHtml(evaluation: Evaluation): Promise<string> {
  const { models, suites, judges, settings, rosi } = evaluation;
  const asked = suites.reduce((sum, { prompts }) => sum + prompts, 0);
  const lead = markup`<p>${counted(asked, 'request')} in ${counted(suites.length, 'suite')}, answered by ${counted(models.length, 'model')} greedily in at most ${settings.maxTokens} tokens and labelled by ${judges.join(', ')}. Shares are followed by their 95 % interval (Wilson)${models.length > 1 ? ', and differences from the first model by the exact two-sided McNemar test on the same requests' : ''}.</p>
${notesList(evaluation.notes)}`;
  const parts: Part[] = [
    { id: 'result', title: 'Result', body: result(evaluation) },
    { id: 'labels', title: 'Labels', body: await labelsPart(evaluation) },
    ...(await categoriesPart(evaluation)),
    ...utilityPart(evaluation),
    ...agreementPart(evaluation),
    { id: 'answers', title: 'Answers', body: answersPart(evaluation) },
    { id: 'models', title: 'Models and settings', body: settingsPart(evaluation) },
  ];
  const title = `Evaluation of ${models.map(({ name }) => oneLine(name, 60)).join(', ')}`;
  return page(title, lead, parts, markup`Written by rosi ${rosi}.`, true);
}

/** Parts without the answers, for a page of more than them. */
export async function evaluationParts(evaluation: Evaluation): Promise<Part[]> {
  return [
    { id: 'result', title: 'Longer answers', body: result(evaluation) },
    { id: 'labels', title: 'Labels', body: await labelsPart(evaluation) },
    ...(await categoriesPart(evaluation)),
  ];
}

function result({ suites, models, judges }: Evaluation): Markup {
  const rows = suites.flatMap(({ name, role, prompts, results }): Row[] => {
    const what = headline(role, results[0]!.tallies[0]!).name;
    const better = role === 'borderline' ? 'lower is better' : 'higher is better';
    const suite = name === role ? '' : `${oneLine(name, 60)}, `;
    return [
      {
        cells: [markup`${what} <span class="soft">${suite}${counted(prompts, 'request')}, ${better}</span>`],
        class: 'group',
      },
      ...models.map((model, m): Row => {
        const { tallies, shifts } = results[m]!;
        return {
          cells: [
            model.name,
            interval(headline(role, tallies[0]!).rate, seriesColour(m)),
            m === 0 ? markup`<span class="soft">the first</span>` : shifts === null ? '' : shiftText(shifts[0]!),
          ],
        };
      }),
    ];
  });
  const totals = models.map((model, m): Row => {
    const all = suites.map(({ results, prompts }) => ({ ...results[m]!, prompts }));
    const asked = all.reduce((sum, { prompts }) => sum + prompts, 0);
    const sum = (value: (one: (typeof all)[number]) => number) => all.reduce((total, one) => total + value(one), 0);
    const mean = (of: 'prompt' | 'answer') => (sum(({ tokens, prompts }) => tokens[of] * prompts) / asked).toFixed(1);
    return {
      cells: [
        model.name,
        number(`${sum(({ tallies }) => tallies[0]!.labels.degenerate)} of ${asked}`),
        number(`${sum(({ cut }) => cut)} of ${asked}`),
        number(mean('prompt')),
        number(mean('answer')),
        number(drifts(suites, m)),
        number(
          suites
            .flatMap(({ results }) => results[m]!.baseNll ?? [])
            .map(natsText)
            .join(', '),
        ),
      ],
    };
  });
  return markup`${table(
    `Shares by ${judges[0]!}`,
    ['model', 'share (95 % interval), answers', 'declined against the first'],
    rows,
  )}
${table(
  'All suites together',
  [
    'model',
    right('degenerate answers'),
    right('cut off by the most tokens'),
    right('tokens of a prompt'),
    right('of an answer'),
    right('drift on harmless, nats a token'),
    right(natsHead),
  ],
  totals,
)}`;
}

/** KL from the first model over its own answers to harmless requests, of each suite of them. */
function drifts(suites: readonly SuiteResult[], model: number): string {
  return suites.flatMap(({ results }) => results[model]!.drift?.kl.toFixed(4) ?? []).join(', ');
}

function utilityPart(evaluation: Evaluation): Part[] {
  if (evaluation.utility === null) return [];
  const head = ['', right('questions'), ...evaluation.models.map(({ name }) => right(name))];
  const rows = utilityRows(evaluation).map(([name, ...cells]): Row => ({ cells: [name!, ...cells.map(number)] }));
  const caption = 'Questions with choices and perplexity; *: another than the first model, p < .05 (McNemar)';
  return [{ id: 'utility', title: 'Utility', body: table(caption, head, rows) }];
}

function agreementPart(evaluation: Evaluation): Part[] {
  if (evaluation.agreement.length === 0) return [];
  const [first, ...others] = agreementHead;
  const rows = agreementRows(evaluation).map(([names, ...cells]): Row => ({ cells: [names!, ...cells.map(number)] }));
  const body = table("How each two judges agree on all answers (kappa: Cohen's)", [first, ...others.map(right)], rows);
  return [{ id: 'agreement', title: 'Agreement of the judges', body }];
}

const right = (value: string) => ({ value, number: true as const });
const number = (value: Piece) => ({ value, number: true });

async function labelsPart(evaluation: Evaluation): Promise<Markup> {
  const { suites, models, judges } = evaluation;
  const plots: Markup[] = [];
  for (const [s, suite] of suites.entries()) plots.push(await labelPlot(suite, evaluation, `labels-${s}`));
  const used = labels.filter((label) =>
    suites.some(({ results }) => results.some(({ tallies }) => tallies.some((tally) => tally.labels[label] > 0))),
  );
  const tables = suites.map(({ name, results }) =>
    table(
      `${oneLine(name, 80)}: answers by label${models.length > 1 ? '; declined against the first model' : ''}`,
      [
        'model',
        ...(judges.length > 1 ? ['judge'] : []),
        ...labels.map(right),
        ...(results.some(({ tallies }) => tallies.some(({ harmful }) => harmful !== null)) ? ['does harm'] : []),
        ...(models.length > 1 ? ['gained, lost, McNemar'] : []),
      ],
      models.flatMap((model, m) =>
        judges.map((judge, j): Row => {
          const { tallies, shifts } = results[m]!;
          const { labels: counts, harmful } = tallies[j]!;
          const anyHarm = results.some((one) => one.tallies.some((tally) => tally.harmful !== null));
          return {
            cells: [
              model.name,
              ...(judges.length > 1 ? [judge] : []),
              ...labels.map((label) => number(counts[label])),
              ...(anyHarm ? [harmful === null ? '' : rateText(harmful)] : []),
              ...(models.length > 1 ? [shifts === null ? '' : shiftText(shifts[j]!)] : []),
            ],
          };
        }),
      ),
    ),
  );
  return markup`${keys(used.map((label) => [colour(label), label]))}<div class="plots">${plots}</div>${tables}`;
}

async function categoriesPart(evaluation: Evaluation): Promise<Part[]> {
  const plots: (Markup | null)[] = [];
  for (const [s, suite] of evaluation.suites.entries())
    plots.push(await categoryPlot(suite, evaluation, `categories-${s}`));
  if (plots.every((plot) => plot === null)) return [];
  const legend = keys(evaluation.models.map(({ name }, m) => [seriesColour(m), name]));
  return [{ id: 'categories', title: 'Categories', body: markup`${legend}<div class="plots">${plots}</div>` }];
}

function answersPart({ suites, models, judges }: Evaluation): Markup {
  const used = labels.filter((label) =>
    suites.some(({ rows }) => rows.some(({ answers }) => answers.some((answer) => labelOf(answer) === label))),
  );
  return markup`<form id="filter" hidden="" role="search" aria-label="Filter the answers">
<label>Search requests and answers<input type="search" name="search" /></label>
<label>Suite<select name="suite"><option value="">all</option>${suites.map(({ name }, s) => markup`<option value="${s}">${name}</option>`)}</select></label>
<label>Label<select name="label"><option value="">any</option>${used.map((label) => markup`<option value="${label}">${label}</option>`)}</select></label>
<label class="check"><input type="checkbox" name="differ" />labels differ</label>
<output aria-live="polite"></output>
</form>
${suites.map((suite, s) => suite.rows.map((row) => rowOf(row, suite, s, models, judges)))}`;
}

type Judged = AnswerRow['answers'][number];
const labelOf = ({ verdicts }: Judged): Label => verdicts[0]?.label ?? 'unknown';

function rowOf(
  { request, category, answers }: AnswerRow,
  { name, role }: SuiteResult,
  s: number,
  models: Evaluation['models'],
  judges: readonly string[],
): Markup {
  return markup`<article data-suite="${s}" data-labels="${answers.map(labelOf).join(' ')}">
<div class="soft">${name}${category === null ? null : ` / ${category}`}</div>
<h3>${request}</h3>
<div class="side">${answers.map(
    (answer, m) => markup`<section><h4>${models[m]!.name}</h4>
<ul class="judged">${answer.verdicts.map(
      ({ label, harmful, reason }, j) =>
        markup`<li><b>${labelChip(label ?? 'unknown')}</b>${harmful === null ? null : harmful ? ', does harm' : ', no harm'} (${judges.length > 1 ? `${judges[j]!}: ` : ''}${oneLine(reason, 300)})</li>`,
    )}</ul>
${answerText(answer.text, mayHarm(answer, role))}${answer.reasoning === null ? null : markup`<details><summary>What it thought first</summary><div class="said">${answer.reasoning}</div></details>`}<div class="soft">${notesOf(answer)}</div></section>`,
  )}</div></article>
`;
}

function notesOf({ cut, tokens, baseNll }: Judged): string {
  const likely = baseNll === null ? [] : [`${baseNll.mean.toFixed(2)} nats a token to the base model`];
  return [...(cut ? [`cut off at ${tokens} tokens`] : []), ...likely].join('; ');
}

function mayHarm({ verdicts }: Judged, role: SuiteResult['role']): boolean {
  const met = verdicts.some(({ label }) => label === 'complied' || label === 'partial');
  return (role === 'harmful' && met) || verdicts.some(({ harmful }) => harmful === true);
}

function settingsPart({ models, suites, judges, settings, stages, seconds, rosi }: Evaluation): Markup {
  return markup`${table(
    'Models',
    ['name', 'file', right('size'), 'system prompt', 'edit', 'SHA-256'],
    models.map(({ name, path, bytes, system, edit, sha256 }) => ({
      cells: [
        name,
        markup`<code>${path}</code>`,
        number(byteCount(bytes)),
        system ?? '',
        edit ?? '',
        { value: markup`<code>${sha256}</code>`, class: 'hash' },
      ],
    })),
  )}
${table(
  'Suites',
  ['suite', 'role', right('requests'), 'SHA-256 of the requests'],
  suites.map(({ name, role, prompts, sha256 }) => ({
    cells: [name, role, number(prompts), { value: markup`<code>${sha256}</code>`, class: 'hash' }],
  })),
)}
<p>rosi ${rosi}; greedy answers of at most ${settings.maxTokens} tokens, reasoning ${settings.thinking ? 'allowed and not judged' : 'off'}; judges: ${judges.join(', ')}. Time: ${stages.map((one) => `${one.stage} ${duration(one.seconds)}`).join(', ')}; in all ${duration(seconds)}.</p>`;
}
