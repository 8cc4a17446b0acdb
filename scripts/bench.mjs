// Speed and memory beside what others would run for the same, in one run: writes docs/benchmarks.md, or prints it.
//   npm run bench -- [MODEL.gguf] [--only kernels,update,capture,job,answers] [--repeats 5] [--threads 2] [--transformers] [--print]
// Without MODEL.gguf the tests' model, which is too small to say much. Nothing else should run meanwhile.
// The peers: tools of the engine (scripts/engine-tools.mjs), numpy in build/bench-venv, and with --transformers PyTorch in
// build/peft-venv, some gigabytes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';

import { answers } from './bench/answers.mjs';
import { capture } from './bench/capture.mjs';
import { job } from './bench/job.mjs';
import { kernels } from './bench/kernels.mjs';
import { circumstances } from './bench/measure.mjs';
import { update } from './bench/update.mjs';
import { root } from './lay-out-engine.mjs';

const load = (name) => createRequire(import.meta.url)(join(root, 'dist', `${name}.js`));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', default: 'kernels,update,capture,job,answers' },
    repeats: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
    transformers: { type: 'boolean', default: false },
    print: { type: 'boolean' },
  },
});
const model = positionals[0] ?? join(root, 'test', 'fixtures', 'tiny-chat.Q8_0.gguf');
const [repeats, threads] = [Number(values.repeats), Number(values.threads)];
const wanted = new Set(values.only.split(','));
const log = (text) => process.stderr.write(`${text}\n`);

const kernelNote =
  'A 2048 x 2048 tensor on one thread, processor time; change: norm of the update beside that of the weights. A copy: memcpy of as many bytes. ' +
  'What is written is measured in the same pass, in float64. Aims: 2 ns a weight where codes are flipped, 60 % of a copy for floats.';
const updateNote =
  'Whole programs, from their start to the written file, the tools told to write the types that the model has (export-lora alone leaves F16). rosi also hashes the source and what it ' +
  'writes. Memory that is no file is what a system under pressure cannot drop.';

const captureNote =
  'Whole programs, from their start to their end: loading, and for the tool also the vectors it makes. rosi and transformers say how long they read.';

const jobNote =
  "From the file and prompts to a file of the same types, the edit's layer and strength given. rosi: right factors that detect, the finished file run " +
  "against the exact edit, verified. The others: the paper's rule, nothing checked; what transformers reads is written by gguf and numpy, not converted back.";

const answersNote =
  "Without loading. The engine's column: what these prompts and answers would take at the speeds that it prints.";

const sections = [];
if (wanted.has('kernels')) {
  const parts = { native: load('native').native, ...load('random') };
  for (const change of [0.005, 0.05]) {
    log(`kernels, a change of ${100 * change} %`);
    sections.push(`## One tensor, a change of ${100 * change} %`, '', kernelNote, '');
    sections.push(...(await kernels(parts, repeats, change)), '');
  }
}
for (const [name, title, work, note] of [
  ['update', `Update of ${basename(model)}`, update, updateNote],
  ['capture', `Capture from ${basename(model)}`, capture, captureNote],
  ['job', `The whole job on ${basename(model)}`, job, jobNote],
  ['answers', `Answers of ${basename(model)}`, answers, answersNote],
]) {
  if (!wanted.has(name)) continue;
  log(`${name}: ${basename(model)}`);
  // Beside the checkout: a temporary folder may be memory.
  const folder = mkdtempSync(join(root, 'build', 'bench-'));
  try {
    const { transformers } = values;
    const { lines, about } = await work(load('index'), model, folder, { repeats, threads, transformers });
    sections.push(`## ${title}`, '', `${about}; ${threads} threads. ${note}`, '', ...lines, '');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const page = `# Benchmarks

Made by \`npm run bench\` (scripts/bench.mjs) in one run, all ways in turn, medians of ${repeats} rounds after one that does not count.
${circumstances()}. Ratios are
what to compare: seconds are this machine's.

${sections.join('\n')}`;
if (values.print) console.log(page);
else writeFileSync(join(root, 'docs', 'benchmarks.md'), `${page.trimEnd()}\n`);
