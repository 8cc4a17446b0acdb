import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

import { RosiError, throwIfAborted, toRosiError } from '../errors';
import { inspect } from '../inspect';
import type { Inspection } from '../native';
import { ticker, type CallOptions } from '../stage';
import { exclusiveOr, restored } from './restore';
import { damaged, encodeIndex, openToRead, pack, pieceBytes, readAt, readIndex, type UndoIndex, type UndoPart } from './undo-file'; // prettier-ignore
import { WholeOutput } from './whole-output';

export interface UndoOptions extends CallOptions {
  /** Whether an existing undo file may be replaced. Default false. */
  overwrite?: boolean | undefined;
  /** The SHA-256 of the source, when it is known; otherwise it is computed. */
  sourceSha256?: string | undefined;
}

/**
 * Writes what {@link revert} needs to turn a hardened file back into its source, byte for byte: the difference of the
 * changed tensors, packed, and where the rest is found. It is read back and tried before it takes its name.
 *
 * Memory: the headers of both files and a few MiB. @returns Its size in bytes.
 * @throws RosiError `RECORD_MISSING` when `hardened` was not written by rosi, `OUTPUT_EXISTS`, `GGUF_INVALID`,
 *   `FILE_FAILED`, `ABORTED`.
 */
export async function writeUndo(
  source: string,
  hardened: string,
  path: string,
  options: UndoOptions = {},
): Promise<number> {
  const files: FileHandle[] = [];
  let output: WholeOutput | undefined;
  try {
    const [before, after] = [await inspect(source), await inspect(hardened)];
    const checksum = after.metadata['rosi.checksum'];
    if (typeof checksum !== 'string')
      throw new RosiError('RECORD_MISSING', `${hardened} was not written by rosi`, { path: hardened });
    const [from, to] = [await openToRead(source), await openToRead(hardened)];
    files.push(from, to);
    output = await WholeOutput.create(path);
    const sha256 = options.sourceSha256 ?? (await hashOf(from, before.fileBytes));
    const parts = await writeParts(output, { from, before }, { to, after }, options);
    const index: UndoIndex = {
      source: { sha256, bytes: before.fileBytes },
      hardened: { bytes: after.fileBytes, checksum },
      parts,
    };
    await output.write(encodeIndex(index));
    const { bytes } = output;
    await tryOut(output, to, options);
    await output.publish(options.overwrite ?? false);
    return bytes;
  } catch (error) {
    throw toRosiError(error);
  } finally {
    await output?.discard();
    for (const file of files) await file.close();
  }
}

interface Source {
  from: FileHandle;
  before: Inspection;
}

interface Hardened {
  to: FileHandle;
  after: Inspection;
}

async function writeParts(
  output: WholeOutput,
  { from, before }: Source,
  { to, after }: Hardened,
  options: CallOptions,
): Promise<UndoPart[]> {
  const tick = ticker(options, 'undo', before.fileBytes, 'bytes');
  const parts: UndoPart[] = [];
  const copy = (bytes: number, at: number) => {
    const last = parts.at(-1);
    if (last?.kind === 'copy' && last.from + last.bytes === at) last.bytes += bytes;
    else if (bytes > 0) parts.push({ kind: 'copy', bytes, from: at });
  };
  const write = async (start: number, bytes: number, at: number | null) => {
    for (let done = 0; done < bytes; done += pieceBytes) {
      throwIfAborted(options.signal);
      const size = Math.min(pieceBytes, bytes - done);
      const piece = await readAt(from, start + done, size);
      if (at !== null) exclusiveOr(piece, await readAt(to, at + done, size));
      if (at !== null && piece.every((byte) => byte === 0)) {
        copy(size, at + done);
      } else {
        const packed = await pack(piece);
        await output.write(packed);
        const head = { bytes: size, packed: packed.length };
        parts.push(at === null ? { kind: 'raw', ...head } : { kind: 'xor', ...head, from: at + done });
      }
      tick((start + done) / before.fileBytes);
    }
  };
  const { prefix, suffix } = await commonEnds(from, before.dataOffset, to, after.dataOffset);
  copy(prefix, 0);
  await write(prefix, before.dataOffset - prefix - suffix, null);
  copy(suffix, after.dataOffset - suffix);
  const changed = new Set(changedTensors(after));
  const targets = new Map(after.tensors.map((tensor) => [tensor.name, tensor]));
  let end = before.dataOffset;
  for (const tensor of [...before.tensors].sort((a, b) => a.offset - b.offset)) {
    const start = tensor.offset;
    await write(end, start - end, null); // padding
    const target = targets.get(tensor.name);
    const at = target === undefined || target.bytes !== tensor.bytes ? null : target.offset;
    if (at !== null && !changed.has(tensor.name)) copy(tensor.bytes, at);
    else await write(start, tensor.bytes, at);
    end = start + tensor.bytes;
  }
  await write(end, before.fileBytes - end, null);
  tick(1);
  return parts;
}

/** What the hardened file's own record says was changed. */
function changedTensors({ metadata }: Inspection): string[] {
  const record = JSON.parse(String(metadata['rosi.tensors'] ?? '[]')) as { name: string }[];
  return record.map(({ name }) => name);
}

/** Headers differ in the keys that rosi adds, and in the tensors' places when some were promoted. */
async function commonEnds(a: FileHandle, aBytes: number, b: FileHandle, bBytes: number) {
  const [x, y] = [await readAt(a, 0, aBytes), await readAt(b, 0, bBytes)];
  const shorter = Math.min(aBytes, bBytes);
  let prefix = 0;
  while (prefix < shorter && x[prefix] === y[prefix]) ++prefix;
  let suffix = 0;
  while (suffix < shorter - prefix && x[aBytes - 1 - suffix] === y[bBytes - 1 - suffix]) ++suffix;
  return { prefix, suffix };
}

async function hashOf(file: FileHandle, bytes: number): Promise<string> {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes; at += pieceBytes) hash.update(await readAt(file, at, Math.min(pieceBytes, bytes - at)));
  return hash.digest('hex');
}

async function tryOut(output: WholeOutput, hardened: FileHandle, { signal }: CallOptions): Promise<void> {
  const file = await output.reader();
  try {
    const index = await readIndex(file, output.path);
    const hash = createHash('sha256');
    for await (const bytes of restored(index, { file, path: output.path }, hardened, { signal })) hash.update(bytes);
    if (hash.digest('hex') !== index.source.sha256)
      throw damaged(output.path, 'it does not give the source back; the source or the hardened file changed meanwhile');
  } finally {
    await file.close();
  }
}
