import type { Change, Example, HardenReport, Measured } from './report';
import { evaluationSections, evaluationSummary } from './evaluation/evaluation-text';
import type { KeptSummary } from './kept-texts';
import type { EffectStability } from './effect-stability';
import type { Trial } from './search/trial';
import type { Role } from './prompts';
import { code, fenced, fileName, markdownTable, section, text } from './markdown';
import { byteCount, counted, duration, oneLine, percent, printable, pText, rateText, table } from './text';
import { undoFileOf } from './undo/undo-option';

/** What a user wants to see first, for a terminal. */
export function reportSummary(
  report: HardenReport,
  { profile = false }: { profile?: boolean | undefined } = {},
): string {
  const { output, verified, change, kl, tensors, seconds, peakMiB, notes } = report;
  const effect = effectRows(report);
  const gains = tensors.map((tensor) => tensor.realised.gain);
  const facts: string[][] = [
    ['edit', editText(report)],
    ['tensors', `${counted(tensors.length, 'tensor')} ${gainText(gains, report.promotions)}`.trim()],
    ...(report.fidelity === null ? [] : [['rounding', fidelityText(report.fidelity)]]),
    ...(report.undoBytes === null
      ? []
      : [['undo', `${undoText(report)}  ${byteCount(report.undoBytes)}, for rosi revert`]]),
    ...(kl === null ? [] : [['drift', `KL ${kl.toFixed(3)} nats on the first token of harmless answers`]]),
    ['time', `${duration(seconds)}, peak memory ${peakMiB.toFixed(0)} MiB`],
    ...(profile ? [['profile', profileText(report)]] : []),
  ];
  return [
    `${printable(output.path)}  ${byteCount(output.bytes)}, ${verified.ok ? 'verified' : 'VERIFICATION FAILED'}`,
    '',
    ...(effect.length === 0 ? [] : [...table([['', 'before', 'after'], ...effect]), '', `${sampleText(report)}.`]),
    ...(change === null ? [] : [`${changeText(change.harmful)}.`, '']),
    ...(report.evaluation === null ? [] : [evaluationSummary(report.evaluation), '']),
    ...table(facts, 'left'),
    ...(notes.length === 0 ? [] : ['', ...notes.map((note) => `Note: ${note}`)]),
  ].join('\n');
}

/** Where the time went, longest first; stages of less than a thousandth are left out. */
function profileText({ stages, seconds }: HardenReport): string {
  return [...stages]
    .sort((a, b) => b.seconds - a.seconds)
    .filter((one) => one.seconds >= seconds / 1000)
    .map((one) => `${one.stage} ${duration(one.seconds)} (${percent(one.seconds / seconds)})`)
    .join(', ');
}

function undoText({ settings: { undo } }: HardenReport): string {
  return oneLine(undoFileOf(undo) ?? 'in the file');
}

/** The report as a Markdown page. */
export function reportMarkdown(report: HardenReport): string {
  const { model, output, prompts, edit, change, kl, notes } = report;
  const effect = effectRows(report);
  const counts = Object.entries(prompts.counts).map(([split, n]) => [split, n.harmful, n.harmless, n.borderline]);
  return [
    `# ${text(fileName(output.path))}`,
    '',
    `Written by rosi ${report.rosi} from ${code(model.path)} (${text(model.description)}, ${byteCount(model.bytes)}, ` +
      `SHA-256 ${code(model.sha256)}). The output ${report.verified.ok ? 'is verified' : '**does not verify**'}.`,
    '',
    ...notes.map((note) => `- ${text(note)}`),
    ...(notes.length === 0 ? [] : ['']),
    ...section(
      'Effect',
      effect.length === 0 ? ['Not measured (`evaluate: none`).'] : markdownTable(['', 'before', 'after'], effect),
    ),
    ...(effect.length === 0
      ? []
      : [`${sampleText(report)}. ${change === null ? '' : `${changeText(change.harmful)}.`}`.trim(), '']),
    ...(kl === null ? [] : [`Drift: KL ${kl.toFixed(4)} nats on the first token of answers to harmless prompts.`, '']),
    ...(report.evaluation === null ? [] : section('Evaluation', evaluationSections(report.evaluation))),
    ...(report.examples.length === 0 ? [] : section('Answers', report.examples.flatMap(exampleText))),
    ...section('Edit', [
      `${editText(report)}. Chosen: ${text(edit.why)}.`,
      '',
      `At that layer the mean harmful and harmless activations are ${edit.distance.toPrecision(4)} apart; ` +
        `their direction tells the fitting prompts apart with an AUROC of ${edit.auroc.toFixed(3)}.${stabilityText(edit)}${detectionText(edit)}`,
    ]),
    ...trialSection(report),
    ...section('Tensors', [
      'Gain is the realised share of the planned change along its direction, noise what else the rounding moved, both after quantisation; ' +
        'n/s that noise at the output beside the wanted output, on harmful inputs.',
      '',
      ...(report.fidelity === null ? [] : [`The finished file ${fidelityText(report.fidelity)}.`, '']),
      ...markdownTable(
        ['tensor', 'type', 'mode', 'reach', 'planned change', 'gain', 'noise', 'n/s', 'codes changed'],
        report.tensors.map(({ name, type, writer, realised }) => [
          code(name),
          text(type),
          realised.mode,
          `${Number(writer.reach.toPrecision(3))}${writer.measured ? ' (mean)' : ''}`,
          percent(realised.relativeChange, 2),
          realised.gain.toFixed(4),
          realised.collateral.toFixed(2),
          realised.noiseToSignal?.toFixed(2) ?? '',
          percent(realised.flipped, 1),
        ]),
      ),
    ]),
    ...section('Prompts', [
      ...markdownTable(
        ['split', 'harmful', 'harmless', 'borderline'],
        counts.map((row) => row.map(String)),
      ),
      `Seed ${prompts.seed}; borderline prompts ${prompts.borderline}; ${prompts.duplicates} duplicates and ` +
        `${prompts.unused} above the caps left out. SHA-256 ${code(prompts.sha256)}.`,
      ...(prompts.kept === null ? [] : ['', keptText(prompts.kept)]),
    ]),
    ...section('Settings', fenced(JSON.stringify(report.settings, null, 2), 'json')),
    ...section('Time and memory', [
      ...markdownTable(
        ['stage', 'time', 'peak memory'],
        report.stages.map(({ stage, seconds, peakMiB }) => [
          text(stage),
          duration(seconds),
          `${peakMiB.toFixed(0)} MiB`,
        ]),
      ),
      `In all ${duration(report.seconds)}. Peak memory is the process's highest during the stage (on systems other than Linux, until its end).` +
        (model.readsCopy ? ' The engine read a copy of the model with the same weights in wider types.' : ''),
    ]),
  ]
    .join('\n')
    .replace(/\n{3,}/gu, '\n\n');
}

const effects: readonly (readonly [string, (measured: Measured) => string])[] = [
  ['harmful requests refused', (m) => rateText(m.harmRefusal)],
  ['harmless requests answered', (m) => rateText(m.benignCompliance)],
  ['borderline requests refused', (m) => rateText(m.overRefusal)],
  ['answers that loop or are empty', (m) => rateText(m.degenerate)],
  ['harmful requests refused, by first token', (m) => percent(m.firstToken.harmful, 1)],
];

function effectRows({ before, after }: HardenReport): string[][] {
  if (before === null || after === null) return [];
  return effects.map(([name, value]) => [name, value(before), value(after)]);
}

function sampleText({ prompts: { counts } }: HardenReport): string {
  const { harmful, harmless, borderline } = counts.test;
  return `${harmful} harmful, ${harmless} harmless and ${borderline} borderline test prompts that the search never saw; ranges are 95 % (Wilson)`;
}

function keptText({ used, duplicates, unused, sha256 }: KeptSummary): string {
  const out = `${duplicates} duplicates and ${unused} above the cap left out`;
  return `${counted(used, 'text')} to keep as they are; ${out}. SHA-256 ${code(sha256)}.`;
}

function changeText({ gained, lost, pValue }: Change): string {
  return `${counted(gained, 'harmful request')} newly refused, ${lost} no longer (${pText(pValue)}, McNemar)`;
}

function editText({ edit }: HardenReport): string {
  const [from, to] = edit.layers;
  const blocks = from === to ? `block ${from}` : `blocks ${from} to ${to}`;
  return `${edit.rightFactor} factor, direction of layer ${edit.layer}, ${blocks}, ${edit.schedule} schedule, strength ${edit.strength}`;
}

function gainText(gains: readonly number[], promotions: HardenReport['promotions']): string {
  if (gains.length === 0) return 'changed';
  const [low, high] = [Math.min(...gains), Math.max(...gains)];
  const bytes = promotions.reduce((sum, promotion) => sum + promotion.bytes, 0);
  const wider = `, ${promotions.length} of them in a wider one (${byteCount(bytes)} more)`;
  return `changed in their own type${promotions.length === 0 ? '' : wider}, realised gain ${low.toFixed(3)} to ${high.toFixed(3)}`;
}

function stabilityText({ stability: { cosine, resamples, effect } }: HardenReport['edit']): string {
  if (resamples === 0) return '';
  const [low, high] = [cosine.low, cosine.high].map((value) => value.toFixed(3));
  const does = effect === null ? '' : ` ${effectText(effect)}`;
  return ` Read from prompts drawn again with replacement, it keeps a cosine of ${cosine.mean.toFixed(3)} (${low} to ${high} in 95 % of ${resamples}).${does}`;
}

/** What the edit does with directions of prompts drawn again. */
export function effectText({ own, refusal, kl, resamples }: EffectStability): string {
  const of = (role: Role) =>
    `${percent(refusal[role].low, 1)} to ${percent(refusal[role].high, 1)} of ${role} ones (itself ${percent(own.refusal[role], 1)})`;
  return (
    `With ${resamples} such directions in its place the edit refuses, by first token of validation prompts, ` +
    `${of('harmful')}, ${of('harmless')} and ${of('borderline')}, at a KL of ${kl.low.toFixed(3)} to ${kl.high.toFixed(3)} (itself ${own.kl.toFixed(3)}).`
  );
}

function detectionText({ rho, detection }: HardenReport['edit']): string {
  if (detection.length === 0) return '';
  const each = detection
    .map(
      (one) => `${one.auroc.toFixed(3)} at rho ${one.rho}${detection.length > 1 && one.rho === rho ? ' (taken)' : ''}`,
    )
    .join(', ');
  return ` The right factors together tell harmful validation prompts from the others with an AUROC of ${each}.`;
}

function fidelityText({ shift, refusal, kl }: NonNullable<HardenReport['fidelity']>): string {
  return (
    `keeps the edit: shift ${shift.file.toFixed(2)} of ${shift.exact.toFixed(2)}, ` +
    `first-token refusal ${percent(refusal.file, 1)} of ${percent(refusal.exact, 1)}, KL to the exact edit ${kl.toFixed(3)}`
  );
}

function trialSection({ trials, front, searchedFrom, edit }: HardenReport): string[] {
  if (trials.length === 0 || searchedFrom === null) return [];
  const measuredCells = ({ refusal }: Trial['screening'], kl: string, validated: Trial['validated']) => [
    percent(refusal.harmful, 1),
    percent(refusal.harmless, 1),
    percent(refusal.borderline, 1),
    kl,
    validated ? `${percent(validated.refused.harmful, 1)} / ${percent(validated.refused.borderline, 1)}` : '',
  ];
  const original = ['', 'original', '', '', '', ...measuredCells(searchedFrom.screening, '', searchedFrom.validated)];
  const rows = trials.map((trial) => {
    const { number, layer, layers, schedule, strength, screening, breaks, validated } = trial;
    const kl = `${screening.kl.toFixed(3)}${breaks.includes('maxKl') ? ' (too much)' : ''}`;
    const cells = [
      `${number}${front.includes(number) ? ' *' : ''}`,
      String(layer),
      layers.join('-'),
      schedule,
      String(strength),
      ...measuredCells(screening, kl, validated),
    ];
    return number === edit.trial ? cells.map((cell) => (cell === '' ? cell : `**${cell}**`)) : cells;
  });
  return section('Trials', [
    'Refusal by first token on validation prompts; for the best few also the share of whole answers. The chosen one is in bold, ' +
      'the Pareto front has stars. Any of them is written, without a new search, by the same command with `--pick` and its number.',
    '',
    ...markdownTable(
      [
        'trial',
        'layer',
        'blocks',
        'schedule',
        'strength',
        'harmful',
        'harmless',
        'borderline',
        'KL',
        'answers: harmful / borderline',
      ],
      [original, ...rows],
    ),
  ]);
}

function exampleText({ role, prompt, before, beforeLabel, after, afterLabel }: Example): string[] {
  return [
    `**${role}:** ${text(oneLine(prompt, 300))}`,
    '',
    `Before (${beforeLabel}):`,
    '',
    ...fenced(before),
    '',
    `After (${afterLabel}):`,
    '',
    ...fenced(after),
    '',
  ];
}
