import type { Direction } from '../direction';
import type { UpdatePlan } from '../plan';
import type { FoundEdit } from '../find-edit';
import type { Settings } from '../options';
import type { PromptSummary } from '../prompts';
import { version } from '../version';

/** Where a plan comes from, for its file and for the file that it makes. */
export interface PlanProvenance {
  /** Version of this package that made it. */
  rosi: string;
  /** The model that it was made with. */
  source: { sha256: string; architecture: string };
  direction: Direction;
  /** `keptSha256`: of the texts to keep, where some were given. */
  prompts: { sha256: string; keptSha256?: string };
  settings: { seed: number; rho: number; maxKl: number; system: string | null; thinking: boolean };
}

/** A plan with its origin: what a plan file holds. */
export interface SavedPlan {
  plan: UpdatePlan;
  provenance: PlanProvenance;
}

/** Of a plan file, and the number that changes when an older reader would misread it. */
export const planFormat = { format: 'rosi-plan', version: 1 } as const;

/** Bytes. A plan of 70 billion weights takes 30 MB; JSON.parse needs a few times as much memory. */
export const largestPlan = 2 ** 28;

/** What a run says of its edit; the model's hash is known later. */
export function provenanceOf(
  { direction, rho, system }: Pick<FoundEdit, 'direction' | 'rho' | 'system'>,
  { seed, maxKl, thinking }: Pick<Settings, 'seed' | 'maxKl' | 'thinking'>,
  { sha256, kept }: PromptSummary,
): Omit<PlanProvenance, 'source'> {
  const prompts = { sha256, ...(kept && { keptSha256: kept.sha256 }) };
  return { rosi: version, direction, prompts, settings: { seed, rho, maxKl, system, thinking } };
}

/** The same for the file's own `rosi.*` keys: what decided the edit beside the plan itself. */
export function provenanceKeys(provenance: Pick<PlanProvenance, 'settings' | 'prompts'>): Record<string, string> {
  const { seed, rho, maxKl, system, thinking } = provenance.settings;
  const { sha256, keptSha256 } = provenance.prompts;
  const decided = JSON.stringify({ seed, rho, maxKl, system, thinking });
  return {
    'rosi.prompts.sha256': sha256,
    ...(keptSha256 !== undefined && { 'rosi.kept.sha256': keptSha256 }),
    'rosi.settings': decided,
  };
}
