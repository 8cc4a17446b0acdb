import type { BeforeAfter } from './before-after';
import type { StageClock } from './clock';
import { isFaithful, requireFidelity, type Fidelity } from './fidelity';
import type { Inspection } from './native';
import type { Settings } from './options';
import type { UpdatePlan } from './plan';
import { promoteNoisy, requiredTypes, type Precision } from './precision';
import { draftUpdate, type UpdateDraft } from './update';

interface Attempt {
  precision: Precision;
  draft: UpdateDraft;
  fidelity: Fidelity | null;
}

/**
 * Writes the update in the tensors' own types; where that file falls short of the exact edit, once more with the noisiest
 * tensors in wider types, as far as `settings.maxGrowth` allows.
 *
 * @throws RosiError `UPDATE_LOST` when it still falls short; `TENSOR_UNSUPPORTED`; as `applyUpdate`.
 */
export async function writeFaithfully(
  model: string,
  file: Inspection,
  plan: UpdatePlan,
  observed: BeforeAfter,
  { settings, metadata, clock }: { settings: Settings; metadata: Record<string, string>; clock: StageClock },
): Promise<Attempt> {
  const { maxGrowth } = settings;
  const write = async (precision: Precision): Promise<Attempt> => {
    const draft = await clock.time('update', () => draftUpdate(model, precision.plan, { ...settings, metadata }));
    try {
      return { precision, draft, fidelity: await observed.fidelity(draft.path) };
    } catch (error) {
      draft.discard();
      throw error;
    }
  };
  const first = await write(requiredTypes(file, plan, maxGrowth));
  if (first.fidelity === null || isFaithful(first.fidelity)) return first;
  first.draft.discard();
  const wider = promoteNoisy(file, first.precision, first.draft.written.tensors, maxGrowth);
  if (wider.promotions.length === first.precision.promotions.length) requireFidelity(first.fidelity, maxGrowth);
  const second = await write(wider);
  if (!isFaithful(second.fidelity!)) {
    second.draft.discard();
    requireFidelity(second.fidelity!, maxGrowth);
  }
  return second;
}
