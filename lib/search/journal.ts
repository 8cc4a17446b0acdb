import type { Screening } from '../first-token';
import { roles, type Role } from '../prompts';
import { ResultStore } from '../result-store';
import type { Tally } from './trial';

export type Found = { screening: Screening } | { tally: Tally };
/** What is kept of a trial on disk, and how long it took. */
export type Kept = Found & { seconds: number };
export type Journal = ResultStore<Kept>;

/** @param identity - Everything that decides what a trial finds beside the edit itself and which prompts it is tried on. */
export function openJournal(folder: string | null, identity: string): Journal {
  return ResultStore.open(folder, 'trials', identity, isKept);
}

function isKept(value: unknown): value is Kept {
  if (typeof value !== 'object' || value === null) return false;
  const { screening, tally, seconds } = value as {
    screening?: Partial<Screening>;
    tally?: Partial<Tally>;
    seconds?: unknown;
  };
  const areNumbers = (found: Partial<Record<Role, unknown>> | undefined) =>
    found !== undefined && roles.every((role) => typeof found[role] === 'number');
  if (screening) return areNumbers(screening.refusal) && [screening.kl, seconds].every(isNumber);
  return (
    areNumbers(tally?.counts) && areNumbers(tally?.declined) && [tally?.met, tally?.degenerate, seconds].every(isNumber)
  );
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}
