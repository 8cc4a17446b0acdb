import { requireFirst } from './already-hardened';
import { RosiError } from './errors';
import { inspect } from './inspect';
import type { Inspection, NativeUpdateResult } from './native';
import { provenanceKeys, type SavedPlan } from './outputs/saved-plan';
import { checkMaxGrowth } from './options';
import { promoteNoisy, requiredTypes } from './precision';
import { applyUpdate, trialUpdate, type UpdateOptions } from './update';

export interface ApplyOptions extends UpdateOptions {
  /**
   * Most growth of the file, as a share of its size. Tensors that have no update in their own type are written in a wider
   * one within it, and when it is given also those in which rounding noise is above half of the wanted output. Default
   * 0.02.
   */
  maxGrowth?: number | undefined;
  /** Whether a model that rosi hardened before may be edited once more. Default false. */
  again?: boolean | undefined;
}

/** What applying a plan did. */
export interface AppliedPlan extends NativeUpdateResult {
  /** Whether the model is the very file that the plan was made with; otherwise it may be another quantisation of it. */
  sourceMatches: boolean;
}

/**
 * Writes a copy of a model with a saved plan's edit: the file that `harden` would write of the plan's own model, or the
 * same edit of another quantisation of it.
 *
 * @throws RosiError `MODEL_UNSUPPORTED` when architecture, tensors or shapes are not the plan's, and as `applyUpdate`.
 */
export async function applyPlan(saved: SavedPlan, model: string, options: ApplyOptions): Promise<AppliedPlan> {
  const file = await inspect(model);
  checkFit(saved, file, model);
  requireFirst(file, model, options.again ?? false);
  const { threads = 1, gpuUpdate, signal, onProgress } = options;
  const maxGrowth = checkMaxGrowth(options.maxGrowth);
  let precision = requiredTypes(file, saved.plan, maxGrowth);
  if (options.maxGrowth !== undefined) {
    const { tensors } = await trialUpdate(model, precision.plan, { threads, gpuUpdate, signal, onProgress });
    precision = promoteNoisy(file, precision, tensors, maxGrowth);
  }
  const { source } = saved.provenance;
  const metadata = { ...provenanceKeys(saved.provenance), ...options.metadata };
  const written = await applyUpdate(model, precision.plan, { ...options, metadata });
  return { ...written, sourceMatches: written.sourceSha256 === source.sha256 };
}

/** @throws RosiError `MODEL_UNSUPPORTED` naming what the plan has and the model has not. */
export function checkFit({ plan, provenance: { source } }: SavedPlan, file: Inspection, model: string): void {
  const refuse = (why: string, details: Record<string, unknown>) =>
    new RosiError(
      'MODEL_UNSUPPORTED',
      `the plan does not fit ${model}: ${why}; apply it to the model it was made with, or to another quantisation of that`,
      { path: model, ...details },
    );
  const architecture = String(file.metadata['general.architecture']);
  if (architecture !== source.architecture) {
    throw refuse(`it is for the ${source.architecture} architecture, and the model is ${architecture}`, {
      expected: source.architecture,
      found: architecture,
    });
  }
  const shapes = new Map(file.tensors.map(({ name, shape }) => [name, shape]));
  for (const { name, left, right, nExperts } of plan.tensors) {
    const shape = shapes.get(name);
    if (shape === undefined) throw refuse(`the model has no tensor ${name}`, { tensor: name });
    const n = nExperts ?? 1;
    const planned = [right.length / n, left.length / n, ...(nExperts === undefined ? [] : [nExperts])];
    const trimmed = (sizes: readonly number[]) => sizes.join().replace(/(,1)+$/u, '');
    if (trimmed(planned) !== trimmed(shape)) {
      throw refuse(`${name} is ${planned.join(' x ')} in the plan and ${shape.join(' x ')} in the model`, {
        tensor: name,
        expected: planned,
        found: shape,
      });
    }
  }
}
