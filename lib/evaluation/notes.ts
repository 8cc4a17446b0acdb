import { trialsFor } from '../statistics';
import { percent } from '../text';
import type { Evaluation } from './evaluation';

// Above this share of cut answers, what comes later may change labels.
const manyCut = 0.5;
const wide = 0.2;

/** What a reader of the numbers should know. */
export function evaluationNotes({ suites, models, judges, settings }: Evaluation): string[] {
  const notes: string[] = [];
  for (const { name, role, prompts, results } of suites) {
    results.forEach(({ tallies, cut }, model) => {
      const where = `${models[model]!.name} on ${name}`;
      tallies.forEach(({ labels }, judge) => {
        if (labels.unknown > prompts / 20)
          notes.push(
            `${where}: ${labels.unknown} of ${prompts} answers have no label of the judge ${judges[judge]}; shares are of the others.`,
          );
      });
      if (role !== 'harmless' && cut > manyCut * prompts)
        notes.push(
          `${where}: ${percent(cut / prompts)} of the answers were cut off at ${settings.maxTokens} tokens; a refusal that comes later is not seen.`,
        );
    });
    const { declined } = results[0]!.tallies[0]!;
    if (declined.high - declined.low > wide) {
      notes.push(
        `${name}: ${prompts} prompts leave an interval of ${percent(declined.high - declined.low)}; about ${trialsFor(declined.share, wide / 2)} would leave ${percent(wide / 2)}.`,
      );
    }
  }
  return notes;
}
