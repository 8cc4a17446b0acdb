import { native, type NativeUpdateRequest, type NativeUpdateResult } from './native';
import type { UpdatePlan } from './plan';
import { runStage, type CallOptions } from './stage';
import { version } from './version';

export interface UpdateOptions extends CallOptions {
  /** Path of the new GGUF. */
  output: string;
  /** Whether an existing output may be replaced. Default false. */
  overwrite?: boolean | undefined;
  /** The file does not depend on it. Default 1. */
  threads?: number | undefined;
  /** More `rosi.*` keys for the file. */
  metadata?: Record<string, string> | undefined;
}

/**
 * Writes a copy of a GGUF in which the planned tensors are changed, each in its own type, and every other byte is the
 * same, but for the `rosi.*` keys that say what was done. The output is whole or absent. Memory: one tensor a thread.
 *
 * @returns The hash of the source, and what each tensor changed by after rounding.
 * @throws RosiError `GGUF_INVALID`, `TENSOR_UNSUPPORTED`, `OUTPUT_EXISTS`, `OPTION_INVALID`, `FILE_FAILED`, `ABORTED`.
 */
export function applyUpdate(model: string, plan: UpdatePlan, options: UpdateOptions): Promise<NativeUpdateResult> {
  return update(requestFor(model, plan, options), plan, options);
}

/** A complete output under a temporary name beside its own. It is gone with the process unless it is published. */
export interface UpdateDraft {
  /** Where it can be read until then. */
  path: string;
  written: NativeUpdateResult;
  /** Gives it its name, in one step. @throws RosiError `OUTPUT_EXISTS`, `OPTION_INVALID`, `FILE_FAILED`. */
  publish(): void;
  /** Removes it. Does nothing once it is published. */
  discard(): void;
}

/** {@link applyUpdate}, with time to look at the result before it takes its name, perhaps that of an older output. */
export async function draftUpdate(model: string, plan: UpdatePlan, options: UpdateOptions): Promise<UpdateDraft> {
  const request = requestFor(model, plan, options);
  const { draft, ...written } = await update({ ...request, draft: true }, plan, options);
  const { path, handle } = draft!;
  return {
    path,
    written,
    publish: () => native.publish(handle, request.overwrite),
    discard: () => native.discard(handle),
  };
}

function requestFor(model: string, plan: UpdatePlan, options: UpdateOptions): NativeUpdateRequest {
  const { output, overwrite = false, threads = 1, metadata = {} } = options;
  return {
    source: model,
    output,
    overwrite,
    threads,
    tensors: plan.tensors,
    metadata: { 'rosi.version': version, 'rosi.plan': JSON.stringify(plan.edit), ...metadata },
  };
}

function update(request: NativeUpdateRequest, plan: UpdatePlan, options: UpdateOptions): Promise<NativeUpdateResult> {
  const stage = { stage: 'update', total: plan.tensors.length, unit: 'tensors' };
  return runStage(options, stage, (tick) => native.update(request, tick));
}
