import type { Counts } from '../evaluator';
import type { Trial } from './trial';

type Measured = Pick<Trial, 'screening' | 'score' | 'counts'>;

/**
 * The trials that no other one beats: none refuses as many harmful prompts at as little cost to the others and as little
 * drift, and does better in one of the three. By first tokens, among trials on the most prompts; least drift first.
 */
export function paretoFront<T extends Measured>(trials: readonly T[]): T[] {
  const well = wellScreened(trials);
  const front = well.filter((trial) => !well.some((other) => beats(other, trial)));
  return front.sort((a, b) => a.screening.kl - b.screening.kl);
}

/** Those that were screened on the most prompts: a few more or fewer shift every share. */
export function wellScreened<T extends { counts: Counts }>(trials: readonly T[]): T[] {
  const most = Math.max(...trials.map(({ counts }) => counts.harmful));
  return trials.filter(({ counts }) => counts.harmful === most);
}

function beats(a: Measured, b: Measured): boolean {
  const differences = [
    a.screening.refusal.harmful - b.screening.refusal.harmful,
    costOf(b) - costOf(a),
    b.screening.kl - a.screening.kl,
  ];
  return differences.every((difference) => difference >= 0) && differences.some((difference) => difference > 0);
}

/** What the other prompts pay, but for what all trials have in common. */
function costOf({ screening, score }: Measured): number {
  return screening.refusal.harmful - score;
}
