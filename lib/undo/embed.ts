import { open, type FileHandle } from 'node:fs/promises';

import { RosiError, toRosiError } from '../errors';
import type { Inspection } from '../native';
import type { UpdateDraft } from '../update';
import { type DeltaOptions, openModel, type OpenModel, tryOut, writeDelta } from './delta';
import type { UndoPlace } from './undo-file';

// After the last tensor's data, where readers of a GGUF do not look: neither loading nor memory depends on it.
const undoKey = 'rosi.undo';

/** What a draft needs among its metadata so that {@link embedUndo} can be called: as long as what takes its place. */
export const undoPlaceholder = { [undoKey]: '-'.repeat(16) };

/**
 * Appends to a draft what gives its source back, byte for byte, as {@link writeUndo} writes it to a file, and tries it out.
 * Memory: the headers and a few MiB. A draft for which this fails is of no use.
 *
 * @returns Its size in bytes, by which the draft has grown.
 * @throws RosiError `OPTION_INVALID` when the draft is split, `GGUF_INVALID`, `FILE_FAILED`, `ABORTED`.
 */
export async function embedUndo(source: string, draft: UpdateDraft, options: DeltaOptions = {}): Promise<number> {
  const models: OpenModel[] = [];
  let file: FileHandle | undefined;
  try {
    const before = await openModel(source);
    models.push(before);
    if (before.inspection.parts !== undefined) throw splitRefused(source);
    const after = await openModel(draft.path);
    models.push(after);
    file = await open(draft.path, 'r+');
    const begin = after.inspection.fileBytes;
    const appended = await append(file, begin, (sink) => writeDelta(sink, before, after, undefined, options));
    await draft.seal(appended, options.signal);
    await tryOut(placeIn(draft.path, file, begin), after.file, options);
    return appended;
  } catch (error) {
    throw toRosiError(error);
  } finally {
    await file?.close();
    for (const model of models) await model.file.close();
  }
}

/** Where the delta in a hardened file begins; null when it has none. */
export function embeddedAt({ metadata, fileBytes }: Inspection): number | null {
  const bytes = embeddedBytes(metadata);
  return bytes === null ? null : Math.max(0, fileBytes - bytes);
}

/** Size of the delta in a file with this metadata; null when it has none. */
export function embeddedBytes(metadata: Inspection['metadata']): number | null {
  const digits = metadata[undoKey];
  return typeof digits === 'string' && /^\d{16}$/u.test(digits) ? Number(digits) : null;
}

export function placeIn(path: string, file: FileHandle, begin: number): UndoPlace {
  return { file, path, begin, name: `the undo delta in ${path}` };
}

export function splitRefused(source: string): RosiError {
  return new RosiError(
    'OPTION_INVALID',
    `options.undo can't be embed: ${source} is split, and an undo delta goes into single files only; name an undo file`,
    { option: 'undo', path: source },
  );
}

/** @returns How many bytes `write` has written from `begin` on. */
async function append(
  file: FileHandle,
  begin: number,
  write: (sink: { write(bytes: Uint8Array): Promise<void> }) => Promise<void>,
): Promise<number> {
  let end = begin;
  await write({
    async write(bytes) {
      for (let at = 0; at < bytes.length;) {
        const { bytesWritten } = await file.write(bytes, at, bytes.length - at, end);
        at += bytesWritten;
        end += bytesWritten;
      }
    },
  });
  return end - begin;
}
