import { native, runTask, type NativeUpdateResult } from './native';
import type { UpdatePlan } from './plan';
import { ticker, type CallOptions } from './session';
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
  const { output, overwrite = false, threads = 1, metadata = {} } = options;
  const request = {
    source: model,
    output,
    overwrite,
    threads,
    tensors: plan.tensors,
    metadata: { 'rosi.version': version, 'rosi.plan': JSON.stringify(plan.edit), ...metadata },
  };
  const tick = ticker(options, 'update', plan.tensors.length, 'tensors');
  return runTask(() => native.update(request, tick), options.signal);
}
