// The kernels on this machine's GPUs beside its processor's: that the bytes are equal, and how fast each is. Prints a table.
//   npm run bench:gpu [-- --size 4096] [--repeats 5]
// Needs the library rosi-cuda (docs/devices.md) and an NVIDIA GPU; without them it says so and measures nothing.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { circumstances, table } from './bench/measure.mjs';
import { root } from './lay-out-engine.mjs';
import { types } from './low-bit/matrices.mjs';

const load = (name) => createRequire(import.meta.url)(join(root, 'dist', `${name}.js`));
const { native } = load('native');
const { seededRandom } = load('random');
const { openGpuLibrary } = load('gpu-library');
const { values } = parseArgs({
  options: { size: { type: 'string', default: '4096' }, repeats: { type: 'string', default: '5' } },
});
const [size, repeats] = [Number(values.size), Number(values.repeats)];

let library;
try {
  library = await openGpuLibrary();
} catch (error) {
  if (error.code !== 'GPU_FAILED') throw error;
  console.log(`bench:gpu did not run: ${error.message}`);
  process.exit(0);
}

const random = seededRandom(1, 'bench');
const floats = (n, scale) => Float32Array.from({ length: n }, () => (random() + random() + random() - 1.5) * scale);
const norm = (vector) => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
const weights = floats(size * size, 0.03);
const right = floats(size, 1);
const direction = floats(size, 1);
const left = direction.map((value) => (value * 0.005 * norm(weights)) / norm(direction) / norm(right));

const seconds = (work) => {
  const begin = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - begin) / 1e9;
};
const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** What an update asks of a GPU: flips of quantised types, and tensors in wider types, the processor's with what it measures. */
const q8 = types.find(({ name }) => name === 'Q8_0').id;
const ways = [
  ...types.map(({ name, id }) => ({ pass: 'flip', name, id, target: id })),
  ...types
    .filter(({ name }) => ['Q4_K', 'Q2_K'].includes(name))
    .map(({ name, id }) => ({ pass: 'promote', name: `${name} to Q8_0`, id, target: q8 })),
  { pass: 'promote', name: 'F16 to F32', id: 1, target: 0 },
];

for (const [device, about] of library.devices.entries()) {
  const rows = [];
  const peak = about.bytesPerSecond;
  for (const { pass, name, id, target } of ways) {
    const bytes = native._quantize(id, weights, size, size);
    let [onGpu, onCpu] = [];
    const runs = Array.from({ length: repeats + 1 }, () => {
      const whole = seconds(() => {
        onGpu = native._gpuPass(library.path, device, pass, id, bytes, size, size, target, left, right);
      });
      const cpu = seconds(() => {
        onCpu =
          pass === 'flip'
            ? native._flipCodes(id, bytes, size, size, left, right, 1)
            : native._promote(id, bytes, size, size, left, right, target, 1);
      });
      return { kernels: onGpu.seconds, whole, cpu };
    }).slice(1); // the first pays for what comes once
    const [kernels, whole, cpu] = ['kernels', 'whole', 'cpu'].map((key) => median(runs.map((run) => run[key])));
    const equal = Buffer.compare(Buffer.from(onGpu.bytes), Buffer.from(onCpu)) === 0;
    const gigabytes = (bytes.length + onGpu.bytes.length) / kernels / 1e9;
    rows.push([
      name,
      equal ? 'yes' : 'NO',
      ((kernels / size ** 2) * 1e9).toFixed(3),
      gigabytes.toFixed(1),
      peak > 0 ? `${((1e11 * gigabytes) / peak).toFixed(1)} %` : '',
      ((whole / size ** 2) * 1e9).toFixed(3),
      ((cpu / size ** 2) * 1e9).toFixed(3),
    ]);
    if (!equal) process.exitCode = 1;
  }
  console.log(
    `${about.name}, compute capability ${about.computeCapability}; a ${size} x ${size} tensor, a change of 0.5 %; ${circumstances()}\n`,
  );
  console.log(
    table(
      [
        'type',
        'bytes equal',
        'kernels, ns a weight',
        'GB/s read and written',
        'of its memory',
        'with copies, ns',
        'one core, ns',
      ],
      rows,
    ).join('\n'),
  );
}
