import type { FloatTensor } from './gguf-bytes';
import { floatBytes } from './little-endian';

/**
 * A safetensors file of float32 tensors: the length of the header in 8 bytes, the header as JSON, padded with spaces to
 * a multiple of 8, then the values. `shape` is as in the file, rows first.
 */
export function safetensorsBytes(tensors: readonly FloatTensor[]): Buffer[] {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const { name, shape, data } of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const spaces = (8 - (json.length % 8)) % 8;
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length + spaces));
  return [length, json, Buffer.alloc(spaces, ' '), ...tensors.map(({ data }) => floatBytes(data))];
}
