// A damaged model is refused by our reader before the engine sees it, which would end the process on some of these.
// Each kind of damage by itself: test/unit/gguf-damage.test.ts.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { generate, harden } from '../../lib';
import { temporaryFolder } from '../helpers/temporary';
import { tinyChat, tinyPrompts } from '../helpers/tiny-chat';

const folder = temporaryFolder();
const whole = readFileSync(tinyChat);
const weight = 'blk.0.attn_output.weight'; // two dimensions: n_dims u32, 2 x u64, type u32, offset u64
const afterName = whole.indexOf(Buffer.from(weight)) + weight.length;

const damages: [string, (bytes: Buffer) => Buffer | void, string][] = [
  ['one byte short', (b) => b.subarray(0, b.length - 1), 'truncated'],
  ['a key longer than the file', (b) => void b.writeBigUInt64LE(1n << 40n, 24), 'string_length'],
  ['nine dimensions', (b) => void b.writeUInt32LE(9, afterName), 'dimensions'],
  ['a negative dimension', (b) => void b.writeBigInt64LE(-256n, afterName + 4), 'dimensions'],
  ['a tensor over another', (b) => void b.writeBigUInt64LE(0n, afterName + 24), 'overlap'],
  ['nothing', () => Buffer.alloc(0), 'empty'],
];

describe.each(damages)('%s', (name, damage, check) => {
  const path = join(folder, `${name.replace(/\W+/gu, '-')}.gguf`);
  const output = `${path}.out`;
  beforeAll(() => {
    const copy = Buffer.from(whole);
    writeFileSync(path, damage(copy) ?? copy);
  });

  test.each([
    ['generate', () => generate(path, ['Hello'], { threads: 1 })],
    ['harden', () => harden(path, tinyPrompts(8), { output, threads: 1, layer: 3, strength: 1, evaluate: 'none' })],
  ])('is refused by %s with what and where', async (call, run) => {
    const error = await run().then(
      () => null,
      (thrown: Error) => thrown,
    );
    expect(error).toMatchObject({ name: 'RosiError', code: 'GGUF_INVALID', details: { path, check } });
    expect(existsSync(output)).toBe(false);
    if (process.env.ROSI_SHOW_MESSAGES) process.stdout.write(`${call}, ${name}: ${error!.message}\n`);
  });
});

test('a file that is not there', async () => {
  const path = join(folder, 'none.gguf');
  await expect(generate(path, ['Hello'])).rejects.toMatchObject({ code: 'FILE_FAILED', details: { path } });
});
