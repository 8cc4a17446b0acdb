import { floatBytes } from './little-endian';

// Numbers that the format gives value and tensor types, and its default alignment.
const valueTypes = { int32: 5, float32: 6, string: 8 } as const;
const typeF32 = 0;
const alignment = 32;

export type GgufValue = string | { int32: number } | { float32: number };

export interface FloatTensor {
  name: string;
  /** Row length first. */
  shape: readonly number[];
  data: Float32Array;
}

/**
 * A GGUF, version 3, of float32 tensors, piece by piece.
 *
 * @see docs/gguf.md of the ggml project
 */
export function ggufBytes(metadata: Readonly<Record<string, GgufValue>>, tensors: readonly FloatTensor[]): Buffer[] {
  const entries = Object.entries(metadata);
  const header = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(entries.length)];
  for (const [key, value] of entries) header.push(text(key), entry(value));
  let offset = 0;
  const data: Buffer[] = [];
  for (const tensor of tensors) {
    header.push(text(tensor.name), u32(tensor.shape.length), ...tensor.shape.map(u64), u32(typeF32), u64(offset));
    const bytes = floatBytes(tensor.data);
    data.push(bytes, padding(bytes.length));
    offset += bytes.length + padding(bytes.length).length;
  }
  const head = Buffer.concat(header);
  return [head, padding(head.length), ...data];
}

function entry(value: GgufValue): Buffer {
  if (typeof value === 'string') return Buffer.concat([u32(valueTypes.string), text(value)]);
  const bytes = Buffer.alloc(8);
  if ('int32' in value) {
    bytes.writeUInt32LE(valueTypes.int32);
    bytes.writeInt32LE(value.int32, 4);
  } else {
    bytes.writeUInt32LE(valueTypes.float32);
    bytes.writeFloatLE(value.float32, 4);
  }
  return bytes;
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

function padding(length: number): Buffer {
  return Buffer.alloc((alignment - (length % alignment)) % alignment);
}
