// Speed and memory beside what others would run for the same, in one run: writes docs/benchmarks.md, or prints it.
//   npm run bench -- [MODEL.gguf] [--only kernels,update,capture,job,answers] [--repeats 5] [--threads 2] [--transformers] [--print]
// Sections that are not asked for keep what the page says of them, and when it was measured.
// Without MODEL.gguf the tests' model, which is too small to say much. Nothing else should run meanwhile.
// The peers: tools of the engine (scripts/engine-tools.mjs), numpy in build/bench-venv, and with --transformers PyTorch in
// build/peft-venv, some gigabytes.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';

import { answers } from './bench/answers.mjs';
import { capture } from './bench/capture.mjs';
import { job } from './bench/job.mjs';
import { aims, kernels } from './bench/kernels.mjs';
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
  'What is written is measured; that is part of the time. ' +
  `Aims: ${aims.nanoseconds} ns a weight where codes are flipped, ${100 * aims.shareOfCopy} % of a copy where floats are added to.`;
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

/** Sections in the page's order, by how their headings begin. */
const titles = {
  kernels: 'One tensor',
  update: 'Update of',
  capture: 'Capture from',
  job: 'The whole job on',
  answers: 'Answers of',
};
const file = join(root, 'docs', 'benchmarks.md');
const sections = values.print ? new Map() : sectionsOf(file);

/** The page's sections by what was measured. */
function sectionsOf(path) {
  const texts = readFileSync(path, 'utf8')
    .split(/^(?=## )/mu)
    .slice(1);
  const found = new Map();
  for (const text of texts) {
    const [name] = Object.entries(titles).find(([, title]) => text.startsWith(`## ${title}`));
    found.set(name, `${found.get(name) ?? ''}${text}`);
  }
  return found;
}

/** Writes the page after each section, so that a later one that fails costs nothing. */
function keep(name, lines) {
  sections.set(name, `${lines.join('\n')}\n`);
  const page = `# Benchmarks

Made by \`npm run bench\` (scripts/bench.mjs): in each section all ways in turn, in one run, medians after one round that does not count.
Ratios are what to compare: seconds are the machine's.

${Object.keys(titles)
  .map((one) => sections.get(one) ?? '')
  .join('')}`;
  if (!values.print) writeFileSync(file, `${page.trimEnd()}\n`);
  else console.log(sections.get(name));
}

const measured = `Medians of ${repeats} rounds; ${circumstances()}.`; // before the page is written: a checkout with changes says so

if (wanted.has('kernels')) {
  const parts = { native: load('native').native, ...load('random') };
  const lines = [];
  for (const change of [0.005, 0.05]) {
    log(`kernels, a change of ${100 * change} %`);
    const rows = await kernels(parts, repeats, change);
    lines.push(`## ${titles.kernels}, a change of ${100 * change} %`, '', kernelNote, measured, '', ...rows, '');
  }
  keep('kernels', lines);
}
for (const [name, work, note] of [
  ['update', update, updateNote],
  ['capture', capture, captureNote],
  ['job', job, jobNote],
  ['answers', answers, answersNote],
]) {
  if (!wanted.has(name)) continue;
  log(`${name}: ${basename(model)}`);
  // Beside the checkout: a temporary folder may be memory.
  const folder = mkdtempSync(join(root, 'build', 'bench-'));
  try {
    const { transformers } = values;
    const { lines, about } = await work(load('index'), model, folder, { repeats, threads, transformers });
    keep(name, [
      `## ${titles[name]} ${basename(model)}`,
      '',
      `${about}; ${threads} threads. ${note}`,
      measured,
      '',
      ...lines,
      '',
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
