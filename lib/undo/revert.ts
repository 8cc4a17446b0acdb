import { open, type FileHandle } from 'node:fs/promises';

import { RosiError, toRosiError } from '../errors';
import { inspect } from '../inspect';
import { checkCopy, modelFiles } from '../model-files';
import { native } from '../native';
import { ticker, type CallOptions } from '../stage';
import { CutOutput } from './cut-output';
import { JoinedFiles } from './joined-files';
import { restored } from './restore';
import { readIndex } from './undo-file';

export interface RevertOptions extends CallOptions {
  /** Default: the hardened file's name and `.undo`. */
  undo?: string | undefined;
  /** Path of the restored file; the files of a split model are named after it, as those of `applyUpdate`. */
  output: string;
  /** Whether an existing output may be replaced. Default false. */
  overwrite?: boolean | undefined;
}

/**
 * Writes the file that a hardened one was made from, byte for byte, with the undo file that was written beside it. Both
 * are only read. The output is whole or absent: it takes its name once its SHA-256 is the source's. Of a split model,
 * named by its first file, all files come back.
 *
 * @returns The source's SHA-256 and size, and where it is: of a split model, its first file.
 * @throws RosiError `UNDO_INVALID` when the undo file is damaged, belongs to another file, or does not give the source
 *   back; `RECORD_MISSING` when `hardened` was not written by rosi; `OUTPUT_EXISTS`, `OPTION_INVALID`, `FILE_FAILED`,
 *   `GGUF_INVALID`, `ABORTED`.
 */
export async function revert(
  hardened: string,
  options: RevertOptions,
): Promise<{ sha256: string; bytes: number; output: string }> {
  const { overwrite = false, signal } = options;
  const undoPath = options.undo ?? undoOf(hardened);
  const outputs = checkCopy(hardened, options.output, overwrite);
  for (const path of outputs) native.checkOutput(undoPath, path, overwrite);
  let undo: FileHandle | undefined;
  let from: JoinedFiles | undefined;
  let output: CutOutput | undefined;
  try {
    const { metadata, fileBytes } = await inspect(hardened);
    if (metadata['rosi.checksum'] === undefined)
      throw new RosiError('RECORD_MISSING', `${hardened} was not written by rosi`, { path: hardened });
    undo = await open(undoPath, 'r');
    const index = await readIndex(undo, undoPath);
    const sizes = index.source.files ?? [index.source.bytes];
    const { checksum, bytes: hardenedBytes } = index.hardened;
    if (checksum !== metadata['rosi.checksum'] || hardenedBytes !== fileBytes || sizes.length !== outputs.length) {
      throw new RosiError('UNDO_INVALID', `${undoPath} was written for another file than ${hardened}`, {
        undo: undoPath,
        hardened,
      });
    }
    from = await JoinedFiles.open(modelFiles(hardened));
    output = await CutOutput.create(outputs, sizes);
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
    return { sha256, bytes, output: outputs[0]! };
  } catch (error) {
    throw toRosiError(error);
  } finally {
    await output?.discard();
    await from?.close();
    await undo?.close();
  }
}

/** Where the undo file of a hardened file is, unless told. */
export function undoOf(hardened: string): string {
  return `${hardened}.undo`;
}
