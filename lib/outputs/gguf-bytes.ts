import { floatBytes } from './little-endian';

// Numbers that the format gives value and tensor types, and its default alignment.
const valueTypes = { uint32: 4, int32: 5, float32: 6, string: 8, array: 9 } as const;
const typeF32 = 0;
const alignment = 32;

type GgufNumber = { uint32: number } | { int32: number } | { float32: number };
export type GgufValue = string | GgufNumber | { strings: readonly string[] } | { numbers: readonly GgufNumber[] };

export interface FloatTensor {
  name: string;
  /** Row length first. */
  shape: readonly number[];
  data: Float32Array;
}

/** A tensor as it is in a file. */
export interface EncodedTensor extends Omit<FloatTensor, 'data'> {
  /** GGUF's number for it. */
  type: number;
  bytes: Uint8Array;
}

/**
 * A GGUF, version 3, piece by piece.
 *
 * @see docs/gguf.md of the ggml project
 */
export function ggufBytes(
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly (FloatTensor | EncodedTensor)[],
): Uint8Array[] {
  const entries = Object.entries(metadata);
  const header = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(entries.length)];
  for (const [key, value] of entries) header.push(text(key), entry(value));
  let offset = 0;
  const data: Uint8Array[] = [];
  for (const tensor of tensors) {
    const { type, bytes } = 'data' in tensor ? { type: typeF32, bytes: floatBytes(tensor.data) } : tensor;
    header.push(text(tensor.name), u32(tensor.shape.length), ...tensor.shape.map(u64), u32(type), u64(offset));
    data.push(bytes, padding(bytes.length));
    offset += bytes.length + padding(bytes.length).length;
  }
  const head = Buffer.concat(header);
  return [head, padding(head.length), ...data];
}

function entry(value: GgufValue): Buffer {
  if (typeof value === 'string') return Buffer.concat([u32(valueTypes.string), text(value)]);
  if ('strings' in value) return array(valueTypes.string, value.strings.map(text));
  if ('numbers' in value) return array(numberType(value.numbers[0]), value.numbers.map(numberBytes));
  return Buffer.concat([u32(numberType(value)), numberBytes(value)]);
}

/** Of elements that are all of one type. */
function array(type: number, elements: readonly Buffer[]): Buffer {
  return Buffer.concat([u32(valueTypes.array), u32(type), u64(elements.length), ...elements]);
}

function numberType(value: GgufNumber | undefined): number {
  return valueTypes[Object.keys(value ?? { int32: 0 })[0] as 'uint32' | 'int32' | 'float32'];
}

function numberBytes(value: GgufNumber): Buffer {
  if ('uint32' in value) return u32(value.uint32);
  const bytes = Buffer.alloc(4);
  if ('int32' in value) bytes.writeInt32LE(value.int32);
  else bytes.writeFloatLE(value.float32);
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
