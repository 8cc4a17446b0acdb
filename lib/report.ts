import type { StageClock, StageTime } from './clock';
import type { Direction } from './direction';
import type { AnswerSample, Behaviour, Screening } from './evaluate';
import type { NativeModelInfo, NativeUpdateResult, RealisedUpdate, VerifyResult } from './native';
import type { Settings } from './options';
import type { Edit } from './plan';
import type { PromptSummary, Role, SplitSample } from './prompts';
import type { Candidate, SearchResult } from './search';
import type { Rate } from './statistics';
import { version } from './version';

/** One model's behaviour on the test prompts. Shares are 0 to 1. */
export interface Measured {
  /** Share of harmful prompts refused. */
  harmRefusal: Rate;
  /** Share of harmless prompts refused: 1 - benign compliance. */
  benignRefusal: Rate;
  /** Share of borderline prompts refused. */
  overRefusal: Rate;
  /** Share of all answers that are empty or loop. */
  degenerate: Rate;
  /** Mean probability that an answer's first token begins a refusal. */
  firstToken: Record<Role, number>;
}

/** What a run did and how it measured: plain JSON, enough to repeat it. */
export interface HardenReport {
  rosi: string;
  model: { path: string; sha256: string; bytes: number; description: string; architecture: string; nLayer: number; dModel: number };
  output: { path: string; bytes: number };
  settings: Omit<Settings, 'signal' | 'onProgress' | 'output'>;
  prompts: PromptSummary;
  edit: Edit & { rightFactor: string; distance: number; auroc: number; why: string };
  candidates: Candidate[];
  tensors: { name: string; type: string; realised: RealisedUpdate }[];
  /** Answers to the test prompts, which the search never saw; null without evaluation. */
  before: Measured | null;
  after: Measured | null;
  /** Mean KL(original || hardened file) of the first token on harmless test prompts, nats. */
  kl: number | null;
  /** A few answers that changed. */
  examples: { role: Role; prompt: string; before: string; after: string }[];
  verified: VerifyResult;
  stages: StageTime[];
  seconds: number;
  peakMiB: number;
}

interface Parts {
  model: string;
  settings: Settings;
  info: NativeModelInfo;
  sample: SplitSample;
  search: SearchResult | null;
  edit: Edit;
  direction: Direction;
  written: NativeUpdateResult;
  before: Behaviour | null;
  after: (Behaviour & { screening: Screening; baseline: Screening }) | null;
  verified: VerifyResult;
  clock: StageClock;
}

/** Puts a run's results together. */
export function makeReport(parts: Parts): HardenReport {
  const { settings, info, search, edit, direction, written, before, after, clock } = parts;
  const { signal: _signal, onProgress: _onProgress, output, ...plainSettings } = settings;
  return {
    rosi: version,
    model: {
      path: parts.model,
      sha256: written.sourceSha256,
      bytes: written.sourceBytes,
      description: info.description,
      architecture: info.architecture,
      nLayer: info.nLayer,
      dModel: info.dModel,
    },
    output: { path: output, bytes: written.outputBytes },
    settings: plainSettings,
    prompts: parts.sample.summary,
    edit: { ...edit, rightFactor: settings.rightFactor, distance: direction.distance, auroc: direction.auroc, why: search?.why ?? 'given' },
    candidates: search?.candidates ?? [],
    tensors: written.tensors.map(({ name, type, realised }) => ({ name, type, realised })),
    before: before && after ? measured(before, after.baseline) : null,
    after: after ? measured(after, after.screening) : null,
    kl: after ? after.screening.kl : null,
    examples: before && after ? examples(before.answers, after.answers) : [],
    verified: parts.verified,
    stages: clock.stages,
    seconds: clock.stages.reduce((sum, stage) => sum + stage.seconds, 0),
    peakMiB: Math.max(...clock.stages.map((stage) => stage.peakMiB)),
  };
}

function measured(behaviour: Behaviour, screening: Screening): Measured {
  return {
    harmRefusal: behaviour.refused.harmful,
    benignRefusal: behaviour.refused.harmless,
    overRefusal: behaviour.refused.borderline,
    degenerate: behaviour.degenerate,
    firstToken: screening.refusal,
  };
}

function examples(before: AnswerSample[], after: AnswerSample[]): HardenReport['examples'] {
  const pairs = before.map((answer, i) => ({ role: answer.role, prompt: answer.prompt, before: answer.answer, after: after[i]!.answer }));
  const changed = pairs.filter((pair, i) => pair.role === 'harmful' && before[i]!.label !== after[i]!.label).slice(0, 3);
  const kept = (role: Role) => pairs.filter((pair) => pair.role === role).slice(0, 1);
  return [...changed, ...kept('harmless'), ...kept('borderline')];
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const interval = (rate: Rate) => `${percent(rate.share)} [${(100 * rate.low).toFixed(0)}, ${(100 * rate.high).toFixed(0)}]`;

function rows(report: HardenReport): [string, string, string][] {
  const { before, after } = report;
  if (before === null || after === null) return [];
  return [
    ['harmful requests refused', interval(before.harmRefusal), interval(after.harmRefusal)],
    ['harmless requests refused', interval(before.benignRefusal), interval(after.benignRefusal)],
    ['borderline requests refused', interval(before.overRefusal), interval(after.overRefusal)],
    ['answers that loop or are empty', interval(before.degenerate), interval(after.degenerate)],
    ['first token refuses (harmful)', percent(before.firstToken.harmful), percent(after.firstToken.harmful)],
  ];
}

function editLine({ edit }: HardenReport): string {
  return `${edit.rightFactor}, direction of layer ${edit.layer}, blocks ${edit.layers.join(' to ')}, ${edit.schedule} schedule, strength ${edit.strength}`;
}

/** What a user wants to see first, for a terminal. */
export function reportSummary(report: HardenReport): string {
  const table = [['on held-out test prompts', 'before', 'after'] as [string, string, string], ...rows(report)];
  const widths = [0, 1, 2].map((column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = report.before === null ? [] : table.map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('   '));
  const gains = report.tensors.map((tensor) => tensor.realised.gain);
  return [
    `${report.output.path}  ${report.verified.ok ? 'verified' : 'VERIFICATION FAILED'}`,
    `edit: ${editLine(report)}`,
    gains.length === 0 ? 'no tensor changed' : `${gains.length} tensors changed in their own type, realised gain ${Math.min(...gains).toFixed(3)} to ${Math.max(...gains).toFixed(3)}`,
    ...(lines.length === 0 ? [] : ['', ...lines, `KL on harmless first tokens: ${report.kl!.toFixed(3)} nats (intervals: 95 %, Wilson)`]),
    '',
    `${report.seconds.toFixed(1)} s, peak memory ${report.peakMiB.toFixed(0)} MiB`,
  ].join('\n');
}

/** The report as a Markdown page. */
export function reportMarkdown(report: HardenReport): string {
  const table = rows(report).map((row) => `| ${row.join(' | ')} |`);
  const quote = (text: string) => text.replace(/\s+/g, ' ').replace(/\|/g, '\\|').slice(0, 200);
  return [
    `# ${report.output.path}`,
    '',
    `Hardened by rosi ${report.rosi} from \`${report.model.path}\` (${report.model.description}, SHA-256 \`${report.model.sha256}\`).`,
    '',
    `Edit: ${editLine(report)}. Chosen: ${report.edit.why}.`,
    '',
    ...(table.length === 0 ? [] : ['| on held-out test prompts | before | after |', '| --- | --- | --- |', ...table, '', `KL on harmless first tokens: ${report.kl!.toFixed(4)} nats.`]),
    '',
    '## Answers',
    '',
    '| kind | request | before | after |',
    '| --- | --- | --- | --- |',
    ...report.examples.map((e) => `| ${e.role} | ${quote(e.prompt)} | ${quote(e.before)} | ${quote(e.after)} |`),
    '',
    '## Tensors',
    '',
    '| tensor | type | mode | asked change | gain | noise (collateral) |',
    '| --- | --- | --- | --- | --- | --- |',
    ...report.tensors.map(
      ({ name, type, realised: r }) => `| ${name} | ${type} | ${r.mode} | ${(100 * r.relativeChange).toFixed(2)} % | ${r.gain.toFixed(4)} | ${r.collateral.toFixed(2)} |`,
    ),
    '',
    '## Time',
    '',
    ...report.stages.map((stage) => `- ${stage.stage}: ${stage.seconds.toFixed(1)} s`),
    '',
  ].join('\n');
}
