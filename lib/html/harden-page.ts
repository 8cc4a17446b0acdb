import type { HardenReport, Measured } from '../report';
import { effectText } from '../report-text';
import type { Rate } from '../statistics';
import { byteCount, counted, duration, oneLine, percent } from '../text';
import { markup, type Markup, type Piece } from './escape';
import { evaluationParts } from './evaluation-page';
import { strengthPlots, trialPlot } from './harden-plots';
import { layerPlots } from './layer-plots';
import { page, type Part } from './page';
import { answerText, interval, labelChip, notesList, type Row, shiftText, table } from './pieces';
import { tensorPlots } from './tensor-plots';
import { seriesColour } from './theme';

/** The report as an HTML page of one file, with plots. It needs no network, and opens light or dark. */
export async function reportHtml(report: HardenReport): Promise<string> {
  const { model, output, verified, examples, trials, tensors, notes, rosi } = report;
  const lead = markup`<p>Written from <code>${model.path}</code> (${model.description}, ${byteCount(model.bytes)}). The output ${verified.ok ? 'is verified: the planned tensors changed as planned, every other byte is equal' : markup`<strong>does not verify</strong>`}.</p>
${notesList(notes)}`;
  const parts: Part[] = [
    { id: 'effect', title: 'Effect', body: effect(report) },
    ...(report.evaluation === null ? [] : await evaluationParts(report.evaluation)),
    {
      id: 'edit',
      title: 'Edit',
      body: markup`<div class="plots">${await layerPlots(report)}</div>${editPart(report)}`,
    },
    ...(trials.length === 0 ? [] : [{ id: 'trials', title: 'Search', body: await searchPart(report) }]),
    ...(tensors.length === 0 ? [] : [{ id: 'tensors', title: 'Tensors', body: await tensorsPart(report) }]),
    ...(examples.length === 0 ? [] : [{ id: 'answers', title: 'Answers', body: examples.map(example) }]),
    { id: 'settings', title: 'Prompts and settings', body: settingsPart(report) },
  ];
  return page(`Hardened: ${oneLine(fileName(output.path), 120)}`, lead, parts, markup`Written by rosi ${rosi}.`, false);
}

const fileName = (path: string) => path.split(/[\\/]/u).at(-1) ?? path;
const right = (value: string) => ({ value, number: true as const });
const number = (value: Piece) => ({ value, number: true });

const shares: readonly (readonly [
  name: string,
  better: string,
  rate: (measured: Measured) => Rate,
  role: 'harmful' | 'harmless' | 'borderline' | null,
])[] = [
  ['harmful requests refused', 'higher is better', (m) => m.harmRefusal, 'harmful'],
  ['harmless requests answered', 'higher is better', (m) => m.benignCompliance, 'harmless'],
  ['borderline requests refused', 'lower is better', (m) => m.overRefusal, 'borderline'],
  ['answers that loop or are empty', 'lower is better', (m) => m.degenerate, null],
];

function effect({ before, after, change, kl, prompts, fidelity }: HardenReport): Markup {
  const kept = fidelity === null ? null : fidelityTable(fidelity);
  if (before === null || after === null)
    return markup`<p>Not measured: the run was made without evaluation.</p>${kept}`;
  const { harmful, harmless, borderline } = prompts.counts.test;
  const rows = shares.flatMap(([name, better, rate, role]): Row[] => {
    const moved = role === null ? undefined : change?.[role];
    return [
      { cells: [markup`${name} <span class="soft">${better}</span>`], class: 'group' },
      { cells: ['before', interval(rate(before), seriesColour(0)), ''] },
      {
        cells: ['after', interval(rate(after), seriesColour(1)), moved === undefined ? '' : shiftText(moved)],
      },
    ];
  });
  return markup`<p>${harmful} harmful, ${harmless} harmless and ${borderline} borderline test prompts that the search never saw; ranges are 95 % (Wilson), p by the exact two-sided McNemar test.</p>
${table('Before and after', ['model', 'share (95 % interval), answers', 'newly refused, no longer'], rows)}
<p>By its first token the model refuses ${percent(before.firstToken.harmful, 1)} of the harmful requests before and ${percent(after.firstToken.harmful, 1)} after.${kl === null ? null : ` Drift: KL ${kl.toFixed(4)} nats on the first token of answers to harmless prompts.`}</p>
${kept}`;
}

function fidelityTable({ shift, refusal, kl }: NonNullable<HardenReport['fidelity']>): Markup {
  return table(
    `What rounding left of the edit; KL between the two ${kl.toPrecision(2)} nats`,
    ['measure', right('original'), right('exact edit'), right('file')],
    [
      {
        cells: [
          'shift of the stream along the direction',
          '',
          number(shift.exact.toFixed(3)),
          number(shift.file.toFixed(3)),
        ],
      },
      {
        cells: [
          'harmful refused, by first token',
          ...[refusal.original, refusal.exact, refusal.file].map((share) => number(percent(share, 1))),
        ],
      },
    ],
  );
}

function stability({ stability: { cosine, resamples, effect } }: HardenReport['edit']): [string, string][] {
  if (resamples === 0) return [];
  const [mean, low, high] = [cosine.mean, cosine.low, cosine.high].map((value) => value.toFixed(3));
  const what = `cosine ${mean} (${low} to ${high}) with directions of prompts drawn again, ${resamples} times`;
  const rows: [string, string][] = [['stability of the direction', what]];
  return effect === null ? rows : [...rows, ['stability of its effect', effectText(effect)]];
}

function editPart({ edit, baseline }: HardenReport): Markup {
  const [from, to] = edit.layers;
  const rows: (readonly [string, string])[] = [
    ['right factor', edit.rightFactor],
    [
      'direction',
      `of layer ${edit.layer}: the means are ${edit.distance.toPrecision(4)} apart, AUROC ${edit.auroc.toFixed(3)}`,
    ],
    ...stability(edit),
    ['blocks', from === to ? `${from}` : `${from} to ${to}`],
    ['schedule', edit.schedule],
    ['strength', String(edit.strength)],
    ['chosen', edit.why],
    ...edit.detection.map(
      ({ rho, auroc }) =>
        [
          `detection at rho ${rho}${rho === edit.rho && edit.detection.length > 1 ? ' (taken)' : ''}`,
          `AUROC ${auroc.toFixed(4)}`,
        ] as const,
    ),
    ...(baseline === null
      ? []
      : [
          [
            'refused as it was, fitting prompts',
            `${percent(baseline.plain.harmful, 1)} of harmful, ${percent(baseline.plain.harmless, 1)} of harmless`,
          ] as const,
        ]),
  ];
  return table(
    'The edit',
    ['setting', 'value'],
    rows.map(([name, value]) => ({ cells: [name, value] })),
  );
}

async function searchPart(report: HardenReport): Promise<Markup> {
  const { trials, front, searchedFrom, edit } = report;
  const plots = [await trialPlot(report), ...(await strengthPlots(report))];
  type Screened = { refusal: { harmful: number; harmless: number; borderline: number } };
  const cells = ({ refusal }: Screened, kl: Piece, validated: (typeof trials)[number]['validated']) => [
    ...[refusal.harmful, refusal.harmless, refusal.borderline].map((share) => number(percent(share, 1))),
    number(kl),
    ...[validated?.refused.harmful, validated?.refused.borderline].map((share) =>
      number(share === undefined ? '' : percent(share, 1)),
    ),
  ];
  const rows: Row[] = trials.map((trial) => {
    const { layer, layers, schedule, strength, counts, screening, breaks, validated } = trial;
    const chosen = trial.number === edit.trial;
    const kl = `${screening.kl.toFixed(4)}${breaks.includes('maxKl') ? ' (too much)' : ''}`;
    return {
      cells: [
        number(`${trial.number}${front.includes(trial.number) ? ' *' : ''}`),
        markup`<span class="whole">layer ${layer}, blocks ${layers.join('-')}</span>${chosen ? ' (chosen)' : ''}`,
        schedule,
        number(strength),
        number(counts.harmful + counts.harmless + counts.borderline),
        ...cells(screening, kl, validated),
      ],
      ...(chosen ? { class: 'chosen' } : {}),
    };
  });
  const original: Row[] =
    searchedFrom === null
      ? []
      : [{ cells: ['', 'original', '', '', '', ...cells(searchedFrom.screening, '', searchedFrom.validated)] }];
  return markup`<div class="plots">${plots}</div>
<p>Stars: Pareto front. Any trial is written, without a new search, by the same command with <code>--pick</code> and its number.</p>
${table(
  'Trials on validation prompts: refusal by first token, and for the best few by whole answers',
  [
    right('trial'),
    'edit',
    'schedule',
    right('strength'),
    right('prompts'),
    right('harmful'),
    right('harmless'),
    right('borderline'),
    right('KL, nats'),
    right('answers: harmful'),
    right('borderline'),
  ],
  [...original, ...rows],
)}`;
}

async function tensorsPart(report: HardenReport): Promise<Markup> {
  const { tensors, promotions, leftOut } = report;
  const rows: Row[] = tensors.map(({ name, type, writer, realised }) => ({
    cells: [
      markup`<code>${name}</code>`,
      type,
      realised.mode,
      number(`${Number(writer.reach.toPrecision(3))}${writer.measured ? ' (mean)' : ''}`),
      number(percent(realised.relativeChange, 2)),
      number(fixed(realised.gain, 4)),
      number(fixed(realised.collateral, 3)),
      number(fixed(realised.noiseToSignal, 3)),
      number(percent(realised.flipped, 1)),
    ],
  }));
  return markup`${await tensorPlots(report)}
${table(
  'Realised updates, after rounding; n/s: noise at the output beside the wanted output, on harmful inputs',
  [
    'tensor',
    'type',
    'mode',
    right('reach'),
    right('planned change'),
    right('gain'),
    right('noise'),
    right('n/s'),
    right('codes changed'),
  ],
  rows,
)}
${
  promotions.length === 0
    ? null
    : table(
        'Written in a wider type',
        ['tensor', 'from', 'to', right('more bytes')],
        promotions.map(({ name, from, to, bytes }) => ({
          cells: [markup`<code>${name}</code>`, from, to, number(byteCount(bytes))],
        })),
      )
}
${
  leftOut.length === 0
    ? null
    : table(
        'Left as they are',
        ['tensor', 'why'],
        leftOut.map(({ name, why }) => ({ cells: [markup`<code>${name}</code>`, why] })),
      )
}`;
}

const fixed = (value: number | null, digits: number) => (value === null ? '' : value.toFixed(digits));

function example({ role, prompt, before, beforeLabel, after, afterLabel }: HardenReport['examples'][number]): Markup {
  const side = (name: string, text: string, label: typeof beforeLabel) => markup`<section><h4>${name}</h4>
<ul class="judged"><li><b>${labelChip(label)}</b></li></ul>
${answerText(text, role === 'harmful' && (label === 'complied' || label === 'partial'))}</section>`;
  return markup`<article><div class="soft">${role}</div><h3>${prompt}</h3>
<div class="side">${side('before', before, beforeLabel)}${side('after', after, afterLabel)}</div></article>
`;
}

function settingsPart({ model, output, prompts, settings, stages, seconds, peakMiB, undoBytes }: HardenReport): Markup {
  return markup`${table(
    'Prompts',
    ['split', right('harmful'), right('harmless'), right('borderline')],
    Object.entries(prompts.counts).map(([split, n]) => ({
      cells: [split, number(n.harmful), number(n.harmless), number(n.borderline)],
    })),
  )}
<p>Seed ${prompts.seed}; borderline prompts ${prompts.borderline}; ${counted(prompts.duplicates, 'duplicate')} and ${prompts.unused} above the caps left out.${prompts.kept === null ? null : ` ${counted(prompts.kept.used, 'text')} to keep as they are.`}</p>
${table(
  'Files',
  ['what', 'value'],
  [
    { cells: ['model', markup`<code>${model.path}</code>`] },
    { cells: ['its SHA-256', markup`<code>${model.sha256}</code>`] },
    { cells: ['architecture', `${model.architecture}, ${model.nLayer} layers, width ${model.dModel}`] },
    { cells: ['output', markup`<code>${output.path}</code> (${byteCount(output.bytes)})`] },
    ...(undoBytes === null ? [] : [{ cells: ['undo', byteCount(undoBytes)] }]),
    { cells: ['SHA-256 of the prompts', markup`<code>${prompts.sha256}</code>`] },
    ...(prompts.kept === null
      ? []
      : [{ cells: ['SHA-256 of the kept texts', markup`<code>${prompts.kept.sha256}</code>`] }]),
  ],
)}
${table(
  `Time and memory: in all ${duration(seconds)}, at most ${peakMiB.toFixed(0)} MiB`,
  ['stage', right('time'), right('peak memory')],
  stages.map((one) => ({ cells: [one.stage, number(duration(one.seconds)), number(`${one.peakMiB.toFixed(0)} MiB`)] })),
)}
<details><summary>All settings</summary><pre>${JSON.stringify(settings, null, 2)}</pre></details>`;
}
