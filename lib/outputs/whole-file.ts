import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

import { RosiError } from '../errors';
import { native, runTask } from '../native';

export interface FileOptions {
  /** Whether an existing file may be replaced. Default false. */
  overwrite?: boolean | undefined;
  /** Files that the output must not be, also under another name. */
  inputs?: readonly string[] | undefined;
}

/** Throws what {@link writeWhole} would throw about its output, before the work that leads to it. */
export function checkFile(output: string, options: FileOptions = {}): void {
  const { overwrite = false, inputs = [] } = options;
  for (const input of ['', ...inputs]) native.checkOutput(input, output, overwrite);
  const folder = dirname(output);
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new RosiError('FILE_FAILED', `${output} can't be written: there is no folder ${folder}`, { path: output });
  }
}

/**
 * Writes a file that is whole or absent: under a temporary name beside its own, synced, then renamed.
 *
 * @throws RosiError `OUTPUT_EXISTS`, `OPTION_INVALID` when it is one of the inputs or no file, `FILE_FAILED`.
 */
export function writeWhole(
  output: string,
  parts: readonly (string | Uint8Array)[],
  options: FileOptions = {},
): Promise<void> {
  const { overwrite = false, inputs = [] } = options;
  const bytes = parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part));
  return runTask(() => native.writeFile({ output, parts: bytes, overwrite, inputs: [...inputs] }));
}
