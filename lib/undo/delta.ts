import { createHash } from 'node:crypto';

import { throwIfAborted } from '../errors';
import { inspect } from '../inspect';
import { modelFiles } from '../model-files';
import type { Inspection } from '../native';
import { readRecord } from '../record';
import { ticker, type CallOptions } from '../stage';
import { JoinedFiles } from './joined-files';
import { exclusiveOr, restored } from './restore';
import {
  damaged,
  encodeIndex,
  pack,
  pieceBytes,
  readIndex,
  type UndoIndex,
  type UndoPart,
  type UndoPlace,
} from './undo-file';

/** Written from its beginning to its end. */
export interface Sink {
  write(bytes: Uint8Array): Promise<void>;
}

export interface OpenModel {
  file: JoinedFiles;
  inspection: Inspection;
}

/** Of a split model, named by its first file, all files. The caller closes it. */
export async function openModel(path: string): Promise<OpenModel> {
  const inspection = await inspect(path);
  return { file: await JoinedFiles.open(modelFiles(path)), inspection };
}

export interface DeltaOptions extends CallOptions {
  /** The SHA-256 of the source, when it is known; otherwise it is computed. */
  sourceSha256?: string | undefined;
}

/** Writes what gives `before` back when `after` is there. `checksum`: by which `after` is recognised. */
export async function writeDelta(
  output: Sink,
  before: OpenModel,
  after: OpenModel,
  checksum: string | undefined,
  options: DeltaOptions,
): Promise<void> {
  const { fileBytes, parts: files } = before.inspection;
  const sha256 = options.sourceSha256 ?? (await hashOf(before.file));
  const parts = await writeParts(output, before, after, options);
  const index: UndoIndex = {
    source: { sha256, bytes: fileBytes, ...(files && { files: files.map(sizeOf) }) },
    hardened: { bytes: after.inspection.fileBytes, ...(checksum !== undefined && { checksum }) },
    parts,
  };
  await output.write(encodeIndex(index));
}

/** @throws RosiError `UNDO_INVALID` when a delta does not give the source back. */
export async function tryOut(undo: UndoPlace, hardened: JoinedFiles, { signal }: CallOptions): Promise<void> {
  const index = await readIndex(undo);
  const hash = createHash('sha256');
  for await (const bytes of restored(index, undo, hardened, { signal })) hash.update(bytes);
  if (hash.digest('hex') !== index.source.sha256)
    throw damaged(undo, 'it does not give the source back; the source or the hardened file changed meanwhile');
}

// Magic, version and the numbers of tensors and of metadata entries, of which rosi adds some.
const countBytes = 24;

async function writeParts(
  output: Sink,
  { file: from, inspection: before }: OpenModel,
  { file: to, inspection: after }: OpenModel,
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
      const piece = await from.read(start + done, size);
      if (at !== null) exclusiveOr(piece, await to.read(at + done, size));
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
  const changed = new Set(readRecord(after).map(({ name }) => name));
  const [sources, targets] = [placesOf(before), placesOf(after)];
  const found = new Map(targets.flatMap(({ tensors }) => tensors.map((tensor) => [tensor.name, tensor])));
  for (const [i, source] of sources.entries()) {
    const [head, target] = [source.data - source.begin, targets[i]];
    const targetHead = target === undefined ? 0 : target.data - target.begin;
    const counts = target === undefined ? 0 : Math.min(countBytes, head, targetHead);
    await write(source.begin, counts, null);
    const ends = await commonEnds(
      [from, source.begin + counts, head - counts],
      [to, (target?.begin ?? 0) + counts, targetHead - counts],
      target === undefined ? 0 : target.data - target.infos,
    );
    copy(ends.prefix, (target?.begin ?? 0) + counts);
    await write(source.begin + counts + ends.prefix, head - counts - ends.prefix - ends.suffix, null);
    copy(ends.suffix, (target?.data ?? 0) - ends.suffix);
    let end = source.data;
    for (const { name, place, bytes } of source.tensors) {
      await write(end, place - end, null); // padding
      const tensor = found.get(name);
      const at = tensor === undefined || tensor.bytes !== bytes ? null : tensor.place;
      if (at !== null && !changed.has(name)) copy(bytes, at);
      else await write(place, bytes, at);
      end = place + bytes;
    }
    await write(end, source.end - end, null);
  }
  tick(1);
  return parts;
}

interface FilePlaces {
  begin: number;
  infos: number;
  /** Where the header ends; a file without tensors may end before its data would begin. */
  data: number;
  end: number;
  /** In the order of their places. */
  tensors: { name: string; place: number; bytes: number }[];
}

/** Where things are when the files of a model are read as one. */
function placesOf({ parts, fileBytes, infosOffset, dataOffset, tensors }: Inspection): FilePlaces[] {
  let begin = 0;
  return (parts ?? [{ fileBytes, infosOffset, dataOffset }]).map((file, i) => {
    const at = begin;
    begin += file.fileBytes;
    const own = tensors.filter(({ part = 0 }) => part === i);
    return {
      begin: at,
      infos: at + file.infosOffset,
      data: at + Math.min(file.dataOffset, file.fileBytes),
      end: begin,
      tensors: own
        .map(({ name, offset, bytes }) => ({ name, place: at + offset, bytes }))
        .sort((a, b) => a.place - b.place),
    };
  });
}

const sizeOf = (file: { fileBytes: number }): number => file.fileBytes;

type Head = [file: JoinedFiles, begin: number, bytes: number];

/**
 * Headers differ in the keys that rosi adds, and in the tensors' places when some were promoted. Those keys are the last of
 * the metadata, and their values may change yet (embed.ts): what comes after them is `mostSuffix` bytes.
 */
async function commonEnds([a, aBegin, aBytes]: Head, [b, bBegin, bBytes]: Head, mostSuffix: number) {
  const [x, y] = [await a.read(aBegin, aBytes), await b.read(bBegin, bBytes)];
  const shorter = Math.min(aBytes, bBytes);
  let prefix = 0;
  while (prefix < shorter && x[prefix] === y[prefix]) ++prefix;
  let suffix = 0;
  while (suffix < Math.min(shorter - prefix, mostSuffix) && x[aBytes - 1 - suffix] === y[bBytes - 1 - suffix]) ++suffix;
  return { prefix, suffix };
}

async function hashOf(file: JoinedFiles): Promise<string> {
  const hash = createHash('sha256');
  for (let at = 0; at < file.bytes; at += pieceBytes)
    hash.update(await file.read(at, Math.min(pieceBytes, file.bytes - at)));
  return hash.digest('hex');
}
