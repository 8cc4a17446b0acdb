import type { Screening } from './first-token';
import { roles } from './prompts';
import { ResultStore } from './result-store';
import type { Validated } from './search';

/** What is kept of a trial on disk. */
export type Trial = { screening: Screening } | { validated: Validated };
export type Journal = ResultStore<Trial>;

/** @param identity - Everything that decides what a trial finds beside the edit itself and how many prompts it is tried on. */
export function openJournal(folder: string | null, identity: string): Journal {
  return ResultStore.open(folder, 'trials', identity, isTrial);
}

function isTrial(value: unknown): value is Trial {
  if (typeof value !== 'object' || value === null) return false;
  const { screening, validated } = value as { screening?: Partial<Screening>; validated?: Partial<Validated> };
  const numbers = [...Object.values(screening?.refusal ?? validated?.refused ?? {}), screening?.kl ?? validated?.score];
  return numbers.length === roles.length + 1 && numbers.every((one) => typeof one === 'number');
}
