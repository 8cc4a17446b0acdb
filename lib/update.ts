import {
  native,
  runTask,
  type NativeTrialRequest,
  type NativeUpdateRequest,
  type NativeUpdateResult,
  type UpdateTrial,
} from './native';
import { requireGpuLibrary } from './gpu-library';
import { checkFlag } from './options';
import type { UpdatePlan } from './plan';
import { runStage, type CallOptions } from './stage';
import { version } from './version';

export interface TrialOptions extends CallOptions {
  /** The file does not depend on it. Default 1. */
  threads?: number | undefined;
  /**
   * Whether codes of quantised tensors are flipped, and tensors written in wider types, on this machine's NVIDIA GPUs, a
   * tensor for each thread at a time; docs/devices.md. The file is the same. Default false.
   */
  gpuUpdate?: boolean | undefined;
  /** More `rosi.*` keys for the file. */
  metadata?: Record<string, string> | undefined;
}

export interface UpdateOptions extends TrialOptions {
  /** Path of the new GGUF. The parts of a split one are named after it: `out-00001-of-00003.gguf` and so on. */
  output: string;
  /** Whether an existing output may be replaced. Default false. */
  overwrite?: boolean | undefined;
}

/**
 * Writes a copy of a GGUF in which the planned tensors are changed, each in its own type or the one the plan gives it.
 * Every other byte is the same, but for the `rosi.*` keys that say what was done, and for the offsets of what comes after
 * a tensor whose size has changed. The output is whole or absent. Memory: the tensors in
 * work, 48 MiB or one, and as much again or twice where a tensor gets new grids or a wider type.
 *
 * A split model, named by its first file, is written split in the same way; the `rosi.*` keys are in the first file. All
 * files are complete before the first gets its name. Should one not get its name, those that have theirs lose it again,
 * but for those that have replaced older files; the error says which.
 *
 * @returns The hash of the source, where the output is, and what each tensor changed by after rounding.
 * @throws RosiError `GGUF_INVALID`, `TENSOR_UNSUPPORTED`, `OUTPUT_EXISTS`, `OPTION_INVALID`, `FILE_FAILED`, `GPU_FAILED`,
 * `ABORTED`.
 */
export async function applyUpdate(
  model: string,
  plan: UpdatePlan,
  options: UpdateOptions,
): Promise<NativeUpdateResult> {
  return update(await requestFor(model, plan, options), plan, options);
}

/** A complete output under a temporary name beside its own. It is gone with the process unless it is published. */
export interface UpdateDraft {
  /** Where it can be read until then; of a split model, the first file. */
  path: string;
  written: NativeUpdateResult;
  /** Records that its last `undoBytes`, appended to the file at `path`, are an undo delta. It is gone when this fails. */
  seal(undoBytes: number, signal?: AbortSignal): Promise<void>;
  /** Gives it its name, in one step. @throws RosiError `OUTPUT_EXISTS`, `OPTION_INVALID`, `FILE_FAILED`. */
  publish(): void;
  /** Removes it. Does nothing once it is published. */
  discard(): void;
}

/** {@link applyUpdate}, with time to look at the result before it takes its name, perhaps that of an older output. */
export async function draftUpdate(model: string, plan: UpdatePlan, options: UpdateOptions): Promise<UpdateDraft> {
  const request = await requestFor(model, plan, options);
  const { draft, ...written } = await update({ ...request, draft: true }, plan, options);
  const { path, handle } = draft!;
  return {
    path,
    written,
    seal: (undoBytes, signal) => runTask(() => native.seal(handle, undoBytes, () => undefined), signal),
    publish: () => native.publish(handle, request.overwrite),
    discard: () => native.discard(handle),
  };
}

/**
 * What {@link applyUpdate} would do, without an output: the bytes it would have, and what each tensor would change by.
 *
 * Cost: the kernels alone; neither source nor output is hashed. Memory: as of {@link applyUpdate}.
 *
 * @throws RosiError `GGUF_INVALID`, `TENSOR_UNSUPPORTED`, `OPTION_INVALID`, `FILE_FAILED`, `GPU_FAILED`,
 * `ABORTED`.
 */
export async function trialUpdate(model: string, plan: UpdatePlan, options: TrialOptions = {}): Promise<UpdateTrial> {
  const request: NativeTrialRequest = { ...(await tensorsOf(model, plan, options)), trial: true };
  return runStage(options, stageOf(plan), (tick) => native.update(request, tick));
}

async function requestFor(model: string, plan: UpdatePlan, options: UpdateOptions): Promise<NativeUpdateRequest> {
  const { output, overwrite = false } = options;
  return { ...(await tensorsOf(model, plan, options)), output, overwrite };
}

async function tensorsOf(model: string, plan: UpdatePlan, options: TrialOptions) {
  const { threads = 1, metadata = {}, gpuUpdate = false, signal } = options;
  checkFlag('gpuUpdate', gpuUpdate);
  return {
    source: model,
    threads,
    ...(gpuUpdate ? { gpuLibrary: (await requireGpuLibrary(signal)).path } : {}),
    tensors: plan.tensors,
    metadata: { 'rosi.version': version, 'rosi.plan': JSON.stringify(plan.edit), ...metadata },
  };
}

function update(request: NativeUpdateRequest, plan: UpdatePlan, options: UpdateOptions): Promise<NativeUpdateResult> {
  return runStage(options, stageOf(plan), (tick) => native.update(request, tick));
}

function stageOf(plan: UpdatePlan) {
  return { stage: 'update', total: plan.tensors.length, unit: 'tensors' };
}
