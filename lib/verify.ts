import { inspect } from './inspect';
import { native, type NativeVerifyResult } from './native';
import { runStage, type CallOptions } from './stage';

/** How two files differ. */
export interface VerifyResult extends NativeVerifyResult {
  /** Tensors that the record says were changed and that equal the source's; empty without a source. */
  unchanged: string[];
}

/**
 * Checks a hardened file: its own checksum, and with `source` that it differs from it in the planned tensors and the
 * `rosi.*` keys alone, and in each of those that its record claims.
 *
 * @throws RosiError `RECORD_MISSING` when `output` was not written by rosi, `GGUF_INVALID`, `FILE_FAILED`, `ABORTED`.
 */
export async function verifyUpdate(
  source: string | undefined,
  output: string,
  options: CallOptions = {},
): Promise<VerifyResult> {
  const found = await runStage(options, { stage: 'verify' }, (tick) => native.verify({ source, output }, tick));
  const equal = found.tensors.filter(({ changedBytes }) => changedBytes === 0).map(({ name }) => name);
  const unchanged = equal.length > 0 && (await claimsAChange(output)) ? equal : [];
  return { ...found, ok: found.ok && unchanged.length === 0, unchanged };
}

/** At strength 0 every tensor is a copy. */
async function claimsAChange(output: string): Promise<boolean> {
  const { metadata } = await inspect(output);
  try {
    return (JSON.parse(String(metadata['rosi.plan'])) as { strength?: unknown }).strength !== 0;
  } catch {
    return true;
  }
}
