import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { native, runTask } from '../../lib/native';
import { temporaryFolder } from '../helpers/temporary';
import { tinyGguf } from '../helpers/tiny-gguf';

const folder = temporaryFolder();
const source = tinyGguf({ tensors: [{ name: 'w', type: 'Q6_K', shape: [4096, 64] }] }).write(join(folder, 'w.gguf'));
const output = join(folder, 'output.gguf');
const request = {
  source,
  output,
  overwrite: true,
  threads: 1,
  tensors: [{ name: 'w', left: new Float32Array(64).fill(0.001), right: new Float32Array(4096).fill(0.01) }],
  metadata: {},
};

test('every tick comes before the end, the last one with all of it', async () => {
  const ticks: number[] = [];
  await runTask(() => native.update(request, (done) => ticks.push(done)));
  const heard = ticks.length;
  expect(ticks.at(-1)).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(ticks).toHaveLength(heard);
});

test('what a listener throws stops the call and is its error', async () => {
  const thrown = new Error('from the listener');
  let calls = 0;
  const running = runTask(() =>
    native.update({ ...request, output: join(folder, 'never.gguf') }, () => {
      ++calls;
      throw thrown;
    }),
  );
  await expect(running).rejects.toBe(thrown);
  expect(calls).toBe(1);
  expect(existsSync(join(folder, 'never.gguf'))).toBe(false);
  expect(readdirSync(folder).filter((name) => name.includes('.partial'))).toEqual([]);
});

test('more calls than threads are answered all the same, each with its own', async () => {
  const paths = Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? join(folder, `none-${i}`) : source));
  const results = await Promise.allSettled(paths.map((path) => runTask(() => native.inspect(path))));
  results.forEach((result, i) => {
    const expected =
      i % 3 === 0
        ? { status: 'rejected', reason: { code: 'FILE_FAILED', details: { path: paths[i] } } }
        : { status: 'fulfilled', value: { tensors: [{ name: 'w' }] } };
    expect(result).toMatchObject(expected);
  });
});

test('an error thrown at once is a RosiError too', () => {
  expect(() => native.checkOutput(source, source, true)).toThrow(
    expect.objectContaining({ name: 'RosiError', code: 'OPTION_INVALID', details: { option: 'output', path: source } }),
  );
});
