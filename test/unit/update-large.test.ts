import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { native, runTask } from '../../lib/native';
import { inChild } from '../helpers/in-child';
import { kernels } from '../helpers/kernels';
import { noise } from '../helpers/reference';
import { temporaryFolder } from '../helpers/temporary';
import { tinyGguf, typeId } from '../helpers/tiny-gguf';
import { updateFile } from '../helpers/update-file';

const folder = temporaryFolder();
const source = join(folder, 'source.gguf');
// 34 MiB each: two are more than what may be in work at once; and a stack of two experts that is more by itself.
const [nIn, nOut] = [4096, 8192];
const names = ['a', 'b', 'c', 'experts'];
const shapeOf = (name: string) => (name === 'experts' ? [nIn, nOut, 2] : [nIn, nOut]);
const matrices = join(folder, 'matrices.gguf');
const many = Array.from({ length: 6 }, (_, i) => `matrix ${i}`);
beforeAll(() => {
  const rows = kernels._quantize(typeId('Q8_0'), noise(64 * nIn, 1), nIn, 64);
  const bytes = (shape: number[]) =>
    Buffer.concat(Array.from({ length: (shape[1]! * (shape[2] ?? 1)) / 64 }, () => rows));
  const write = (path: string, of: string[]) =>
    tinyGguf({
      tensors: of.map((name) => ({ name, type: 'Q8_0', shape: shapeOf(name), bytes: bytes(shapeOf(name)) })),
    }).write(path);
  write(source, names);
  write(matrices, many);
});

const plan = names.map((name, i) => {
  const nExperts = shapeOf(name)[2] ?? 1;
  const left = noise(nExperts * nOut, i).map((x) => 0.01 * x);
  return { name, left, right: noise(nExperts * nIn, 10 + i), nExperts };
});
const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

test('tensors larger than what is in work at once are shared by the threads: the same bytes for one and for many', async () => {
  const digests = [];
  for (const threads of [1, 2, 7]) {
    const output = join(folder, 'output.gguf');
    await updateFile(source, output, plan, { threads });
    digests.push(digest(output));
  }
  expect(new Set(digests).size).toBe(1);
  expect(digests[0]).not.toBe(digest(source));
}, 60_000);

test('stopping while others wait for memory ends all of them', async () => {
  const request = {
    source,
    output: join(folder, 'none.gguf'),
    overwrite: true,
    threads: 4,
    metadata: {},
    tensors: plan,
  };
  const controller = new AbortController();
  const running = runTask(
    () => native.update(request, (done) => void (done > 0.2 && controller.abort())),
    controller.signal,
  );
  await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
});

test('threads cost no memory: six hold no more tensors than one', () => {
  const peak = (threads: number) => {
    const { lines } = inChild(
      `const vector = (n, size) => new Float32Array(n).fill(size);
       const tensors = args.names.map((name) => ({ name, left: vector(args.nOut, 0.01), right: vector(args.nIn, 0.02) }));
       const request = { source: args.source, output: args.source + '.out', overwrite: true, metadata: {}, tensors };
       await addon.update({ ...request, threads: args.threads }, () => {}).done;
       print(process.resourceUsage().maxRSS / 1024);`,
      { source: matrices, names: many, nIn, nOut, threads },
    );
    return lines[0] as number;
  };
  const [one, six] = [peak(1), peak(6)];
  expect(one).toBeGreaterThan(68); // a tensor and its source
  expect(six - one).toBeLessThan(80); // five more tensors and their sources would be 340
}, 60_000);
