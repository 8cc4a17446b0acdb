import { endianness } from 'node:os';

/** The bytes of float32 values, least significant first, as GGUF, safetensors and plans hold them. */
export function floatBytes(values: Float32Array): Buffer {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return endianness() === 'LE' ? bytes : Buffer.from(bytes).swap32();
}

/** The inverse of {@link floatBytes}; `bytes` holds a whole number of values. */
export function bytesToFloats(bytes: Uint8Array): Float32Array {
  const copy = Buffer.from(Uint8Array.from(bytes).buffer);
  if (endianness() !== 'LE') copy.swap32();
  return new Float32Array(copy.buffer, copy.byteOffset, copy.length / 4);
}
