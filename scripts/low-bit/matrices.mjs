// Files of nothing but matrices, for the engine's quantiser, and what is in them afterwards.
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from '../lay-out-engine.mjs';

const require = createRequire(import.meta.url);
export const library = (name) => require(join(root, 'dist', `${name}.js`));
export const native = require('node-gyp-build')(root);

/** Type, its number, its file type for the quantiser, where in a block of how many bytes its codes are, their highest. */
const layouts = `Q8_0 8 7 2 34 127, Q6_K 14 18 0-192 210 63, Q5_K 13 16 16 176 31, Q5_1 7 9 4 24 31, Q5_0 6 8 2 22 31,
  Q4_K 12 14 16 144 15, Q4_1 3 3 4 20 15, Q4_0 2 2 2 18 15, IQ4_NL 20 25 2 18 table, IQ4_XS 23 30 8 136 table,
  MXFP4 39 38 1 17 table, Q3_K 11 11 0-96 110 7, Q2_K 10 10 16-80 84 3`;
export const types = layouts.split(',').map((layout) => {
  const [name, id, fileType, place, bytes, highest] = layout.trim().split(/\s+/);
  const [from, to = bytes] = place.split('-');
  return { name, id: +id, fileType: +fileType, from: +from, to: +to, bytes: +bytes, highest };
});

const u32 = (value) => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const text = (value) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
const padding = (length) => Buffer.alloc((32 - (length % 32)) % 32);

/** A GGUF of float32 matrices `{ name, nIn, nOut, values }` that the engine takes for a model. */
export function writeMatrices(path, matrices) {
  const number = (key, value) => Buffer.concat([text(`llama.${key}`), u32(4), u32(value)]);
  const metadata = [
    Buffer.concat([text('general.architecture'), u32(8), text('llama')]),
    Buffer.concat([text('llama.attention.layer_norm_rms_epsilon'), u32(6), Buffer.from(Float32Array.of(1e-5).buffer)]),
    ...Object.entries({ context_length: 64, embedding_length: 64, block_count: 1, 'attention.head_count': 1 }).map(
      ([key, value]) => number(key, value),
    ),
    number('feed_forward_length', 64),
    number('vocab_size', 64),
  ];
  let offset = 0;
  const places = matrices.map(({ name, nIn, nOut }) => {
    const place = Buffer.concat([text(name), u32(2), u64(nIn), u64(nOut), u32(0), u64(offset)]);
    offset += 4 * nIn * nOut + padding(4 * nIn * nOut).length;
    return place;
  });
  const head = Buffer.concat([
    Buffer.from('GGUF'),
    u32(3),
    u64(matrices.length),
    u64(metadata.length),
    ...metadata,
    ...places,
  ]);
  const data = matrices.flatMap(({ values }) => {
    const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    return [bytes, padding(bytes.length)];
  });
  writeFileSync(path, Buffer.concat([head, padding(head.length), ...data]));
}

/** Bytes of a tensor that inspect() listed. */
export function readTensor(path, { offset, bytes }) {
  const file = openSync(path, 'r');
  try {
    const data = Buffer.alloc(bytes);
    if (readSync(file, data, 0, bytes, offset) !== bytes) throw new Error(`${path} is shorter than it says`);
    return data;
  } finally {
    closeSync(file);
  }
}
