import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { inspect } from '../../lib';
import { temporaryFolder, tinyChat } from '../helpers/tiny-chat';

const folder = temporaryFolder();
const whole = readFileSync(tinyChat);

/** Offset of a tensor's info: its name's length field. */
const infoOf = (name: string) => whole.indexOf(Buffer.from(name)) - 8;
const afterName = (name: string) => infoOf(name) + 8 + name.length;
const weight = 'blk.0.attn_output.weight'; // two dimensions: n_dims u32, 2 x u64, type u32, offset u64

const damages: [string, (bytes: Buffer) => Buffer | void, string][] = [
  ['another magic', (b) => void b.write('GGML', 0), 'GGUF_INVALID'],
  ['version 1', (b) => void b.writeUInt32LE(1, 4), 'GGUF_INVALID'],
  ['more tensors than the file could hold', (b) => void b.writeBigUInt64LE(1n << 60n, 8), 'GGUF_INVALID'],
  ['more metadata than the file could hold', (b) => void b.writeBigUInt64LE(1n << 60n, 16), 'GGUF_INVALID'],
  ['a key longer than the file', (b) => void b.writeBigUInt64LE(1n << 40n, 24), 'GGUF_INVALID'],
  ['nine dimensions', (b) => void b.writeUInt32LE(9, afterName(weight)), 'GGUF_INVALID'],
  ['a negative dimension', (b) => void b.writeBigInt64LE(-256n, afterName(weight) + 4), 'GGUF_INVALID'],
  [
    'dimensions whose product overflows',
    (b) => {
      b.writeBigUInt64LE(1n << 40n, afterName(weight) + 4);
      b.writeBigUInt64LE(1n << 40n, afterName(weight) + 12);
    },
    'GGUF_INVALID',
  ],
  ['a type that does not exist', (b) => void b.writeUInt32LE(999, afterName(weight) + 20), 'GGUF_INVALID'],
  ['an offset beyond the file', (b) => void b.writeBigUInt64LE(1n << 50n, afterName(weight) + 24), 'GGUF_INVALID'],
  [
    'an offset that is not aligned',
    (b) => void b.writeBigUInt64LE(b.readBigUInt64LE(afterName(weight) + 24) + 1n, afterName(weight) + 24),
    'GGUF_INVALID',
  ],
  ['a tensor over another', (b) => void b.writeBigUInt64LE(0n, afterName(weight) + 24), 'GGUF_INVALID'],
  ['two tensors of one name', (b) => void b.write('blk.1', infoOf(weight) + 8), 'GGUF_INVALID'],
  ['one byte short', (b) => b.subarray(0, b.length - 1), 'GGUF_INVALID'],
  ['only the head', (b) => b.subarray(0, 100), 'GGUF_INVALID'],
  ['nothing', () => Buffer.alloc(0), 'GGUF_INVALID'],
];

test.each(damages)('%s is refused with what and where', async (name, damage, code) => {
  const copy = Buffer.from(whole);
  const path = join(folder, `${name.replace(/\W+/g, '-')}.gguf`);
  writeFileSync(path, damage(copy) ?? copy);
  const error = await inspect(path).then(
    () => null,
    (thrown: Error & { code: string; details: Record<string, unknown> }) => thrown,
  );
  expect(error).toMatchObject({ name: 'RosiError', code, details: { path } });
  if (process.env.ROSI_SHOW_MESSAGES) process.stdout.write(`${name}: ${error!.message}\n`);
});

test('a file that is not there', async () => {
  await expect(inspect(join(folder, 'none.gguf'))).rejects.toMatchObject({ code: 'FILE_FAILED' });
});
