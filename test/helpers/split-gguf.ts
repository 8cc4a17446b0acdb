import { writeFileSync } from 'node:fs';

import { readGguf, typeId, type ReadTensor } from './tiny-gguf';

export type SplitKey = 'split.no' | 'split.count' | 'split.tensors.count';

export interface SplitOptions {
  /** How many tensors each file gets; a first file of 0 is what `--no-tensor-first-split` makes. Default: a third each. */
  sizes?: number[];
  /** Values of a file, from 0, that are not what they should be; undefined leaves the key out. */
  keys?: (part: number) => Partial<Record<SplitKey, number | undefined>>;
  /** More entries of a file, whole. */
  more?: (part: number) => Buffer[];
}

/** The names that llama.cpp gives to the files of a split model. */
export function splitPaths(base: string, count: number): string[] {
  const digits = (n: number) => String(n).padStart(5, '0');
  return Array.from({ length: count }, (_, i) => `${base}-${digits(i + 1)}-of-${digits(count)}.gguf`);
}

/** Splits a GGUF of alignment 32 as llama-gguf-split does, and says where the files are. */
export function splitGguf(source: string, base: string, options: SplitOptions = {}): string[] {
  const { entries, tensors } = readGguf(source);
  const all = [...tensors];
  const third = Math.ceil(all.length / 3);
  const { sizes = [third, third, all.length - 2 * third], keys, more } = options;
  const paths = splitPaths(base, sizes.length);
  let next = 0;
  sizes.forEach((size, part) => {
    const values = {
      'split.no': part,
      'split.count': sizes.length,
      'split.tensors.count': all.length,
      ...keys?.(part),
    };
    const split = Object.entries(values).flatMap(([key, value]) =>
      value === undefined ? [] : [splitEntry(key, value)],
    );
    const own = [...(part === 0 ? entries.map(({ raw }) => raw) : []), ...split, ...(more?.(part) ?? [])];
    writeFileSync(paths[part]!, gguf(own, all.slice(next, (next += size))));
  });
  return paths;
}

/** A whole entry with a string. */
export function textEntry(key: string, value: string): Buffer {
  return Buffer.concat([text(key), u32(8), text(value)]);
}

function splitEntry(key: string, value: number): Buffer {
  const number = Buffer.alloc(4);
  number.writeInt32LE(value);
  return key === 'split.tensors.count'
    ? Buffer.concat([text(key), u32(5), number]) // int32
    : Buffer.concat([text(key), u32(2), number.subarray(0, 2)]); // uint16
}

function gguf(entries: readonly Buffer[], tensors: readonly [string, ReadTensor][]): Buffer {
  const infos: Buffer[] = [];
  const data: Buffer[] = [];
  let offset = 0;
  for (const [name, { type, shape, bytes }] of tensors) {
    infos.push(text(name), u32(shape.length), ...shape.map(u64), u32(typeId(type)), u64(offset));
    data.push(padded(bytes));
    offset += data.at(-1)!.length;
  }
  const head = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(entries.length)];
  return Buffer.concat([padded(Buffer.concat([...head, ...entries, ...infos])), ...data]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((32 - (bytes.length % 32)) % 32)]);
}
