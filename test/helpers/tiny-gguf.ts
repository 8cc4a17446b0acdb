import { readFileSync, writeFileSync } from 'node:fs';

/**
 * Small GGUF files, written and read here from the format's description alone: nothing of native/ or lib/ is used, so
 * that a mistake there can't hide here.
 */

/** Type id, weights per block, bytes per block, and where in a block its half-precision scales are. */
const types = {
  F32: [0, 1, 4, []],
  F16: [1, 1, 2, [0]],
  Q4_0: [2, 32, 18, [0]],
  Q4_1: [3, 32, 20, [0, 2]],
  Q5_0: [6, 32, 22, [0]],
  Q5_1: [7, 32, 24, [0, 2]],
  Q8_0: [8, 32, 34, [0]],
  Q8_1: [9, 32, 36, [0, 2]],
  Q2_K: [10, 256, 84, [80, 82]],
  Q3_K: [11, 256, 110, [108]],
  Q4_K: [12, 256, 144, [0, 2]],
  Q5_K: [13, 256, 176, [0, 2]],
  Q6_K: [14, 256, 210, [208]],
  Q8_K: [15, 256, 292, []],
  IQ2_XXS: [16, 256, 66, [0]],
  IQ2_XS: [17, 256, 74, [0]],
  IQ3_XXS: [18, 256, 98, [0]],
  IQ1_S: [19, 256, 50, [0]],
  IQ4_NL: [20, 32, 18, [0]],
  IQ3_S: [21, 256, 110, [0]],
  IQ2_S: [22, 256, 82, [0]],
  IQ4_XS: [23, 256, 136, [0]],
  I8: [24, 1, 1, []],
  I16: [25, 1, 2, []],
  I32: [26, 1, 4, []],
  I64: [27, 1, 8, []],
  F64: [28, 1, 8, []],
  IQ1_M: [29, 256, 56, []],
  BF16: [30, 1, 2, [0]],
  TQ1_0: [34, 256, 54, [52]],
  TQ2_0: [35, 256, 66, [64]],
  MXFP4: [39, 32, 17, []],
  NVFP4: [40, 64, 36, []],
  Q1_0: [41, 128, 18, [0]],
  Q2_0: [42, 64, 18, [0]],
} as const satisfies Record<string, readonly [number, number, number, readonly number[]]>;

export type TypeName = keyof typeof types;
export const typeNames = Object.keys(types) as TypeName[];
export const typeId = (type: TypeName): number => types[type][0];
export const blockWeights = (type: TypeName): number => types[type][1];

export interface TinyTensor {
  name: string;
  type: TypeName;
  /** Row length first, as in the file. */
  shape: number[];
  /** Default: pseudo-random, with scales and floats between 2^-9 and 2^-7 in size. */
  bytes?: Buffer;
  /** Bytes between this tensor and the one before, a multiple of the alignment; they hold 0xee. Default 0. */
  gap?: number;
}

const valueTypes = {
  uint8: 0,
  int8: 1,
  uint16: 2,
  int16: 3,
  uint32: 4,
  int32: 5,
  float32: 6,
  bool: 7,
  string: 8,
  array: 9,
  uint64: 10,
  int64: 11,
  float64: 12,
} as const;
type ScalarType = Exclude<keyof typeof valueTypes, 'array'>;
type Scalar = number | bigint | boolean | string;

/** A value and its type. An array is `[elementType, values]`. */
export type TinyValue = { [T in ScalarType]?: Scalar } | { array: [ScalarType, Scalar[]] };

export interface TinyOptions {
  version?: number;
  /** Written as general.alignment unless it is 32, the default. */
  alignment?: number;
  metadata?: Record<string, TinyValue>;
  tensors?: TinyTensor[];
  seed?: number;
  /** Bytes after the last tensor, beyond its padding. */
  trailing?: Buffer;
}

/** A GGUF in memory, with the place of every field that a test may want to damage. */
export class TinyGguf {
  constructor(
    readonly bytes: Buffer,
    /** `magic`, `version`, `tensorCount`, `metadataCount`, `infos`, `data`; `key:K`, `type:K`, `value:K` of metadata; `name:T`, `dims:T`, `shape:T`, `tensorType:T`, `offset:T`, `data:T` of tensors. */
    private readonly places: ReadonlyMap<string, number>,
  ) {}

  place(field: string): number {
    const place = this.places.get(field);
    if (place === undefined) throw new Error(`no field ${field}; there are ${[...this.places.keys()].join(', ')}`);
    return place;
  }
  write(path: string): string {
    writeFileSync(path, this.bytes);
    return path;
  }
  private with(change: (bytes: Buffer) => Buffer | void): TinyGguf {
    const copy = Buffer.from(this.bytes);
    return new TinyGguf(change(copy) ?? copy, this.places);
  }
  /** Without the last `n` bytes. */
  truncate(n: number): TinyGguf {
    return this.with((bytes) => bytes.subarray(0, bytes.length - n));
  }
  flip(offset: number, bit = 0): TinyGguf {
    return this.with((bytes) => void (bytes[offset]! ^= 1 << bit));
  }
  /** `offset`: bytes from the field's beginning. */
  u32(field: string, value: number, offset = 0): TinyGguf {
    return this.with((bytes) => void bytes.writeUInt32LE(value, this.place(field) + offset));
  }
  u64(field: string, value: bigint | number, offset = 0): TinyGguf {
    return this.with((bytes) => void bytes.writeBigUInt64LE(BigInt(value), this.place(field) + offset));
  }
  text(field: string, text: string, offset = 0): TinyGguf {
    return this.with((bytes) => void bytes.write(text, this.place(field) + offset, 'latin1'));
  }
}

/** Defaults: version 3, one F32 matrix `w` [8, 4] and general.architecture. */
export function tinyGguf(options: TinyOptions = {}): TinyGguf {
  const { version = 3, alignment = 32, seed = 1, trailing = Buffer.alloc(0) } = options;
  const tensors = options.tensors ?? [{ name: 'w', type: 'F32', shape: [8, 4] }];
  const metadata: Record<string, TinyValue> = {
    'general.architecture': { string: 'tiny' },
    ...(alignment === 32 ? {} : { 'general.alignment': { uint32: alignment } }),
    ...options.metadata,
  };
  const out = new Sink();
  out.mark('magic').text('GGUF');
  out.mark('version').u32(version);
  out.mark('tensorCount').u64(tensors.length);
  out.mark('metadataCount').u64(Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    out.mark(`key:${key}`).string(key);
    const [type, content] = Object.entries(value)[0]!;
    out.mark(`type:${key}`).u32(valueTypes[type as keyof typeof valueTypes]);
    out.mark(`value:${key}`);
    if (type === 'array') {
      const [element, values] = content as [ScalarType, Scalar[]];
      out.u32(valueTypes[element]).u64(values.length);
      for (const item of values) out.scalar(element, item);
    } else {
      out.scalar(type as ScalarType, content as Scalar);
    }
  }
  out.mark('infos');
  const random = randomBytes(seed);
  const data = new Sink();
  const dataPlaces = new Map<string, number>();
  for (const tensor of tensors) {
    data.raw(Buffer.alloc(tensor.gap ?? 0, 0xee));
    out.mark(`name:${tensor.name}`).string(tensor.name);
    out.mark(`dims:${tensor.name}`).u32(tensor.shape.length);
    out.mark(`shape:${tensor.name}`);
    for (const size of tensor.shape) out.u64(size);
    out.mark(`tensorType:${tensor.name}`).u32(types[tensor.type][0]);
    out.mark(`offset:${tensor.name}`).u64(data.length);
    dataPlaces.set(tensor.name, data.length);
    data.raw(tensor.bytes ?? randomTensor(tensor.type, tensor.shape, random)).pad(alignment);
  }
  out.pad(alignment).mark('data');
  for (const [name, place] of dataPlaces) out.places.set(`data:${name}`, out.length + place);
  return new TinyGguf(out.raw(data.concat()).raw(trailing).concat(), out.places);
}

export function tensorBytes(type: TypeName, shape: readonly number[]): number {
  const weights = shape.reduce((product, size) => product * size, 1);
  return (weights / types[type][1]) * types[type][2];
}

/** Numbers 0 to 255 from a seed (mulberry32). */
export function randomBytes(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x ^= x + Math.imul(x ^ (x >>> 7), 61 | x);
    return ((x ^ (x >>> 14)) >>> 0) & 0xff;
  };
}

function randomTensor(type: TypeName, shape: readonly number[], random: () => number): Buffer {
  const bytes = Buffer.alloc(tensorBytes(type, shape), 0).map(() => random());
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const [, , blockBytes, scales] = types[type];
  if (type === 'F32') {
    for (let i = 0; i < buffer.length; i += 4) buffer.writeFloatLE((buffer[i]! - 127.5) / 2 ** 14, i);
  }
  for (let block = 0; block < buffer.length; block += blockBytes) {
    for (const at of scales) {
      // Sign and mantissa stay random. An exponent around 2^-8: bits 10 to 14 of half precision, 7 to 14 of bfloat16.
      const bits = buffer.readUInt16LE(block + at);
      const exponent = type === 'BF16' ? (119 + (bits & 1)) << 7 : (7 + (bits & 1)) << 10;
      buffer.writeUInt16LE((bits & (type === 'BF16' ? 0x807f : 0x83ff)) | exponent, block + at);
    }
  }
  return buffer;
}

class Sink {
  private readonly parts: Buffer[] = [];
  readonly places = new Map<string, number>();
  length = 0;

  mark(field: string): this {
    this.places.set(field, this.length);
    return this;
  }
  raw(bytes: Buffer): this {
    this.parts.push(bytes);
    this.length += bytes.length;
    return this;
  }
  pad(alignment: number): this {
    return this.raw(Buffer.alloc((alignment - (this.length % alignment)) % alignment));
  }
  text(text: string): this {
    return this.raw(Buffer.from(text));
  }
  u32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return this.raw(bytes);
  }
  u64(value: number | bigint): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    return this.raw(bytes);
  }
  string(text: string): this {
    return this.u64(Buffer.byteLength(text)).text(text);
  }
  scalar(type: ScalarType, value: Scalar): this {
    if (type === 'string') return this.string(String(value));
    const bytes = Buffer.alloc(8);
    const number = Number(value);
    if (type === 'uint8' || type === 'bool') bytes.writeUInt8(number);
    else if (type === 'int8') bytes.writeInt8(number);
    else if (type === 'uint16') bytes.writeUInt16LE(number);
    else if (type === 'int16') bytes.writeInt16LE(number);
    else if (type === 'uint32') bytes.writeUInt32LE(number);
    else if (type === 'int32') bytes.writeInt32LE(number);
    else if (type === 'float32') bytes.writeFloatLE(number);
    else if (type === 'float64') bytes.writeDoubleLE(number);
    else if (type === 'uint64') bytes.writeBigUInt64LE(BigInt(value as bigint));
    else bytes.writeBigInt64LE(BigInt(value as bigint));
    return this.raw(bytes.subarray(0, scalarBytes[type]));
  }
  concat(): Buffer {
    return Buffer.concat(this.parts);
  }
}

const scalarBytes: Record<ScalarType, number> = {
  uint8: 1,
  int8: 1,
  bool: 1,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  float32: 4,
  uint64: 8,
  int64: 8,
  float64: 8,
  string: 0,
};

export interface ReadTensor {
  type: TypeName;
  shape: number[];
  offset: number;
  bytes: Buffer;
}

export interface ReadGguf {
  version: number;
  /** Key, and the whole pair as it is in the file. */
  entries: {
    key: string;
    raw: Buffer;
    /** Of string values. */ text?: string;
    /** Where the value begins. */ at: number;
  }[];
  /** Names, shapes, types and relative offsets as they are in the file. */
  infos: Buffer;
  infosEnd: number;
  dataOffset: number;
  tensors: Map<string, ReadTensor>;
  bytes: Buffer;
}

/** Reads a valid file; what is wrong in a damaged one throws a RangeError at most. */
export function readGguf(path: string): ReadGguf {
  const bytes = readFileSync(path);
  let at = 24;
  const u32 = () => bytes.readUInt32LE((at += 4) - 4);
  const u64 = () => Number(bytes.readBigUInt64LE((at += 8) - 8));
  const string = () => {
    const length = u64();
    return bytes.toString('utf8', at, (at += length));
  };
  const skip = (type: number): void => {
    const name = Object.keys(valueTypes)[type] as keyof typeof valueTypes;
    if (name === 'array') {
      const element = u32();
      for (let left = u64(); left > 0; --left) skip(element);
    } else if (name === 'string') string();
    else at += scalarBytes[name];
  };
  const entries: ReadGguf['entries'] = [];
  let alignment = 32;
  for (let left = Number(bytes.readBigUInt64LE(16)); left > 0; --left) {
    const begin = at;
    const key = string();
    const type = u32();
    const value = at;
    skip(type);
    if (key === 'general.alignment') alignment = bytes.readUInt32LE(value);
    const isText = type === valueTypes.string;
    entries.push({
      key,
      raw: bytes.subarray(begin, at),
      at: isText ? value + 8 : value,
      ...(isText ? { text: bytes.toString('utf8', value + 8, at) } : {}),
    });
  }
  const infosBegin = at;
  const found: [string, TypeName, number[], number][] = [];
  for (let left = Number(bytes.readBigUInt64LE(8)); left > 0; --left) {
    const name = string();
    const shape = Array.from({ length: u32() }, u64);
    const id = u32();
    found.push([name, typeNames.find((type) => types[type][0] === id)!, shape, u64()]);
  }
  const dataOffset = Math.ceil(at / alignment) * alignment;
  const tensors = new Map(
    found.map(([name, type, shape, relative]) => {
      const offset = dataOffset + relative;
      return [name, { type, shape, offset, bytes: bytes.subarray(offset, offset + tensorBytes(type, shape)) }];
    }),
  );
  const infos = bytes.subarray(infosBegin, at);
  return { version: bytes.readUInt32LE(4), entries, infos, infosEnd: at, dataOffset, tensors, bytes };
}

export function floats(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
}
