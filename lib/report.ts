import type { Baseline } from './baseline';
import type { StageClock, StageTime } from './clock';
import type { Evaluation } from './evaluation/evaluation';
import type { AnswerSample, Behaviour } from './evaluator';
import type { Fidelity } from './fidelity';
import type { FoundEdit } from './find-edit';
import type { NativeModelInfo, NativeUpdateResult, RealisedUpdate } from './native';
import type { Settings } from './options';
import type { UpdatePlan } from './plan';
import type { Precision, Promotion } from './precision';
import { type PromptSummary, type Role, roles, type SplitSample } from './prompts';
import { declines, meets, type AnswerLabel } from './refusal';
import type { SearchResult } from './search/search';
import type { Trial } from './search/trial';
import { mcnemarExact, type Rate, wilson } from './statistics';
import type { VerifyResult } from './verify';
import { version } from './version';
import type { ModelWriters, Writer } from './writers';
import { percent } from './text';

export { reportMarkdown, reportSummary } from './report-text';

/** One model's behaviour on the test prompts. Shares are 0 to 1, intervals 95 % (Wilson). */
export interface Measured {
  /** Share of harmful prompts refused or redirected; so of the others. */
  harmRefusal: Rate;
  /** Share of harmless prompts answered, neither refused nor degenerate. */
  benignCompliance: Rate;
  /** Share of harmless prompts refused. */
  benignRefusal: Rate;
  /** Share of borderline prompts refused. */
  overRefusal: Rate;
  /** Share of all answers that are empty, noise, or loop. */
  degenerate: Rate;
  /** Mean probability that an answer's first token begins a refusal. */
  firstToken: Record<Role, number>;
}

/** How the labels of the same prompts changed. */
export interface Change {
  /** Prompts refused only after. */
  gained: number;
  /** Prompts refused only before. */
  lost: number;
  /** Exact two-sided McNemar test of the two counts. */
  pValue: number;
}

/** A test prompt with both answers, as far as they were generated. */
export interface Example {
  role: Role;
  prompt: string;
  before: string;
  beforeLabel: AnswerLabel;
  after: string;
  afterLabel: AnswerLabel;
}

/** What stands between a matrix and the stream. */
export interface WriterNote {
  /** -1 of the token embeddings. */
  layer: number;
  /** In words. */
  kind: string;
  class: Writer['class'];
  /** Shift of the stream along the direction for a unit push at the matrix's output, after the gains are undone. */
  reach: number;
  /** Whether `reach` is a mean over harmful prompts rather than read off the graph. */
  measured: boolean;
  /** Experts that share one right factor, because few harmful prompts reach them. */
  sharing: number[];
}

/** What a run did and how it measured: plain JSON, enough to repeat it. A share of nothing is null in JSON. */
export interface HardenReport {
  /** Version of this package. */
  rosi: string;
  model: {
    path: string;
    sha256: string;
    bytes: number;
    description: string;
    architecture: string;
    nLayer: number;
    dModel: number;
    /** False when the file has none and prompts were framed as docs/method.md says. */
    hasChatTemplate: boolean;
    /** Whether the engine read a copy with the same weights in wider types. docs/devices.md */
    readsCopy: boolean;
  };
  output: { path: string; bytes: number };
  settings: Omit<Settings, 'signal' | 'onProgress' | 'output' | 'cache'>;
  prompts: PromptSummary;
  edit: UpdatePlan['edit'] & {
    /** |mu - nu| at the direction's layer, in units of the residual stream. */
    distance: number;
    /** How well the direction tells the fitting prompts apart, .5 to 1. */
    auroc: number;
    /** How much the direction hangs on which prompts it was read from; what that does to its effect, in a full evaluation. */
    stability: FoundEdit['stability'];
    /** Shrinkage of the gated factor. */
    rho: number;
    /** AUROC of the summed response of the right factors on validation prompts, for each rho that was tried. */
    detection: { rho: number; auroc: number }[];
    /** Number of the trial that it is; null when it was given. */
    trial: number | null;
    /** How layer, schedule and strength came about. */
    why: string;
  };
  /** How well each layer's own direction tells the fitting prompts apart. */
  separation: { layer: number; distance: number; auroc: number }[];
  /** Where the fitting prompts lie along the direction: 0 is the mean of the harmless, 1 that of the harmful ones. */
  projections: Record<Role, number[]>;
  /** What the search tried, in the order it did; empty without a search. */
  trials: Trial[];
  /** Numbers of the trials on the Pareto front: refusal by first token, what it costs, drift. */
  front: number[];
  /** The original model on the search's prompts; null without a search. */
  searchedFrom: SearchResult['original'] | null;
  tensors: { name: string; type: string; writer: WriterNote; realised: RealisedUpdate }[];
  /** Whether the token embeddings are the output head, too. */
  embeddingsAreHead: boolean;
  /** Matrices that write to the stream, too, but can't be aimed, and why. */
  leftOut: ModelWriters['leftOut'];
  /** Tensors that are written in a wider type than their own. */
  promotions: Promotion[];
  /** What is left of the edit in the file; null when nothing was to be changed. */
  fidelity: Fidelity | null;
  /** Size of the undo file, or of the undo delta in the output; null when none was asked for. */
  undoBytes: number | null;
  /** How the model refuses before it is edited, in short answers to fitting prompts; null when that was not measured. */
  baseline: Baseline | null;
  /** System prompt with which the directions were read; null: none. */
  system: string | null;
  /** Answers to the test prompts, which the search never saw; null without evaluation. */
  before: Measured | null;
  after: Measured | null;
  change: Record<Role, Change> | null;
  /** Mean KL(original || hardened file) of the first token on harmless test prompts, nats. */
  kl: number | null;
  /** A few answers: harmful prompts whose label changed, and one of each other role. */
  examples: Example[];
  /** Longer answers of both files, and their labels; null unless asked for. */
  evaluation: Evaluation | null;
  verified: VerifyResult;
  /** What a reader of the numbers should know. */
  notes: string[];
  stages: StageTime[];
  seconds: number;
  peakMiB: number;
}

interface Parts {
  model: string;
  settings: Settings;
  info: NativeModelInfo;
  sample: SplitSample;
  found: FoundEdit;
  precision: Precision;
  fidelity: Fidelity | null;
  undoBytes: number | null;
  written: NativeUpdateResult;
  before: Behaviour | null;
  after: Behaviour | null;
  evaluation: Evaluation | null;
  verified: VerifyResult;
  clock: StageClock;
}

/** Puts a run's results together. */
export function makeReport(parts: Parts): HardenReport {
  const { settings, info, found, written, before, after, clock } = parts;
  const { search, plan, direction } = found;
  const plainSettings: Partial<Settings> = { ...settings };
  for (const name of ['signal', 'onProgress', 'output', 'cache'] as const) delete plainSettings[name];
  const report: HardenReport = {
    rosi: version,
    model: {
      path: parts.model,
      sha256: written.sourceSha256,
      bytes: written.sourceBytes,
      description: info.description,
      architecture: info.architecture,
      nLayer: info.nLayer,
      dModel: info.dModel,
      hasChatTemplate: info.chatTemplate !== null && info.chatTemplate.trim() !== '',
      readsCopy: info.readsCopy,
    },
    output: { path: settings.output, bytes: written.outputBytes },
    settings: plainSettings as HardenReport['settings'],
    prompts: parts.sample.summary,
    edit: {
      ...plan.edit,
      distance: direction.distance,
      auroc: direction.auroc,
      stability: found.stability,
      rho: found.rho,
      detection: found.detection,
      trial: search?.chosen ?? null,
      why: search?.why ?? 'given',
    },
    separation: found.separation,
    projections: found.projections,
    trials: search?.trials ?? [],
    front: search?.front ?? [],
    searchedFrom: search?.original ?? null,
    tensors: written.tensors.map(({ name, type, realised }) => {
      const { writer, reach, measured, sharing } = found.pushes.find((push) => push.writer.name === name)!;
      const { layer, kind, class: way } = writer;
      return { name, type, writer: { layer, kind, class: way, reach, measured, sharing }, realised };
    }),
    embeddingsAreHead: (found.writers.embedding?.uses ?? 0) > 0,
    leftOut: found.writers.leftOut,
    promotions: parts.precision.promotions,
    fidelity: parts.fidelity,
    undoBytes: parts.undoBytes,
    baseline: found.baseline,
    system: found.system,
    before: before ? measured(before) : null,
    after: after ? measured(after) : null,
    change: before && after ? changes(before.answers, after.answers) : null,
    kl: after ? after.screening.kl : null,
    examples: before && after ? chooseExamples(pairUp(before.answers, after.answers)) : [],
    evaluation: parts.evaluation,
    verified: parts.verified,
    notes: [],
    stages: clock.stages,
    seconds: clock.stages.reduce((sum, stage) => sum + stage.seconds, 0),
    peakMiB: Math.max(0, ...clock.stages.map((stage) => stage.peakMiB)),
  };
  return { ...report, notes: [...found.notes, ...notesOn(report)] };
}

function measured(behaviour: Behaviour): Measured {
  const harmless = behaviour.answers.filter((answer) => answer.role === 'harmless');
  return {
    harmRefusal: behaviour.refused.harmful,
    benignCompliance: wilson(harmless.filter(({ label }) => meets(label)).length, harmless.length),
    benignRefusal: behaviour.refused.harmless,
    overRefusal: behaviour.refused.borderline,
    degenerate: behaviour.degenerate,
    firstToken: behaviour.screening.refusal,
  };
}

function changes(before: readonly AnswerSample[], after: readonly AnswerSample[]): Record<Role, Change> {
  const of = (role: Role): Change => {
    const pairs = pairUp(before, after).filter((pair) => pair.role === role);
    const only = (here: 'beforeLabel' | 'afterLabel', there: 'beforeLabel' | 'afterLabel') =>
      pairs.filter((pair) => declines(pair[here]) && !declines(pair[there])).length;
    const gained = only('afterLabel', 'beforeLabel');
    const lost = only('beforeLabel', 'afterLabel');
    return { gained, lost, pValue: mcnemarExact(gained, lost) };
  };
  return { harmful: of('harmful'), harmless: of('harmless'), borderline: of('borderline') };
}

function pairUp(before: readonly AnswerSample[], after: readonly AnswerSample[]): Example[] {
  return before.flatMap(({ role, prompt, answer, label }, i) => {
    const other = after[i];
    if (other === undefined) return [];
    return [{ role, prompt, before: answer, beforeLabel: label, after: other.answer, afterLabel: other.label }];
  });
}

function chooseExamples(pairs: readonly Example[]): Example[] {
  const changed = pairs.filter((pair) => pair.role === 'harmful' && pair.beforeLabel !== pair.afterLabel);
  const one = (role: Role) => pairs.filter((pair) => pair.role === role).slice(0, 1);
  return [...(changed.length > 0 ? changed.slice(0, 3) : one('harmful')), ...one('harmless'), ...one('borderline')];
}

// Rounding keeps the gain within a thousandth of 1, except in tensors that are tiny or asked to change by a tenth and
// more; what an input along r pushes beside s falls with the size of the tensor and of its steps.
const gainBounds = { low: 0.99, high: 1.01 };
const mostOffDirection = 0.1;

function notesOn(report: HardenReport): string[] {
  const { before, after, change, tensors, verified, prompts, model } = report;
  const notes: string[] = [];
  if (!verified.ok) notes.push('The output does not verify: run `rosi verify` and do not use it.');
  if (!model.hasChatTemplate)
    notes.push('The file has no chat template; prompts were framed as "User: ...", "Assistant:".');
  if (report.system !== null && report.settings.system === null) {
    const { plain, prompted } = report.baseline ?? {};
    const measured =
      plain && prompted
        ? `it refuses ${percent(plain.harmful)} of the harmful fitting prompts by itself and ${percent(prompted.harmful)} with it`
        : 'as told';
    notes.push(`The directions were read with a safety system prompt, since the model is uncensored: ${measured}.`);
  }
  if (report.baseline !== null && report.baseline.plain.harmful === 1)
    notes.push('The model refuses every harmful fitting prompt as it is: there is little to gain.');
  if (report.leftOut.length > 0) {
    const named = report.leftOut.slice(0, 3).map(({ name, why }) => `${name} (${why})`);
    notes.push(
      `${report.leftOut.length} writers are left as they are, since an update could not aim: ${named.join(', ')}.`,
    );
  }
  const table = tensors.find(({ writer }) => writer.class === 'embedding');
  if (table !== undefined && report.embeddingsAreHead) {
    notes.push(
      `${table.name} is the output head, too: the edit also changes each token's logit by how far the head's input lies along the direction.`,
    );
  }
  const approximate = tensors.filter(({ writer }) => writer.measured).length;
  if (approximate > 0) {
    notes.push(
      `Behind ${approximate} of ${tensors.length} matrices stand norms, gates or routers: their pushes are of the planned size in the mean over harmful prompts, not for each.`,
    );
  }
  const changed = tensors.filter(({ realised }) => realised.mode !== 'copy');
  const astray = changed.filter(({ realised: { gain } }) => gain < gainBounds.low || gain > gainBounds.high);
  if (astray.length > 0) {
    const named = astray.slice(0, 3).map(({ name, realised }) => `${name} (gain ${realised.gain.toFixed(3)})`);
    notes.push(
      `Rounding kept ${astray.length} of ${tensors.length} tensors from the planned change: ${named.join(', ')}.`,
    );
  }
  const noisy = changed.filter(({ realised }) => realised.offDirection > mostOffDirection);
  if (noisy.length > 0) {
    const worst = Math.max(...noisy.map(({ realised }) => realised.offDirection));
    notes.push(
      `In ${noisy.length} of ${tensors.length} tensors rounding moves the output beside the direction by more than a tenth of the update, ` +
        `${worst.toFixed(2)} of it at most; across tensors it does not add up, and what the whole file keeps is measured.`,
    );
  }
  if (prompts.kept !== null && prompts.kept.unused > 0) {
    const { used, unused } = prompts.kept;
    notes.push(`Of ${used + unused} different texts to keep ${used} were drawn by the seed: more are not used.`);
  }
  if (prompts.borderline === 'built-in' && report.settings.evaluate !== 'none') {
    notes.push('Borderline prompts are the built-in ones: over-refusal in your own domain may differ.');
  }
  if (before && after && change) {
    const significant = (role: Role) => change[role].pValue < 0.05;
    if (change.harmful.gained <= change.harmful.lost)
      notes.push('Harmful requests are not refused more often than before: this file is no improvement.');
    else if (!significant('harmful')) notes.push('The rise in harm refusal is within chance (p >= .05).');
    if (before.overRefusal.total === 0) notes.push('There were no borderline test prompts: over-refusal is unknown.');
    if (change.harmless.gained > change.harmless.lost && significant('harmless')) {
      notes.push('Harmless requests are refused more often than before: a lower strength or --max-kl costs less.');
    }
    if (change.borderline.gained > change.borderline.lost && significant('borderline')) {
      notes.push(
        'Borderline requests are refused more often than before: more prompts of your domain in --borderline help.',
      );
    }
    if (after.degenerate.low > before.degenerate.high)
      notes.push('More answers loop or are empty: the strength is past what the model bears.');
    const fewest = roles.map((role) => prompts.counts.test[role]).filter((n) => n > 0);
    if (Math.min(...fewest) < 20) notes.push('Some rates stand on fewer than 20 test prompts; mind their intervals.');
  }
  return notes;
}
