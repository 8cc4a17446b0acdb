import { RosiError, toRosiError } from '../errors';
import { modelFiles } from '../model-files';
import { checkFile } from '../outputs/whole-file';
import { type DeltaOptions, openModel, type OpenModel, tryOut, writeDelta } from './delta';
import { WholeOutput } from './whole-output';

export interface UndoOptions extends DeltaOptions {
  /** Whether an existing undo file may be replaced. Default false. */
  overwrite?: boolean | undefined;
}

/**
 * Writes what {@link revert} needs to turn a hardened file back into its source, byte for byte: the difference of the
 * changed tensors, packed, and where the rest is found. It is read back and tried before it takes its name. Split models
 * are named by their first files.
 *
 * Memory: the headers of both files and a few MiB. @returns Its size in bytes.
 * @throws RosiError `RECORD_MISSING` when `hardened` was not written by rosi, `OUTPUT_EXISTS`, `OPTION_INVALID` when `path` is
 *   one of the two, `GGUF_INVALID`, `FILE_FAILED`, `ABORTED`.
 */
export async function writeUndo(
  source: string,
  hardened: string,
  path: string,
  options: UndoOptions = {},
): Promise<number> {
  const models: OpenModel[] = [];
  let output: WholeOutput | undefined;
  try {
    const inputs = [...modelFiles(source), ...modelFiles(hardened)];
    checkFile(path, { overwrite: options.overwrite, inputs });
    const before = await openModel(source);
    models.push(before);
    const after = await openModel(hardened);
    models.push(after);
    const checksum = after.inspection.metadata['rosi.checksum'];
    if (typeof checksum !== 'string')
      throw new RosiError('RECORD_MISSING', `${hardened} was not written by rosi`, { path: hardened });
    output = await WholeOutput.create(path);
    await writeDelta(output, before, after, checksum, options);
    const { bytes } = output;
    await output.finish();
    const file = await output.reader();
    try {
      await tryOut({ file, path, begin: 0, name: path }, after.file, options);
    } finally {
      await file.close();
    }
    await output.publish(options.overwrite ?? false);
    return bytes;
  } catch (error) {
    throw toRosiError(error);
  } finally {
    await output?.discard();
    for (const { file } of models) await file.close();
  }
}
