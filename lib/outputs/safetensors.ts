import type { FloatTensor } from './gguf-bytes';
import { bytesToFloats, floatBytes } from './little-endian';

/**
 * A safetensors file of float32 tensors: the length of the header in 8 bytes, the header as JSON, padded with spaces to
 * a multiple of 8, then the values. `shape` is as in the file, rows first.
 */
export function safetensorsBytes(
  tensors: readonly FloatTensor[],
  metadata: Readonly<Record<string, string>> = { format: 'pt' },
): Buffer[] {
  const header: Record<string, unknown> = { __metadata__: metadata };
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

/**
 * The float32 tensors and the metadata of a safetensors file. @throws Error when it is none, is cut, or has others.
 */
export function readSafetensors(file: Uint8Array): {
  tensors: Map<string, Float32Array>;
  metadata: Partial<Record<string, string>>;
} {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const begin = 8 + Number(view.getBigUint64(0, true));
  const json = JSON.parse(new TextDecoder().decode(file.subarray(8, begin))) as Record<string, unknown>;
  const { __metadata__: metadata = {}, ...described } = json;
  const tensors = new Map<string, Float32Array>();
  let end = begin;
  for (const [name, entry] of Object.entries(described)) {
    const {
      dtype,
      shape,
      data_offsets: offsets,
    } = entry as { dtype: unknown; shape: number[]; data_offsets: number[] };
    const bytes = 4 * shape.reduce((product, size) => product * size, 1);
    const from = begin + offsets[0]!;
    if (dtype !== 'F32' || from !== end || offsets[1]! - offsets[0]! !== bytes)
      throw new Error(`${name} is out of order`);
    end = from + bytes;
    tensors.set(name, bytesToFloats(file.subarray(from, end)));
  }
  if (end !== file.length) throw new Error('the file is cut, or longer than its tensors');
  return { tensors, metadata: metadata as Partial<Record<string, string>> };
}
