import { seededRandom } from '../random';

/**
 * A tensor type as its definition has it, written apart from native/, whose kernels are tested against it. Values are
 * rounded to float32 where the definition does.
 */
export interface BlockType {
  name: string;
  /** GGUF's number for it. */
  id: number;
  /** Weights in a block, and its bytes. */
  weights: number;
  bytes: number;
  /** Of weight `k` of a block. */
  value(block: DataView, k: number): number;
}

const round = Math.fround;

export const f32: BlockType = { name: 'F32', id: 0, weights: 1, bytes: 4, value: (block) => block.getFloat32(0, true) };

/** A scale in half precision, and 32 bytes. */
export const q8: BlockType = {
  name: 'Q8_0',
  id: 8,
  weights: 32,
  bytes: 34,
  value: (block, k) => round(half(block, 0) * block.getInt8(2 + k)),
};

/** Two scales, eight scales and minima of six bits each in 12 bytes, and 256 codes of four bits. */
export const q4k: BlockType = {
  name: 'Q4_K',
  id: 12,
  weights: 256,
  bytes: 144,
  value: (block, k) => {
    const code = (block.getUint8(16 + 32 * Math.floor(k / 64) + (k % 32)) >> (k % 64 < 32 ? 0 : 4)) & 15;
    const [scale, minimum] = sixBits(block, Math.floor(k / 32));
    return round(round(round(half(block, 0) * scale) * code) - round(half(block, 2) * minimum));
  },
};

/** The low four and the high two bits of 256 codes, 16 scales of eight bits, and theirs. */
export const q6k: BlockType = {
  name: 'Q6_K',
  id: 14,
  weights: 256,
  bytes: 210,
  value: (block, k) => {
    const [low, high] = [64 * Math.floor(k / 128) + (k % 64), 128 + 32 * Math.floor(k / 128) + (k % 32)];
    const code =
      ((block.getUint8(low) >> (k % 128 < 64 ? 0 : 4)) & 15) +
      16 * ((block.getUint8(high) >> (2 * Math.floor((k % 128) / 32))) & 3);
    return round(round(half(block, 208) * block.getInt8(192 + Math.floor(k / 16))) * (code - 32));
  },
};

export function blockValues(type: BlockType, bytes: Uint8Array): Float32Array {
  const values = new Float32Array((bytes.length / type.bytes) * type.weights);
  for (let at = 0, k = 0; at < bytes.length; at += type.bytes) {
    const block = new DataView(bytes.buffer, bytes.byteOffset + at, type.bytes);
    for (let e = 0; e < type.weights; ++e) values[k++] = type.value(block, e);
  }
  return values;
}

function sixBits(block: DataView, k: number): [scale: number, minimum: number] {
  const at = (i: number) => block.getUint8(4 + i);
  if (k < 4) return [at(k) & 63, at(k + 4) & 63];
  return [(at(k + 4) & 15) | ((at(k - 4) >> 6) << 4), (at(k + 4) >> 4) | ((at(k) >> 6) << 4)];
}

function half(block: DataView, offset: number): number {
  const bits = block.getUint16(offset, true);
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
  if (exponent === 31) return NaN; // no scale is infinite
  return bits & 0x8000 ? -size : size;
}

/** Numbers with heavy ends, as weights have. */
export function noise(length: number, label: string, scale = 1, seed = 0): Float32Array {
  const random = seededRandom(seed, label);
  return Float32Array.from({ length }, () => {
    const uniform = random() + random() + random() - 1.5;
    return scale * (uniform + 2 * uniform ** 3);
  });
}

export function norm(values: ArrayLike<number>): number {
  let sum = 0;
  for (let k = 0; k < values.length; ++k) sum += values[k]! ** 2;
  return Math.sqrt(sum);
}
