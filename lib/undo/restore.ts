import { throwIfAborted } from '../errors';
import type { Tick } from '../native';
import type { JoinedFiles } from './joined-files';
import { pieceBytes, readAt, type UndoIndex, type UndoPlace, unpack } from './undo-file';

/** The source's bytes, in order and in pieces. */
export async function* restored(
  index: UndoIndex,
  undo: UndoPlace,
  hardened: JoinedFiles,
  options: { signal?: AbortSignal | undefined; tick?: Tick },
): AsyncGenerator<Buffer> {
  let piece = undo.begin; // offset of the next one
  let done = 0;
  for (const part of index.parts) {
    for (let at = 0; at < part.bytes; at += pieceBytes) {
      throwIfAborted(options.signal);
      const bytes = Math.min(pieceBytes, part.bytes - at);
      if (part.kind === 'copy') yield await hardened.read(part.from + at, bytes);
      else {
        const unpacked = await unpack(await readAt(undo.file, piece, part.packed), part.bytes, undo);
        piece += part.packed;
        if (part.kind === 'xor') exclusiveOr(unpacked, await hardened.read(part.from, bytes));
        yield unpacked;
      }
      done += bytes;
      options.tick?.(done / Math.max(1, index.source.bytes));
    }
    if (part.bytes === 0 && part.kind !== 'copy') piece += part.packed;
  }
}

export function exclusiveOr(target: Buffer, other: Buffer): void {
  for (let i = 0; i < target.length; ++i) target[i]! ^= other[i]!;
}
