import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';

import { RosiError, toRosiError } from '../errors';
import { inspect } from '../inspect';
import { checkCopy, modelFiles } from '../model-files';
import { native, type Inspection } from '../native';
import { ticker, type CallOptions } from '../stage';
import { CutOutput } from './cut-output';
import { JoinedFiles } from './joined-files';
import { embeddedAt, placeIn } from './embed';
import { restored } from './restore';
import { readIndex, type UndoPlace } from './undo-file';
import { embedded } from './undo-option';

export interface RevertOptions extends CallOptions {
  /** An undo file, or `embed`: what the hardened file holds. Default: its name and `.undo` if that is there, else `embed`. */
  undo?: string | undefined;
  /** Path of the restored file; the files of a split model are named after it, as those of `applyUpdate`. */
  output: string;
  /** Whether an existing output may be replaced. Default false. */
  overwrite?: boolean | undefined;
}

/**
 * Writes the file that a hardened one was made from, byte for byte, with the undo file that was written beside it, or the
 * undo delta in it. Inputs are only read. The output is whole or absent: it takes its name once its SHA-256 is the source's. Of a split model,
 * named by its first file, all files come back.
 *
 * @returns The source's SHA-256 and size, and where it is: of a split model, its first file.
 * @throws RosiError `UNDO_INVALID` when the undo file or delta is damaged, belongs to another file, or does not give the source
 *   back; `RECORD_MISSING` when `hardened` was not written by rosi; `OUTPUT_EXISTS`, `OPTION_INVALID`, `FILE_FAILED`,
 *   `GGUF_INVALID`, `ABORTED`.
 */
export async function revert(
  hardened: string,
  options: RevertOptions,
): Promise<{ sha256: string; bytes: number; output: string }> {
  const { overwrite = false, signal } = options;
  const outputs = checkCopy(hardened, options.output, overwrite);
  for (const path of outputs) native.checkOutput(undoPath(hardened, options.undo), path, overwrite);
  let undo: UndoPlace | undefined;
  let from: JoinedFiles | undefined;
  let output: CutOutput | undefined;
  try {
    const file = await inspect(hardened);
    if (file.metadata['rosi.checksum'] === undefined)
      throw new RosiError('RECORD_MISSING', `${hardened} was not written by rosi`, { path: hardened });
    undo = await openUndo(hardened, file, options.undo);
    const index = await readIndex(undo);
    const sizes = index.source.files ?? [index.source.bytes];
    const { checksum, bytes: hardenedBytes } = index.hardened;
    const expected = undo.begin > 0 ? [undefined, undo.begin] : [file.metadata['rosi.checksum'], file.fileBytes];
    if (checksum !== expected[0] || hardenedBytes !== expected[1] || sizes.length !== outputs.length) {
      throw new RosiError('UNDO_INVALID', `${undo.name} was written for another file than ${hardened}`, {
        undo: undo.path,
        hardened,
      });
    }
    from = await JoinedFiles.open(modelFiles(hardened));
    output = await CutOutput.create(outputs, sizes);
    const tick = ticker(options, 'revert', index.source.bytes, 'bytes');
    for await (const bytes of restored(index, undo, from, { signal, tick })) await output.write(bytes);
    const { sha256, bytes } = index.source;
    if (output.digest() !== sha256) {
      throw new RosiError(
        'UNDO_INVALID',
        `${hardened} was changed after it was written, or ${undo.name} is damaged: what they give is not the source; nothing was written`,
        { hardened, undo: undo.path, sha256 },
      );
    }
    await output.publish(overwrite);
    return { sha256, bytes, output: outputs[0]! };
  } catch (error) {
    throw toRosiError(error);
  } finally {
    await output?.discard();
    await from?.close();
    await undo?.file.close();
  }
}

/** The file that the delta is in. */
function undoPath(hardened: string, given: string | undefined): string {
  if (given === embedded) return hardened;
  const beside = undoOf(hardened);
  return given ?? (existsSync(beside) ? beside : hardened);
}

async function openUndo(hardened: string, file: Inspection, given: string | undefined): Promise<UndoPlace> {
  const path = undoPath(hardened, given);
  if (path !== hardened) return { file: await open(path, 'r'), path, begin: 0, name: path };
  const begin = embeddedAt(file);
  if (begin !== null) return placeIn(hardened, await open(hardened, 'r'), begin);
  throw new RosiError(
    'FILE_FAILED',
    `nothing gives the source of ${hardened} back: it holds no undo delta` +
      (given === undefined ? `, and there is no ${undoOf(hardened)}; name its undo file` : ''),
    { path: hardened },
  );
}

/** Where the undo file of a hardened file is, unless told. */
export function undoOf(hardened: string): string {
  return `${hardened}.undo`;
}
