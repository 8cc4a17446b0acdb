import { resolve } from 'node:path';

import type { StageClock } from '../clock';
import { RosiError } from '../errors';
import type { NativeUpdateResult } from '../native';
import { checkFile } from '../outputs/whole-file';
import type { UpdateDraft } from '../update';
import { embedUndo, splitRefused, undoPlaceholder } from './embed';
import { writeUndo, type UndoOptions } from './write-undo';

/** The value of `options.undo` for a delta in the output itself; a file of this name is `./embed`. */
export const embedded = 'embed';

/** The path of the undo file among the options; null for none, and for a delta in the output. */
export function undoFileOf(undo: string | null): string | null {
  return undo === embedded ? null : undo;
}

/** Throws what writing the undo of `model` would, before the work that leads to it. `written`: the output's files. */
export function checkUndo(
  model: string,
  undo: string | null,
  written: readonly string[],
  { overwrite, inputs }: { overwrite: boolean; inputs: readonly string[] },
): void {
  if (undo === embedded && written.length > 1) throw splitRefused(model);
  const path = undoFileOf(undo);
  if (path === null) return;
  checkFile(path, { overwrite, inputs });
  if (written.some((file) => resolve(file) === resolve(path)))
    throw new RosiError('OPTION_INVALID', `options.undo names the output: ${path}`, { option: 'undo', path });
}

/** The keys that the output needs for it. */
export function undoMetadata(undo: string | null): Record<string, string> {
  return undo === embedded ? undoPlaceholder : {};
}

/** @returns The size of the undo file or delta, null when none was asked for, and what was written with it. */
export async function writeUndoOf(
  model: string,
  { undo, ...options }: Omit<UndoOptions, 'sourceSha256'> & { undo: string | null },
  draft: UpdateDraft,
  clock: StageClock,
): Promise<{ undoBytes: number | null; written: NativeUpdateResult }> {
  const { written } = draft;
  if (undo === null) return { undoBytes: null, written };
  const given = { ...options, sourceSha256: written.sourceSha256 };
  const isEmbedded = undo === embedded;
  const undoBytes = await clock.time('undo', () =>
    isEmbedded ? embedUndo(model, draft, given) : writeUndo(model, draft.path, undo, given),
  );
  return { undoBytes, written: isEmbedded ? { ...written, outputBytes: written.outputBytes + undoBytes } : written };
}
