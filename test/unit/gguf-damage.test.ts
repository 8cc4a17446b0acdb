import { join } from 'node:path';

import { native, runTask } from '../../lib/native';
import { temporaryFolder } from '../helpers/temporary';
import { randomBytes, tinyGguf, type TinyGguf, type TinyOptions } from '../helpers/tiny-gguf';

const folder = temporaryFolder();
const path = join(folder, 'damaged.gguf');
const inspect = (model: TinyGguf) => runTask(() => native.inspect(model.write(path)));

const options: TinyOptions = {
  metadata: {
    'tiny.name': { string: 'model' },
    'tiny.nome': { string: 'model' },
    'tiny.words': { array: ['string', ['one', 'two']] },
    'tiny.sizes': { array: ['uint32', [1, 2, 3]] },
    'general.alignment': { uint32: 32 },
  },
  tensors: [
    { name: 'blk.0.a', type: 'F32', shape: [8, 4] },
    { name: 'blk.0.b', type: 'Q8_0', shape: [64, 3] },
    { name: 'blk.0.c', type: 'F32', shape: [8] },
  ],
};
const whole = tinyGguf(options);
const fileBytes = whole.bytes.length;
const text = 8; // where a string begins: its length comes first
const a = 'blk.0.a';
const b = 'blk.0.b';

/** What is damaged, the file, and the details of the error. Its code is always GGUF_INVALID and it names the path. */
const damages: [string, TinyGguf, Record<string, unknown>][] = [
  // Header
  ['another magic number', whole.text('magic', 'GGML'), { check: 'magic', found: '47 47 4d 4c' }],
  ['version 0', whole.u32('version', 0), { check: 'version', version: 0 }],
  ['version 1', whole.u32('version', 1), { check: 'version', version: 1 }],
  ['version 4', whole.u32('version', 4), { check: 'version', version: 4 }],
  ['big-endian numbers', whole.u32('version', 0x03000000), { check: 'big_endian' }],
  ['too many tensors', whole.u64('tensorCount', 2n ** 63n), { check: 'count', count: 2 ** 63, fileBytes }],
  ['too much metadata', whole.u64('metadataCount', 1000), { check: 'count', count: 1000, fileBytes }],
  ['no tensors', tinyGguf({ tensors: [] }), { check: 'no_tensors' }],
  // Metadata
  ['a long key', whole.u64('key:tiny.name', 65536), { check: 'string_length', length: 65536, limit: 65535 }],
  ['an empty key', tinyGguf({ metadata: { '': { uint8: 1 } } }), { check: 'empty_key' }],
  ['a key twice', whole.text('key:tiny.nome', 'tiny.name', text), { check: 'duplicate_key', key: 'tiny.name' }],
  [
    'an unknown value type',
    whole.u32('type:tiny.name', 13),
    { check: 'value_type', type: 13, offset: whole.place('type:tiny.name') },
  ],
  [
    'a string that is too long',
    whole.u64('value:tiny.name', 2n ** 64n - 1n),
    { check: 'string_length', limit: 2 ** 30 },
  ],
  ['a string past the end', whole.u64('value:tiny.name', 2 ** 20), { check: 'truncated', bytes: 2 ** 20, fileBytes }],
  ['an array of arrays', whole.u32('value:tiny.words', 9), { check: 'nested_array', key: 'tiny.words' }],
  ['an array past the end', whole.u64('value:tiny.sizes', 2n ** 62n, 4), { check: 'array_length', count: 2 ** 62 }],
  ['too many strings', whole.u64('value:tiny.words', fileBytes, 4), { check: 'array_length', key: 'tiny.words' }],
  ['an alignment of 0', whole.u32('value:general.alignment', 0), { check: 'alignment', alignment: 0 }],
  ['an alignment of 48', whole.u32('value:general.alignment', 48), { check: 'alignment', alignment: 48 }],
  ['an alignment of 2^31', whole.u32('value:general.alignment', 2 ** 31), { check: 'alignment', alignment: 2 ** 31 }],
  ['an alignment of another type', whole.u32('type:general.alignment', 5), { check: 'alignment' }],
  // Descriptions of tensors
  ['a long name', whole.u64(`name:${a}`, 64), { check: 'string_length', length: 64, limit: 63 }],
  ['an empty name', tinyGguf({ tensors: [{ name: '', type: 'F32', shape: [8] }] }), { check: 'tensor_name' }],
  ['a zero byte in a name', whole.text(`name:${a}`, '\0', text + 3), { check: 'tensor_name' }],
  ['a name twice', whole.text(`name:${b}`, a, text), { check: 'duplicate_tensor', tensor: a }],
  ['0 dimensions', whole.u32(`dims:${a}`, 0), { check: 'dimensions', tensor: a, dimensions: 0 }],
  ['5 dimensions', whole.u32(`dims:${a}`, 5), { check: 'dimensions', tensor: a, dimensions: 5 }],
  ['a dimension of 0', whole.u64(`shape:${a}`, 0, 8), { check: 'dimensions', tensor: a, dimension: 1, size: 0 }],
  [
    'a negative dimension',
    whole.u64(`shape:${a}`, 2n ** 64n - 8n),
    { check: 'dimensions', tensor: a, dimension: 0, size: -8 },
  ],
  [
    'a product that overflows',
    whole.u64(`shape:${a}`, 2n ** 62n).u64(`shape:${a}`, 4, 8),
    { check: 'size_overflow', tensor: a },
  ],
  [
    'bytes that overflow',
    whole.u64(`shape:${a}`, 2n ** 62n).u64(`shape:${a}`, 1, 8),
    { check: 'size_overflow', tensor: a },
  ],
  ['an unknown tensor type', whole.u32(`tensorType:${a}`, 43), { check: 'tensor_type', tensor: a, type: 43 }],
  ['a removed tensor type', whole.u32(`tensorType:${a}`, 4), { check: 'tensor_type', tensor: a, type: 4 }],
  ['half a block', whole.u64(`shape:${b}`, 48), { check: 'block', tensor: b, rowWeights: 48, blockWeights: 32 }],
  // Places of tensors
  ['an unaligned tensor', whole.u64(`offset:${b}`, 130), { check: 'unaligned', tensor: b, offset: 130, alignment: 32 }],
  [
    'an offset that overflows',
    whole.u64(`offset:${b}`, 2n ** 64n - 32n),
    { check: 'offset_overflow', tensor: b, bytes: 204 },
  ],
  ['a tensor over another', whole.u64(`offset:${b}`, 96), { check: 'overlap', tensor: b, other: a }],
  ['two tensors in one place', whole.u64(`offset:${b}`, 0), { check: 'overlap' }],
  ['a tensor past the end', whole.u64(`offset:${b}`, 2 ** 20), { check: 'truncated', tensor: b, fileBytes }],
];

describe('a damaged file is refused', () => {
  test.each(damages)('%s', async (_, model, details) => {
    await expect(inspect(model)).rejects.toMatchObject({
      name: 'RosiError',
      code: 'GGUF_INVALID',
      details: { ...details, path },
    });
  });
});

test('a file that ends in a tensor names it, with both numbers and what to do', async () => {
  const end = whole.place('data:blk.0.c') + 32;
  await expect(inspect(whole.truncate(1))).rejects.toMatchObject({
    code: 'GGUF_INVALID',
    message: `blk.0.c ends at byte ${end} but the file has ${end - 1} bytes: it is truncated, fetch it again`,
    details: { check: 'truncated', tensor: 'blk.0.c', begin: end - 32, end, fileBytes: end - 1, path },
  });
});

test('a removed type is called by its name', () =>
  expect(inspect(whole.u32(`tensorType:${a}`, 31))).rejects.toThrow(/Q4_0_4_4.*removed/));

test('a file cut anywhere is refused', async () => {
  for (let bytes = 0; bytes < fileBytes; ++bytes) {
    await expect(inspect(whole.truncate(fileBytes - bytes))).rejects.toMatchObject({ code: 'GGUF_INVALID' });
  }
});

test('bytes changed at random are read or refused, and never end the process', async () => {
  const random = randomBytes(5);
  const header = whole.place('data');
  for (let round = 0; round < 2000; ++round) {
    let model = whole;
    for (let i = 0; i <= round % 3; ++i) model = model.flip((random() * 256 + random()) % header, random() % 8);
    const refusal = await inspect(model).then(
      () => undefined,
      (error: { code: string }) => error.code,
    );
    expect([undefined, 'GGUF_INVALID']).toContain(refusal);
  }
});
