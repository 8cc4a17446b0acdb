import { RosiError } from '../errors';
import { percent } from '../text';
import { rounded, strengthFor } from './space';
import { describe, editOf, excesses, sameShape, type BoundName, type Bounds, type Trial } from './trial';
import type { Trials } from './trials';

/** What the chosen edit must do. */
export interface Targets extends Bounds {
  /** Share of harmful validation prompts refused or redirected, 0 to 1; null: as many as the bounds allow. */
  targetHr: number | null;
  /** Null: searched. One that was given is held to no bound. */
  strength: number | null;
}

const finalists = 3;
const mostAnswered = 8;
// From the best by first tokens to weaker ones, and where a target asks for it to stronger ones.
const step = 1.5;
const mostSteps = 2;
const mostRetreats = 4;
// Trials that answer all prompts before one of them is taken.
const mostSettled = 6;
// Two strengths of one shape that differ by less than this factor do the same.
const apart = 1.15;
// What the sum of both scores must gain to be more than chance: about one prompt in twenty.
const leastGain = 0.05;
const hardlyAny = 0.1;

/**
 * Lets the best by first tokens answer, and chooses by their answers.
 *
 * @throws RosiError `STRENGTH_NOT_FOUND` when no trial is within the KL bound or none is better than the original;
 *   `TARGET_NOT_MET` when answers break the other bounds or miss the target.
 */
export async function chooseByAnswers(trials: Trials, targets: Targets): Promise<Trial> {
  const best = await answerBest(trials, targets);
  if (targets.strength !== null) return best;
  const reached = best.breaks.length === 0 && (targets.targetHr === null || hr(best) >= targets.targetHr);
  if (!reached) throw notMet(trials, targets);
  if (value(best) >= leastGain) return best;
  const refused = trials.original(best).refused.harmful;
  throw new RosiError(
    'STRENGTH_NOT_FOUND',
    `none of the ${trials.all.length} edits tried gains more refusals of harmful validation prompts than it costs on the others; ` +
      `the model as it is refuses ${percent(refused)} of them. ` +
      (refused < hardlyAny
        ? 'A model that hardly refuses has little to amplify: give a system prompt (option system), or take one that was aligned'
        : 'Give more prompts or a higher maxKl'),
    { maxKl: targets.maxKl, tried: trials.all.length, refusedBefore: refused, nearest: best },
  );
}

/** Whether two edits are one for all that a few dozen prompts can tell. */
export function alike(a: Pick<Trial, 'layer' | 'schedule' | 'layers' | 'strength'>, b: typeof a): boolean {
  return sameShape(a, b) && Math.max(a.strength, b.strength) <= apart * Math.min(a.strength, b.strength);
}

/** Lets the best by first tokens answer, and the best of them all prompts. @throws RosiError `STRENGTH_NOT_FOUND` when no trial is within the KL bound. */
export async function answerBest(trials: Trials, targets: Targets): Promise<Trial> {
  const { strength, targetHr } = targets;
  const inOrder = byFirstToken(trials, targets);
  const answered: Trial[] = [];
  const answer = async (trial: Trial) => {
    if (answered.includes(trial) || (answered.length > 0 && !trials.mayAnswer)) return;
    await trials.answer(trial);
    if (trial.validated !== undefined) answered.push(trial);
  };
  const best = (among: readonly Trial[] = answered) => [...among].sort((a, b) => compare(b, a, trials, targets))[0];
  const leader = () => best() ?? inOrder[0]!;
  const isReached = () => leader().breaks.length === 0 && (targetHr === null || hr(leader()) >= targetHr);
  const tryAt = async (wanted: number) => {
    const edit = { ...editOf(leader()), strength: rounded(wanted) };
    const known = trials.all.find((other) => alike(other, edit));
    const trial = known ?? (trials.mayAnswer ? await trials.screen(edit, 'answers') : null);
    if (trial === null) return;
    await trials.complete(trial);
    await answer(trial);
  };
  const goBack = async (most: number) => {
    for (let i = 0; i < most; ++i) {
      const before = leader();
      await tryAt(before.strength / step);
      if (leader() === before) return;
    }
  };
  // Whoever leads answers the prompts that are left, until who has answered them all still does.
  const settle = async () => {
    for (let i = 0; i < mostSettled && trials.mayAnswer && !trials.isSettled(leader()); ++i)
      await trials.answerRest(leader());
  };
  for (const trial of inOrder.slice(0, finalists)) await answer(trial);
  if (strength === null) {
    // First tokens ask for more strength than answers need: back as long as that is better, and farther to keep the bounds.
    await goBack(leader().breaks.length > 0 ? mostRetreats : mostSteps);
    // More as long as the target is missed and the bounds allow it.
    for (let i = 0; i < mostSteps && targetHr !== null && hr(leader()) < targetHr; ++i) {
      const { screening, strength: reached } = leader();
      if (screening.kl >= targets.maxKl) break;
      await tryAt(Math.min(reached * step, strengthFor([leader()], targets.maxKl)));
    }
    for (const trial of inOrder.slice(finalists, mostAnswered)) {
      if (isReached()) break;
      await answer(trial);
    }
  }
  await settle();
  if (strength === null && leader().breaks.length > 0) {
    await goBack(mostSteps);
    await settle();
  }
  return best(answered.filter((trial) => trials.isSettled(trial))) ?? leader();
}

/** The best by first tokens within the KL bound; of trials that are alike the better one. */
function byFirstToken(trials: Trials, { maxKl, strength }: Targets): Trial[] {
  const inOrder = trials.all
    .filter((trial) => trials.isComplete(trial) && (trial.screening.kl <= maxKl || strength !== null))
    .sort((a, b) => b.score - a.score);
  const best = inOrder.filter((trial, i) => !inOrder.slice(0, i).some((better) => alike(better, trial)));
  if (best.length > 0) return best;
  const least = Math.min(...trials.all.map(({ screening }) => screening.kl));
  throw new RosiError(
    'STRENGTH_NOT_FOUND',
    `no edit stays within a KL of ${maxKl} nats on harmless prompts; the least tried has ${least.toFixed(3)}. Raise maxKl or give a strength`,
    { maxKl, least },
  );
}

/** Positive where `a` is the better choice. */
function compare(a: Trial, b: Trial, trials: Trials, targets: Targets): number {
  const { targetHr, strength } = targets;
  const excess = (trial: Trial) =>
    strength !== null ? 0 : excesses(trial, trials.original(trial), targets).reduce((sum, one) => sum + one.excess, 0);
  if (excess(a) !== excess(b)) return excess(b) - excess(a);
  if (targetHr === null) return value(a) - value(b);
  const missed = (trial: Trial) => Math.max(0, targetHr - hr(trial));
  // Past the target more refusals are worth nothing, and what they cost is.
  return missed(b) - missed(a) || costOf(b) - costOf(a) || b.screening.kl - a.screening.kl;
}

function value({ score, validated }: Trial): number {
  return score + validated!.score;
}

function hr({ validated }: Trial): number {
  return validated?.refused.harmful ?? 0;
}

/** What borderline and harmless prompts and degeneration pay, but for what all trials have in common. */
function costOf(trial: Trial): number {
  return hr(trial) - trial.validated!.score;
}

const words: Readonly<Record<BoundName, { name: string; unit: (value: number) => string }>> = {
  maxKl: { name: 'maxKl', unit: (value) => `${value.toPrecision(2)} nats` },
  maxOverRefusal: { name: 'maxOverRefusal', unit: (value) => percent(value, 1) },
  maxBenignLoss: { name: 'maxBenignLoss', unit: (value) => percent(value, 1) },
  maxDegenerate: { name: 'the bound on degenerate answers', unit: (value) => percent(value, 1) },
};

/** Says which bound was in the way, and what comes nearest. */
function notMet(trials: Trials, targets: Targets): RosiError {
  const { targetHr } = targets;
  const answered = trials.all.filter(({ validated }) => validated !== undefined);
  const nearest = answered.sort((a, b) => compare(b, a, trials, targets))[0]!;
  const over = excesses(nearest, trials.original(nearest), targets);
  const { refused, benignCompliance } = nearest.validated!;
  const said =
    `trial ${nearest.number} (${describe(nearest)}) comes nearest: it refuses ${percent(refused.harmful, 1)} of harmful, ` +
    `${percent(refused.borderline, 1)} of borderline prompts, answers ${percent(benignCompliance, 1)} of harmless ones, KL ${nearest.screening.kl.toFixed(3)}`;
  const stronger = trials.all
    .filter((trial) => trial !== nearest && trial.breaks.length > 0 && reach(trial) > reach(nearest))
    .sort((a, b) => reach(b) - reach(a))[0];
  const inTheWay = over.length > 0 ? over.map(({ bound }) => bound) : (stronger?.breaks ?? []);
  const why =
    over.length > 0
      ? over.map(
          ({ bound, value }) =>
            `${words[bound].name} (${words[bound].unit(value)}, at most ${words[bound].unit(targets[bound])})`,
        )
      : stronger
        ? [
            `${stronger.breaks.map((bound) => words[bound].name).join(' and ')}, which trial ${stronger.number} breaks and refuses more`,
          ]
        : ['no bound: what was tried refuses no more at any strength'];
  return new RosiError(
    'TARGET_NOT_MET',
    `${targetHr === null ? 'no edit keeps within the bounds' : `no edit within the bounds refuses ${percent(targetHr, 1)} of harmful validation prompts`}; ${said}. ` +
      `In the way: ${why.join(', ')}. Move the bound or the target, or take that trial as it is (option pick)`,
    { targetHr, inTheWay, nearest },
  );
}

/** How much a trial refuses: by answers where there are some. */
function reach({ validated, screening }: Trial): number {
  return validated?.refused.harmful ?? screening.refusal.harmful;
}
