import { native, type VerifyResult } from './native';
import { runStage, type CallOptions } from './stage';

/**
 * Checks a hardened file: its own checksum, and with `source` that it differs from it in the planned tensors and the
 * `rosi.*` keys alone. Of split models the first file is given; every file is checked.
 *
 * @throws RosiError `RECORD_MISSING` when `output` was not written by rosi, `GGUF_INVALID`, `FILE_FAILED`, `ABORTED`.
 */
export function verifyUpdate(
  source: string | undefined,
  output: string,
  options: CallOptions = {},
): Promise<VerifyResult> {
  return runStage(options, { stage: 'verify' }, (tick) => native.verify({ source, output }, tick));
}
