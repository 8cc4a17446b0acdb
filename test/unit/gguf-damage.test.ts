import { join } from 'node:path';

import { native, runTask } from '../../lib/native';
import { temporaryFolder } from '../helpers/tiny-chat';
import { randomBytes, tinyGguf, type TinyGguf, type TinyOptions } from '../helpers/tiny-gguf';

const folder = temporaryFolder();
const path = join(folder, 'damaged.gguf');
const inspect = (model: TinyGguf) => runTask(() => native.inspect(model.write(path)));

const options: TinyOptions = {
  metadata: {
    'tiny.name': { string: 'model' },
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
const size = whole.bytes.length;
const rest = (field: string) => size - whole.place(field);

/** Name, damage, details. The code is GGUF_INVALID, and the path is in the details, for all of them. */
const damages: [string, TinyGguf, Record<string, unknown>][] = [
  ['another magic number', whole.text('magic', 'GGML'), { check: 'magic', found: '47 47 4d 4c' }],
  ['version 0', whole.u32('version', 0), { check: 'version', version: 0 }],
  ['version 1', whole.u32('version', 1), { check: 'version', version: 1 }],
  ['version 4', whole.u32('version', 4), { check: 'version', version: 4 }],
  ['big-endian numbers', whole.u32('version', 0x03000000), { check: 'big_endian' }],
  ['more tensors than there is room for', whole.u64('tensorCount', 2n ** 63n), { check: 'count', count: 2 ** 63, fileBytes: size }],
  ['more metadata than there is room for', whole.u64('metadataCount', 1000), { check: 'count', count: 1000, fileBytes: size }],
  ['no tensors', tinyGguf({ tensors: [] }), { check: 'no_tensors' }],
  ['a key longer than any', whole.u64('key:tiny.name', 65536), { check: 'string_length', length: 65536, limit: 65535 }],
  ['an empty key', tinyGguf({ metadata: { '': { uint8: 1 } } }), { check: 'empty_key' }],
  ['a key twice', whole.text('key:tiny.name', '\x0a').u64('key:tiny.name', 9).text('key:tiny.name', '\x09'), {}], // replaced below
  ['a value type that does not exist', whole.u32('type:tiny.name', 13), { check: 'value_type', type: 13, offset: whole.place('type:tiny.name') }],
  ['a string longer than any', whole.u64('value:tiny.name', 2n ** 64n - 1n), { check: 'string_length', limit: 2 ** 30 }],
  ['a string past the end', whole.u64('value:tiny.name', 2 ** 20), { check: 'truncated', bytes: 2 ** 20, fileBytes: size }],
  ['an array of arrays', whole.u32('value:tiny.words', 9), { check: 'nested_array', key: 'tiny.words' }],
  ['an array longer than the file', tinyGguf({ ...options }).with8(whole, 'tiny.sizes', 2n ** 62n), { check: 'array_length', key: 'tiny.sizes', count: 2 ** 62 }],
];
