import type { Streams } from '../capture';
import { RosiError } from '../errors';
import type { Screening } from '../first-token';
import type { Settings } from '../options';
import type { Edit } from '../plan';
import type { Role } from '../prompts';
import type { Push } from '../push';
import { seededRandom } from '../random';
import type { ModelSession } from '../session';
import type { CallOptions } from '../stage';
import { percent } from '../text';
import { alike, answerBest, chooseByAnswers, type Targets } from './choose';
import type { Journal } from './journal';
import { paretoFront } from './pareto';
import {
  dimensionsOf,
  editAt,
  isPossible,
  merit,
  observationOf,
  probes,
  rangesOf,
  spaceOf,
  strengthFor,
  type Range,
  type Space,
} from './space';
import { propose } from './tpe';
import { editOf, type Shape, type Trial, type Validated } from './trial';
import { Trials } from './trials';

export interface SearchResult {
  edit: Edit;
  /** In the order of trying: `trials[i].number` is i + 1. */
  trials: Trial[];
  /** Number of the trial that was chosen. */
  chosen: number;
  /** Numbers of the trials on the Pareto front, least drift first. */
  front: number[];
  /** The original model on the same prompts: those of a complete trial, and those that the chosen one answered. */
  original: { screening: Screening; validated: Validated };
  why: string;
}

/** What is not null is given and not varied; docs/method.md says what the others decide. */
export type SearchSettings = Pick<
  Settings,
  | 'layer'
  | 'layers'
  | 'schedule'
  | 'strength'
  | 'rightFactor'
  | 'maxKl'
  | 'maxOverRefusal'
  | 'maxBenignLoss'
  | 'targetHr'
  | 'trials'
  | 'budget'
  | 'pick'
  | 'seed'
> &
  CallOptions & {
    /** What an earlier run of the same search found, which is not tried again. Default: everything is. */
    journal?: Journal | undefined;
    /** Blocks that are tried. Default: {@link rangesOf}. */
    ranges?: readonly Range[] | undefined;
  };

// Shares of the KL bound at which layers are compared, and what is aimed at where the first strength misses that.
const compared = { low: 0.25, aim: 0.5, high: 1 };
const mostDegenerate = 0.02;
// Rough trials that are worth more prompts: nearly as good as the third best so far.
const promising = { rank: 3, slack: 0.05 };
// The search has converged when so many trials in a row have not been better by more than this.
const patience = { trials: 10, gain: 0.01 };

/**
 * Chooses layer, blocks, schedule and strength by effect: each trial is an edit applied at run time and screened on the
 * validation prompts' first tokens; short whole answers of the best few decide. Direction layers are compared first, by
 * what an edit along each does; then a tree-structured Parzen estimator proposes edits.
 *
 * Deterministic but for `budget`: the same settings and journal lead to the same trials with the same numbers.
 *
 * @throws RosiError `STRENGTH_NOT_FOUND` when no trial stays within the KL bound, or none is better than the original;
 *   `TARGET_NOT_MET` when none meets the other bounds and the target; `OPTION_INVALID` when there is no trial `pick`. A
 *   strength that was given is not held to bounds.
 */
export async function searchEdit(
  session: ModelSession,
  activations: Streams,
  pushes: readonly Push[],
  prompts: Record<Role, string[]>,
  settings: SearchSettings,
): Promise<SearchResult> {
  const { maxKl, maxOverRefusal, maxBenignLoss, pick } = settings;
  const bounds = { maxKl, maxOverRefusal, maxBenignLoss, maxDegenerate: mostDegenerate };
  const trials = await Trials.begin(session, activations, pushes, prompts, { ...settings, bounds });
  const { nLayer } = activations;
  const space = spaceOf(nLayer, settings.ranges ?? rangesOf(nLayer, settings), settings);
  await compareLayers(trials, space, settings);
  await improve(trials, space, settings);
  const targets = { ...settings, ...bounds };
  const chosen = pick === null ? await chooseByAnswers(trials, targets) : await take(trials, pick, targets);
  const nAnswered = trials.all.filter(({ validated }) => validated !== undefined).length;
  return {
    edit: editOf(chosen),
    trials: trials.all,
    chosen: chosen.number,
    front: paretoFront(trials.all).map(({ number }) => number),
    original: { screening: trials.baseline, validated: trials.original(chosen) },
    why:
      pick === null
        ? `best by first tokens and whole answers among ${nAnswered} of ${trials.all.length} trials: ${boundsText(settings)}`
        : 'picked',
  };
}

/** Each direction layer on the first blocks, at about the same drift, so that what is compared is what it buys. */
async function compareLayers(trials: Trials, space: Space, settings: SearchSettings): Promise<void> {
  const { maxKl, strength, rightFactor } = settings;
  for (const layer of space.spread) {
    if (!trials.mayScreen) return;
    const shape: Shape = { layer, schedule: space.schedules[0]!, layers: space.ranges[0]! };
    const before = trials.all.at(-1);
    const start = before === undefined ? probes[rightFactor] : strengthFor([before], compared.aim * maxKl);
    const probe = await trials.screen({ ...shape, strength: strength ?? start }, 'layers');
    if (probe === null || strength !== null || !trials.mayScreen) continue;
    const { kl } = probe.screening;
    if (kl >= compared.low * maxKl && kl <= compared.high * maxKl) continue;
    await trials.screen({ ...shape, strength: strengthFor([probe], compared.aim * maxKl) }, 'layers');
  }
}

/** Edits that a Parzen estimator proposes, as long as they get better. */
async function improve(trials: Trials, space: Space, settings: SearchSettings): Promise<void> {
  const random = seededRandom(settings.seed, 'search');
  const dimensions = dimensionsOf(space, settings);
  const isOne = (point: readonly number[]) => isPossible(space, point);
  const best = () => Math.max(-Infinity, ...trials.all.filter((trial) => trials.isComplete(trial)).map(merit));
  for (const trial of inOrder(trials).slice(0, 2)) await trials.complete(trial);
  for (let since = 0; since < patience.trials && trials.mayScreen; ++since) {
    const observed = trials.all.map((trial) => observationOf(space, trial, settings));
    const edit = propose(dimensions, observed, random, isOne)
      .map((point) => editAt(space, point, trials.all, settings))
      .find((one) => !trials.all.some((other) => alike(one, other)));
    if (edit === undefined) break;
    const before = best();
    const trial = await trials.screen(edit, 'search');
    if (trial === null) break;
    if (isPromising(trial, trials)) await trials.complete(trial);
    if (best() > before + patience.gain) since = -1;
  }
  // There may be few trials that were worth all prompts.
  for (const trial of inOrder(trials).slice(0, promising.rank)) await trials.complete(trial);
}

function isPromising(trial: Trial, trials: Trials): boolean {
  const bar = inOrder(trials)[promising.rank - 1];
  return bar === undefined || merit(trial) >= merit(bar) - promising.slack;
}

function inOrder({ all }: Trials): Trial[] {
  return [...all].sort((a, b) => merit(b) - merit(a));
}

/** Of a search that is known, with what its answers led to; it need not have found what it was after. */
async function take(trials: Trials, pick: number, targets: Targets): Promise<Trial> {
  const { all } = trials;
  try {
    await answerBest(trials, targets);
  } catch (error) {
    if (!(error instanceof RosiError && error.code === 'STRENGTH_NOT_FOUND')) throw error;
  }
  const trial = all[pick - 1];
  if (trial !== undefined) return trial;
  throw new RosiError(
    'OPTION_INVALID',
    `options.pick must be a trial of this search, 1 to ${all.length}; got ${pick}`,
    {
      option: 'pick',
      value: pick,
      trials: all.length,
    },
  );
}

function boundsText({ maxKl, maxOverRefusal, maxBenignLoss, targetHr, strength }: SearchSettings): string {
  if (strength !== null) return `strength given, KL bound ${maxKl}`;
  const bounds = `KL at most ${maxKl}, over-refusal up by at most ${percent(maxOverRefusal)}, benign compliance down by at most ${percent(maxBenignLoss)}`;
  return targetHr === null ? bounds : `${bounds}, harm refusal at least ${percent(targetHr, 1)}`;
}
