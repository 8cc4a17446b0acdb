import { native, runTask, type VerifyResult } from './native';
import { ticker, type CallOptions } from './session';

/**
 * Checks a hardened file: its own checksum, and with `source` that it differs from it in the planned tensors and the
 * `rosi.*` keys alone.
 *
 * @throws RosiError `GGUF_INVALID`, also when `output` was not written by rosi, `FILE_FAILED`, `ABORTED`.
 */
export function verifyUpdate(
  source: string | undefined,
  output: string,
  options: CallOptions = {},
): Promise<VerifyResult> {
  return runTask(() => native.verify({ source, output }, ticker(options, 'verify')), options.signal);
}
