import type { Screening } from '../first-token';
import { roles } from '../prompts';
import { ResultStore } from '../result-store';
import type { Validated } from './trial';

export type Found = { screening: Screening } | { validated: Validated };
/** What is kept of a trial on disk, and how long it took. */
export type Kept = Found & { seconds: number };
export type Journal = ResultStore<Kept>;

/** @param identity - Everything that decides what a trial finds beside the edit itself and which prompts it is tried on. */
export function openJournal(folder: string | null, identity: string): Journal {
  return ResultStore.open(folder, 'trials', identity, isKept);
}

function isKept(value: unknown): value is Kept {
  if (typeof value !== 'object' || value === null) return false;
  const { screening, validated, seconds } = value as {
    screening?: Partial<Screening>;
    validated?: Partial<Validated>;
    seconds?: unknown;
  };
  const shares = screening?.refusal ?? validated?.refused;
  if (shares === undefined || roles.some((role) => typeof shares[role] !== 'number')) return false;
  const others = screening ? [screening.kl] : [validated!.benignCompliance, validated!.degenerate, validated!.score];
  return [seconds, ...others].every((one) => typeof one === 'number');
}
