import { requireFirst } from './already-hardened';
import { StageClock } from './clock';
import { findEdit } from './find-edit';
import { inspect } from './inspect';
import { modelFiles } from './model-files';
import { native } from './native';
import { resolveOptions, type HardenOptions } from './options';
import { provenanceOf, type SavedPlan } from './outputs/saved-plan';
import { splitPrompts, type PromptSet, type SplitPrompts } from './prompts';
import { ModelSession } from './session';
import { runStage } from './stage';

/** As for `harden`, less what concerns its output and the answers before and after; of `outputs` only the kinds are checked. */
export type PlanOptions = Omit<HardenOptions, 'output' | 'overwrite' | 'undo' | 'maxTokens' | 'evaluate'>;

/**
 * What `harden` would do to a model, without writing it: {@link applyPlan} makes the same file of it.
 *
 * @throws RosiError as `harden`.
 */
export async function makePlan(
  model: string,
  prompts?: PromptSet | SplitPrompts,
  options: PlanOptions = {},
): Promise<SavedPlan> {
  const given = resolveOptions(model, options);
  const sample = splitPrompts(prompts, { seed: given.seed, keep: options.keep });
  const file = await inspect(model);
  requireFirst(file, model, given.again);
  const session = await ModelSession.open(model, { ...given, threads: options.threads });
  const settings = { ...given, threads: session.threads };
  try {
    const found = await findEdit(session, file, sample, settings, new StageClock());
    session.close();
    const sha256 = await runStage(options, { stage: 'hash' }, (tick) => native.sha256(modelFiles(model), tick));
    const source = { sha256, architecture: session.info.architecture };
    return { plan: found.plan, provenance: { ...provenanceOf(found, settings, sample.summary), source } };
  } finally {
    session.close();
  }
}
