import type { FileHandle } from 'node:fs/promises';

import { RosiError, toRosiError } from '../errors';
import { inspect } from '../inspect';
import { native } from '../native';
import { ticker, type CallOptions } from '../stage';
import { restored } from './restore';
import { openToRead, readIndex } from './undo-file';
import { WholeOutput } from './whole-output';

export interface RevertOptions extends CallOptions {
  /** Default: the hardened file's name and `.undo`. */
  undo?: string | undefined;
  /** Path of the restored file. */
  output: string;
  /** Whether an existing output may be replaced. Default false. */
  overwrite?: boolean | undefined;
}

/**
 * Writes the file that a hardened one was made from, byte for byte, with the undo file that was written beside it. Both
 * are only read. The output is whole or absent: it takes its name once its SHA-256 is the source's.
 *
 * @returns The source's SHA-256 and size.
 * @throws RosiError `UNDO_INVALID` when the undo file is damaged, belongs to another file, or does not give the source
 *   back; `RECORD_MISSING` when `hardened` was not written by rosi; `OUTPUT_EXISTS`, `OPTION_INVALID`, `FILE_FAILED`,
 *   `GGUF_INVALID`, `ABORTED`.
 */
export async function revert(hardened: string, options: RevertOptions): Promise<{ sha256: string; bytes: number }> {
  const { output: path, overwrite = false, signal } = options;
  const undoPath = options.undo ?? undoOf(hardened);
  for (const input of [hardened, undoPath]) native.checkOutput(input, path, overwrite);
  const files: FileHandle[] = [];
  let output: WholeOutput | undefined;
  try {
    const { metadata, fileBytes } = await inspect(hardened);
    if (metadata['rosi.checksum'] === undefined)
      throw new RosiError('RECORD_MISSING', `${hardened} was not written by rosi`, { path: hardened });
    const undo = await openToRead(undoPath);
    files.push(undo);
    const index = await readIndex(undo, undoPath);
    if (index.hardened.checksum !== metadata['rosi.checksum'] || index.hardened.bytes !== fileBytes) {
      throw new RosiError('UNDO_INVALID', `${undoPath} was written for another file than ${hardened}`, {
        undo: undoPath,
        hardened,
      });
    }
    const from = await openToRead(hardened);
    files.push(from);
    output = await WholeOutput.create(path);
    const tick = ticker(options, 'revert', index.source.bytes, 'bytes');
    for await (const bytes of restored(index, { file: undo, path: undoPath }, from, { signal, tick }))
      await output.write(bytes);
    const { sha256, bytes } = index.source;
    if (output.digest() !== sha256) {
      throw new RosiError(
        'UNDO_INVALID',
        `${hardened} was changed after it was written, or ${undoPath} is damaged: what they give is not the source; nothing was written`,
        { hardened, undo: undoPath, sha256 },
      );
    }
    await output.publish(overwrite);
    return { sha256, bytes };
  } catch (error) {
    throw toRosiError(error);
  } finally {
    await output?.discard();
    for (const file of files) await file.close();
  }
}

/** Where the undo file of a hardened file is, unless told. */
export function undoOf(hardened: string): string {
  return `${hardened}.undo`;
}
