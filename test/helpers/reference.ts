import { noise as noiseOf, norm } from '../../lib/doctor/block-values';

export { norm };

/**
 * What the kernels must compute, written plainly and apart from native/: the layouts of the tensor types from their
 * published definition, and sums in float64. Values are rounded to float32 where the types' definition does.
 */
export interface TensorType {
  name: string;
  id: number;
  /** Weights in a block, and the block's bytes. */
  weights: number;
  bytes: number;
  value(block: DataView, e: number): number;
}

const f32 = Math.fround;
const float = new Float32Array(1);
const floatBits = new Uint32Array(float.buffer);

export function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
}

function bfloat(bits: number): number {
  floatBits[0] = bits << 16;
  return float[0]!;
}

const halfAt = (block: DataView, offset: number) => half(block.getUint16(offset, true));

/** Four bits of weight e of 32: the first 16 weights in the low halves of 16 bytes, the others in the high halves. */
const nibble = (b: DataView, offset: number, e: number) => (b.getUint8(offset + (e % 16)) >> (e < 16 ? 0 : 4)) & 15;
const fifth = (b: DataView, offset: number, e: number) => (b.getUint32(offset, true) >>> e) & 1;
/** 32 weights in 32 bytes at one bit position, then the next 32 at the next position, until the bytes are full. */
const plane = (b: DataView, offset: number, e: number, bits: number, perByte: number) =>
  (b.getUint8(offset + Math.floor(e / (32 * perByte)) * 32 + (e % 32)) >> (bits * (Math.floor(e / 32) % perByte))) &
  ((1 << bits) - 1);

/** The k-th scale and minimum of Q4_K and Q5_K, six bits each, in 12 bytes. */
function sixBits(b: DataView, offset: number, k: number): [number, number] {
  const at = (i: number) => b.getUint8(offset + i);
  if (k < 4) return [at(k) & 63, at(k + 4) & 63];
  return [(at(k + 4) & 15) | ((at(k - 4) >> 6) << 4), (at(k + 4) >> 4) | ((at(k) >> 6) << 4)];
}

const pair = (unit: number, scale: number, code: number, minimumUnit: number, minimum: number) =>
  f32(f32(f32(unit * scale) * code) - f32(minimumUnit * minimum));

const iq4 = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
const fp4 = [0, 0.5, 1, 1.5, 2, 3, 4, 6];

const quantised: TensorType[] = [
  { name: 'Q8_0', id: 8, weights: 32, bytes: 34, value: (b, e) => f32(halfAt(b, 0) * b.getInt8(2 + e)) },
  { name: 'Q4_0', id: 2, weights: 32, bytes: 18, value: (b, e) => f32(halfAt(b, 0) * (nibble(b, 2, e) - 8)) },
  {
    name: 'Q4_1',
    id: 3,
    weights: 32,
    bytes: 20,
    value: (b, e) => f32(f32(halfAt(b, 0) * nibble(b, 4, e)) + halfAt(b, 2)),
  },
  {
    name: 'Q5_0',
    id: 6,
    weights: 32,
    bytes: 22,
    value: (b, e) => f32(halfAt(b, 0) * ((nibble(b, 6, e) | (fifth(b, 2, e) << 4)) - 16)),
  },
  {
    name: 'Q5_1',
    id: 7,
    weights: 32,
    bytes: 24,
    value: (b, e) => f32(f32(halfAt(b, 0) * (nibble(b, 8, e) | (fifth(b, 4, e) << 4))) + halfAt(b, 2)),
  },
  {
    name: 'Q2_K',
    id: 10,
    weights: 256,
    bytes: 84,
    value: (b, e) => {
      const scales = b.getUint8(Math.floor(e / 16));
      return pair(halfAt(b, 80), scales & 15, plane(b, 16, e, 2, 4), halfAt(b, 82), scales >> 4);
    },
  },
  {
    name: 'Q3_K',
    id: 11,
    weights: 256,
    bytes: 110,
    value: (b, e) => {
      const k = Math.floor(e / 16);
      const four = (b.getUint8(96 + (k % 8)) >> (k < 8 ? 0 : 4)) & 15;
      const two = (b.getUint8(104 + (k % 4)) >> (2 * Math.floor(k / 4))) & 3;
      const code = plane(b, 32, e, 2, 4) + 4 * plane(b, 0, e, 1, 8) - 4;
      return f32(f32(halfAt(b, 108) * (four + 16 * two - 32)) * code);
    },
  },
  {
    name: 'Q4_K',
    id: 12,
    weights: 256,
    bytes: 144,
    value: (b, e) => {
      const [scale, minimum] = sixBits(b, 4, Math.floor(e / 32));
      return pair(halfAt(b, 0), scale, plane(b, 16, e, 4, 2), halfAt(b, 2), minimum);
    },
  },
  {
    name: 'Q5_K',
    id: 13,
    weights: 256,
    bytes: 176,
    value: (b, e) => {
      const [scale, minimum] = sixBits(b, 4, Math.floor(e / 32));
      return pair(halfAt(b, 0), scale, plane(b, 48, e, 4, 2) + 16 * plane(b, 16, e, 1, 8), halfAt(b, 2), minimum);
    },
  },
  {
    name: 'Q6_K',
    id: 14,
    weights: 256,
    bytes: 210,
    value: (b, e) => {
      const low = (b.getUint8(64 * Math.floor(e / 128) + (e % 64)) >> (e % 128 < 64 ? 0 : 4)) & 15;
      const code = low + 16 * plane(b, 128, e, 2, 4) - 32;
      return f32(f32(halfAt(b, 208) * b.getInt8(192 + Math.floor(e / 16))) * code);
    },
  },
  { name: 'IQ4_NL', id: 20, weights: 32, bytes: 18, value: (b, e) => f32(halfAt(b, 0) * iq4[nibble(b, 2, e)]!) },
  {
    name: 'IQ4_XS',
    id: 23,
    weights: 256,
    bytes: 136,
    value: (b, e) => {
      const k = Math.floor(e / 32);
      const four = (b.getUint8(4 + Math.floor(k / 2)) >> (4 * (k % 2))) & 15;
      const two = (b.getUint16(2, true) >> (2 * k)) & 3;
      return f32(f32(halfAt(b, 0) * (four + 16 * two - 32)) * iq4[nibble(b, 8 + 16 * k, e % 32)]!);
    },
  },
  {
    name: 'MXFP4',
    id: 39,
    weights: 32,
    bytes: 17,
    value: (b, e) => {
      const code = nibble(b, 1, e);
      // Of its two zeros neither has a sign when read.
      return f32(2 ** (b.getUint8(0) - 127) * (code & 8 ? -1 : 1) * fp4[code & 7]!) + 0;
    },
  },
];

const floats: TensorType[] = [
  { name: 'F32', id: 0, weights: 1, bytes: 4, value: (b) => b.getFloat32(0, true) },
  { name: 'F16', id: 1, weights: 1, bytes: 2, value: (b) => halfAt(b, 0) },
  { name: 'BF16', id: 30, weights: 1, bytes: 2, value: (b) => bfloat(b.getUint16(0, true)) },
];

export const quantisedTypes: readonly TensorType[] = quantised;
export const floatTypes: readonly TensorType[] = floats;
export const tensorTypes: readonly TensorType[] = [...floats, ...quantised];

export function dequantise(type: TensorType, bytes: Uint8Array): Float32Array {
  const blocks = bytes.length / type.bytes;
  const values = new Float32Array(blocks * type.weights);
  for (let b = 0; b < blocks; ++b) {
    const block = new DataView(bytes.buffer, bytes.byteOffset + b * type.bytes, type.bytes);
    for (let e = 0; e < type.weights; ++e) values[b * type.weights + e] = type.value(block, e);
  }
  return values;
}

/** Approximately normal numbers with heavy ends, as weights and directions have. */
export function noise(length: number, seed: number, scale = 1): Float32Array {
  return noiseOf(length, 'noise', scale, seed);
}

/** left and right whose product has `share` times the Frobenius norm of the weights. */
export function factors(weights: Float32Array, nIn: number, nOut: number, share: number, seed: number) {
  const right = noise(nIn, seed);
  const direction = noise(nOut, seed + 1);
  const strength = (share * norm(weights)) / (norm(direction) * norm(right));
  return { left: direction.map((x) => x * strength), right };
}

/** `after - before` against left * right^T, in float64: the numbers of RealisedUpdate that need no steps. */
export function realised(before: Float32Array, after: Float32Array, left: Float32Array, right: Float32Array) {
  const [nIn, nOut] = [right.length, left.length];
  const [leftNorm, rightNorm] = [norm(left), norm(right)];
  const size = leftNorm * rightNorm;
  const column = new Float64Array(nIn);
  const along = new Float64Array(nOut);
  let [errors, flipped] = [0, 0];
  for (let i = 0; i < nOut; ++i) {
    for (let j = 0; j < nIn; ++j) {
      const change = after[i * nIn + j]! - before[i * nIn + j]!;
      column[j]! += (left[i]! / leftNorm) * change;
      along[i]! += change * (right[j]! / rightNorm);
      errors += (change - left[i]! * right[j]!) ** 2;
      flipped += change === 0 ? 0 : 1;
    }
  }
  const push = along.reduce((sum, x, i) => sum + (x * left[i]!) / leftNorm, 0);
  return {
    relativeChange: size / norm(before),
    gain: push / size,
    offDirection: norm(along.map((x, i) => x - (push * left[i]!) / leftNorm)) / size,
    columnError: norm(column.map((x, j) => x - leftNorm * right[j]!)) / size,
    collateral: Math.sqrt(errors) / size,
    flipped: flipped / (nIn * nOut),
  };
}
