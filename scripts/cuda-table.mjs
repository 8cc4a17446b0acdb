// What ptxas says of the CUDA kernels, from the log of scripts/check-cuda.sh: writes docs/gpu-kernels.md, or prints it with --print.
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { table } from './bench/measure.mjs';
import { root } from './lay-out-engine.mjs';

/** Of a multiprocessor of each compute capability, by CUDA's programming guide: most warps, and most blocks, at once. */
const most = { 75: [32, 16], 80: [64, 32], 90: [64, 32], 100: [64, 32], 120: [48, 24] };
const registersOfMultiprocessor = 65536;
/** Warps in a block of each kernel; those of 32 threads are the rest. */
const warps = {
  add_weights: 8,
  mean_columns: 4,
  decode_weights: 8,
  encode_units: 8,
  sum_columns: 8,
  find_lacks: 8,
  start_round: 8,
};

const { values } = parseArgs({ options: { print: { type: 'boolean' } } });
const log = readFileSync(join(root, 'build', 'cuda.log'), 'utf8');
const found = [...log.matchAll(/Compiling entry function '(\w+)' for 'sm_(\d+)'\n(?:.*\n){2}.*Used (\d+) registers/gu)];
if (found.length === 0) throw new Error('build/cuda.log has no kernel: run scripts/check-cuda.sh first');
const names = execFileSync('c++filt', ['-p'], {
  input: found.map(([, name]) => name).join('\n'),
  encoding: 'utf8',
}).split('\n');

const kernels = new Map();
for (const [i, [, , capability, registers]] of found.entries()) {
  const name = /(\w+)(?:<.*)?$/u.exec(names[i].replace(/.*::(?=\w+(<|$))/u, ''))[1];
  const key = `${name} ${capability}`;
  kernels.set(key, [...(kernels.get(key) ?? []), Number(registers)]);
}
/** Registers are given out to warps in units of 256, 8 for each thread. */
function resident(name, capability, registers) {
  const [mostWarps, mostBlocks] = most[capability];
  const ofBlock = warps[name] ?? 1;
  const byRegisters = Math.floor(registersOfMultiprocessor / (32 * 8 * Math.ceil(registers / 8)) / ofBlock);
  return Math.min(byRegisters, mostBlocks, Math.floor(mostWarps / ofBlock)) * ofBlock;
}

const capabilities = Object.keys(most);
const rows = [...new Set([...kernels.keys()].map((key) => key.split(' ')[0]))].sort().map((name) => [
  `\`${name}\``,
  String(kernels.get(`${name} 80`).length),
  ...capabilities.map((capability) => {
    const registers = kernels.get(`${name} ${capability}`);
    const [least, largest] = [Math.min(...registers), Math.max(...registers)];
    return `${least === largest ? least : `${least} to ${largest}`}: ${resident(name, capability, largest)}`;
  }),
]);
const { size } = statSync(join(root, 'build', 'cuda', 'librosi-cuda.so'));
const page = `# The CUDA kernels, as compiled

Made by \`scripts/check-cuda.sh\` and \`scripts/cuda-table.mjs\`: of each kernel in native/gpu/, for each compute capability, the
registers of a thread by \`ptxas -v\` (least to most over the tensor types) and, after the colon, the warps that a multiprocessor holds
at once with the most of them. No kernel spills a register; a warning or a spill fails CI. The library is
${(size / 1e6).toFixed(1)} MB with the code of all five.

These are what the compiler promises, not speeds: no GPU was at hand, and none of this has run on one. \`npm run bench:gpu\` measures
it where there is one. That the division of work gives the processor's bytes is tested by carrying it out thread by thread on the
processor (native/gpu/*_emulated.cpp).

A sweep has a warp for each 256 columns, since each row's carry goes from tile to tile: a GPU is filled by several tensors at once,
one for each thread of the host.

${table(['kernel', 'types', ...capabilities.map((one) => `sm_${one}`)], rows).join('\n')}
`;
if (values.print) console.log(page);
else writeFileSync(join(root, 'docs', 'gpu-kernels.md'), page);
