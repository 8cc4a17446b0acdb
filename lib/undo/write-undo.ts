import { createHash } from 'node:crypto';

import { RosiError, throwIfAborted, toRosiError } from '../errors';
import { inspect } from '../inspect';
import { modelFiles } from '../model-files';
import type { Inspection } from '../native';
import { checkFile } from '../outputs/whole-file';
import { readRecord } from '../record';
import { ticker, type CallOptions } from '../stage';
import { JoinedFiles } from './joined-files';
import { exclusiveOr, restored } from './restore';
import { damaged, encodeIndex, pack, pieceBytes, readIndex, type UndoIndex, type UndoPart } from './undo-file';
import { WholeOutput } from './whole-output';

export interface UndoOptions extends CallOptions {
  /** Whether an existing undo file may be replaced. Default false. */
  overwrite?: boolean | undefined;
  /** The SHA-256 of the source, when it is known; otherwise it is computed. */
  sourceSha256?: string | undefined;
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
  const files: JoinedFiles[] = [];
  let output: WholeOutput | undefined;
  try {
    const inputs = [...modelFiles(source), ...modelFiles(hardened)];
    checkFile(path, { overwrite: options.overwrite, inputs });
    const [before, after] = [await inspect(source), await inspect(hardened)];
    const checksum = after.metadata['rosi.checksum'];
    if (typeof checksum !== 'string')
      throw new RosiError('RECORD_MISSING', `${hardened} was not written by rosi`, { path: hardened });
    const from = await JoinedFiles.open(modelFiles(source));
    files.push(from);
    const to = await JoinedFiles.open(modelFiles(hardened));
    files.push(to);
    output = await WholeOutput.create(path);
    const sha256 = options.sourceSha256 ?? (await hashOf(from));
    const parts = await writeParts(output, { from, before }, { to, after }, options);
    const index: UndoIndex = {
      source: { sha256, bytes: before.fileBytes, ...(before.parts && { files: before.parts.map(sizeOf) }) },
      hardened: { bytes: after.fileBytes, checksum },
      parts,
    };
    await output.write(encodeIndex(index));
    const { bytes } = output;
    await output.finish();
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
  from: JoinedFiles;
  before: Inspection;
}

interface Hardened {
  to: JoinedFiles;
  after: Inspection;
}

// Magic, version and the numbers of tensors and of metadata entries, of which rosi adds some.
const countBytes = 24;

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
  /** Where the header ends; a file without tensors may end before its data would begin. */
  data: number;
  end: number;
  /** In the order of their places. */
  tensors: { name: string; place: number; bytes: number }[];
}

/** Where things are when the files of a model are read as one. */
function placesOf({ parts, fileBytes, dataOffset, tensors }: Inspection): FilePlaces[] {
  let begin = 0;
  return (parts ?? [{ fileBytes, dataOffset }]).map((file, i) => {
    const at = begin;
    begin += file.fileBytes;
    const own = tensors.filter(({ part = 0 }) => part === i);
    return {
      begin: at,
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

/** Headers differ in the keys that rosi adds, and in the tensors' places when some were promoted. */
async function commonEnds([a, aBegin, aBytes]: Head, [b, bBegin, bBytes]: Head) {
  const [x, y] = [await a.read(aBegin, aBytes), await b.read(bBegin, bBytes)];
  const shorter = Math.min(aBytes, bBytes);
  let prefix = 0;
  while (prefix < shorter && x[prefix] === y[prefix]) ++prefix;
  let suffix = 0;
  while (suffix < shorter - prefix && x[aBytes - 1 - suffix] === y[bBytes - 1 - suffix]) ++suffix;
  return { prefix, suffix };
}

async function hashOf(file: JoinedFiles): Promise<string> {
  const hash = createHash('sha256');
  for (let at = 0; at < file.bytes; at += pieceBytes)
    hash.update(await file.read(at, Math.min(pieceBytes, file.bytes - at)));
  return hash.digest('hex');
}

async function tryOut(output: WholeOutput, hardened: JoinedFiles, { signal }: CallOptions): Promise<void> {
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
