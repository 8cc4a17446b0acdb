import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { deflateRaw as deflateRawCallback, inflateRaw as inflateRawCallback } from 'node:zlib';

import { RosiError } from '../errors';

const deflateRaw = promisify(deflateRawCallback);
const inflateRaw = promisify(inflateRawCallback);

// An undo delta, in a file of its own or at the end of a hardened one: packed pieces one after the other, then the index as JSON, its length (uint64, little-endian), the magic.
const magic = Buffer.from('rosi-undo-1\n');
const tailBytes = 8 + magic.length;
const mostIndexBytes = 64 * 2 ** 20; // of a model with a hundred thousand tensors
/** Most bytes of the source that one packed piece holds. */
export const pieceBytes = 4 * 2 ** 20;

/** How a run of the source's bytes comes back. Places are those in the files of a split model, one after the other. */
export type UndoPart =
  /** They are in the hardened file from `from` on. */
  | { kind: 'copy'; bytes: number; from: number }
  /** They are what is there, exclusive-or with the piece of `packed` bytes. */
  | { kind: 'xor'; bytes: number; from: number; packed: number }
  /** They are the piece. */
  | { kind: 'raw'; bytes: number; packed: number };

export interface UndoIndex {
  /** Of a split model: of its files, one after the other; `files` are their sizes. */
  source: { sha256: string; bytes: number; files?: number[] };
  /** `checksum`: its `rosi.checksum`, by which it is recognised; none where the delta is in that file, after `bytes`. */
  hardened: { bytes: number; checksum?: string };
  /** In the source's order. */
  parts: UndoPart[];
}

/** Where a delta is: from `begin` to the end of a file. `name` says it in messages. */
export interface UndoPlace {
  file: FileHandle;
  path: string;
  begin: number;
  name: string;
}

export const pack = (bytes: Uint8Array): Promise<Buffer> => deflateRaw(bytes, { level: 6 });

/** Unpacks a piece; one that would be longer than it says is refused before it takes the memory. */
export async function unpack(piece: Uint8Array, bytes: number, undo: UndoPlace): Promise<Buffer> {
  const unpacked = await inflateRaw(piece, { maxOutputLength: bytes }).catch(() => null);
  if (unpacked?.length !== bytes) throw damaged(undo, 'a piece does not unpack');
  return unpacked;
}

export function encodeIndex(index: UndoIndex): Buffer {
  const json = Buffer.from(JSON.stringify(index));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([json, length, magic]);
}

/** Reads and checks the index. */
export async function readIndex(undo: UndoPlace): Promise<UndoIndex> {
  const { size } = await undo.file.stat();
  const bytes = size - undo.begin;
  const tail = await readAt(undo.file, Math.max(0, size - tailBytes), Math.min(size, tailBytes));
  if (bytes < tailBytes || !tail.subarray(8).equals(magic)) throw damaged(undo, 'it does not end as one does');
  const length = Number(tail.readBigUInt64LE(0));
  if (length > Math.min(mostIndexBytes, bytes - tailBytes)) throw damaged(undo, 'its index is longer than it is');
  const at = size - tailBytes - length;
  let index: UndoIndex;
  try {
    index = JSON.parse((await readAt(undo.file, at, length)).toString('utf8')) as UndoIndex;
  } catch {
    throw damaged(undo, 'its index is no JSON');
  }
  check(index, at - undo.begin, undo);
  return index;
}

/** Exactly `bytes` bytes. @throws RosiError `FILE_FAILED` when the file ends before. */
export async function readAt(file: FileHandle, from: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  for (let at = 0; at < bytes;) {
    const { bytesRead } = await file.read(buffer, at, bytes - at, from + at);
    if (bytesRead === 0) throw new RosiError('FILE_FAILED', `a file ended at byte ${from + at} while it was read`);
    at += bytesRead;
  }
  return buffer;
}

function check(index: UndoIndex, packedBytes: number, undo: UndoPlace): void {
  const count = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  const { source, hardened, parts } = index ?? {};
  const head =
    typeof source?.sha256 === 'string' &&
    count(source.bytes) &&
    (source.files === undefined || (Array.isArray(source.files) && source.files.every(count))) &&
    count(hardened?.bytes) &&
    ['string', 'undefined'].includes(typeof hardened.checksum) &&
    Array.isArray(parts);
  if (!head) throw damaged(undo, 'its index lacks what it should say');
  let bytes = 0;
  let packed = 0;
  for (const part of parts) {
    const known =
      count(part?.bytes) &&
      (part.kind === 'raw' || (count(part.from) && part.from + part.bytes <= hardened.bytes)) &&
      (part.kind === 'copy' || (['xor', 'raw'].includes(part.kind) && count(part.packed) && part.bytes <= pieceBytes));
    if (!known) throw damaged(undo, 'a part of its index is wrong');
    bytes += part.bytes;
    if (part.kind !== 'copy') packed += part.packed;
  }
  const inFiles = source.files?.reduce((sum, size) => sum + size, 0) ?? bytes;
  if (bytes !== source.bytes || inFiles !== bytes || packed !== packedBytes)
    throw damaged(undo, 'its parts do not add up');
}

export function damaged({ name, path }: { name: string; path: string }, why: string): RosiError {
  return new RosiError('UNDO_INVALID', `${name} is not of this library, or damaged: ${why}`, { path, why });
}
