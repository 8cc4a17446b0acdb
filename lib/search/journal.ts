import type { KeptOriginal } from '../evaluator';
import type { Screening } from '../first-token';
import { roles, type Role } from '../prompts';
import { answerLabels } from '../refusal';
import { ResultStore } from '../result-store';
import type { Tally } from './trial';

export type Found = { screening: Screening } | { tally: Tally } | { original: KeptOriginal };
/** What is kept on disk, of a trial or of the original, and how long it took. */
export type Kept = Found & { seconds: number };
export type Journal = ResultStore<Kept>;

/** @param identity - Everything that decides what a trial finds beside the edit itself and which prompts it is tried on. */
export function openJournal(folder: string | null, identity: string): Journal {
  return ResultStore.open(folder, 'trials', identity, isKept);
}

function isKept(value: unknown): value is Kept {
  if (typeof value !== 'object' || value === null) return false;
  const { screening, tally, original, seconds } = value as {
    screening?: Partial<Screening>;
    tally?: Partial<Tally>;
    original?: Partial<KeptOriginal>;
    seconds?: unknown;
  };
  const areNumbers = (found: Partial<Record<Role, unknown>> | undefined) =>
    found !== undefined && roles.every((role) => typeof found[role] === 'number');
  if (original) return isOriginal(original) && isNumber(seconds);
  if (screening) return areNumbers(screening.refusal) && [screening.kl, seconds].every(isNumber);
  return (
    areNumbers(tally?.counts) && areNumbers(tally?.declined) && [tally?.met, tally?.degenerate, seconds].every(isNumber)
  );
}

function isOriginal({ labels, refusals }: Partial<KeptOriginal>): boolean {
  return Array.isArray(labels) && Array.isArray(refusals) && labels.every(isLabel) && refusals.every(isNumber);
}

function isLabel(value: unknown): boolean {
  return (answerLabels as readonly unknown[]).includes(value);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}
