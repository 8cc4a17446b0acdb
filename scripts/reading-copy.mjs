// What a reading copy (docs/devices.md) saves, and that what is read of it differs from the file no more than the engine's own
// code for two processors does: node scripts/reading-copy.mjs MODEL.gguf [--prompts 32] [--repeats 3] [--threads 2]
// On x86-64 Linux with AVX-512; the others' speed is of one run. Nothing else should run meanwhile.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';

import { alternating, circumstances, table, timed } from './bench/measure.mjs';
import { root } from './lay-out-engine.mjs';

const load = (name) => createRequire(import.meta.url)(join(root, 'dist', `${name}.js`));
const { divergence, logProbabilities } = load('first-token');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    prompts: { type: 'string', default: '32' },
    repeats: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
  },
});
const [model] = positionals;
if (model === undefined) throw new Error('name a MODEL.gguf');
const folder = mkdtempSync(join(root, 'build', 'reading-'));
const at = (name) => join(folder, name);

/** This build with the engine's code for one processor alone. */
function buildFor(processor) {
  mkdirSync(at(`${processor}/build`), { recursive: true });
  cpSync(join(root, 'dist'), at(`${processor}/dist`), { recursive: true });
  cpSync(join(root, 'package.json'), at(`${processor}/package.json`));
  symlinkSync(join(root, 'node_modules'), at(`${processor}/node_modules`));
  cpSync(join(root, 'build', 'Release'), at(`${processor}/build/Release`), { recursive: true });
  for (const name of readdirSync(at(`${processor}/build/Release`))) {
    if (name.includes('-cpu-') && !name.includes(`-cpu-${processor}.`))
      rmSync(at(`${processor}/build/Release/${name}`));
  }
  return at(processor);
}

const way = (name, build, copy) => ({
  name,
  out: at(`${name}.logits`),
  run() {
    const child = join(root, 'scripts', 'reading-copy', 'child.mjs');
    const program = [process.execPath, child, build, model, at('prompts.json'), this.out, values.threads];
    return timed(['/usr/bin/env', `ROSI_READING_COPY=${copy}`, ...program]);
  },
});

try {
  const { fit } = load('index').builtInPrompts();
  const prompts = [fit.harmful, fit.harmless].flatMap((texts) => texts.slice(0, Number(values.prompts) / 2));
  writeFileSync(at('prompts.json'), JSON.stringify(prompts));
  const here = [way('the file', root, 0), way('a copy', root, 1)];
  const others = ['haswell', 'skylakex'].map((processor) =>
    way(`the file, as on ${processor}`, buildFor(processor), 0),
  );
  const measured = await alternating(
    here.map((one) => () => one.run()),
    Number(values.repeats),
  );
  for (const one of others) measured.push(await one.run());
  const logits = (one) => {
    const bytes = readFileSync(one.out);
    const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const n = all.length / prompts.length;
    return prompts.map((_, i) => logProbabilities(all.subarray(i * n, (i + 1) * n)));
  };
  const file = logits(here[0]);
  const top = (row) => row.reduce((best, value, i) => (value > row[best] ? i : best), 0);
  const rows = [...here, ...others].map((one, i) => {
    const { load: loading, prompt, answer, peak } = measured[i];
    const found = logits(one);
    const drifts = found.map((row, k) => divergence(file[k], row));
    const same = found.filter((row, k) => top(row) === top(file[k])).length;
    return [
      one.name,
      `${loading.toFixed(2)} s`,
      prompt.toFixed(0),
      answer.toFixed(0),
      `${peak.toFixed(0)} MiB`,
      i === 0 ? '' : (drifts.reduce((a, b) => a + b, 0) / drifts.length).toFixed(5),
      i === 0 ? '' : Math.max(...drifts).toFixed(5),
      i === 0 ? '' : `${same} of ${prompts.length}`,
    ];
  });
  const head = [
    '',
    'loading',
    'prompt tokens/s',
    'answer tokens/s',
    'peak RSS',
    'mean KL',
    'largest KL',
    'same first token',
  ];
  console.log(
    [
      `${basename(model)}, ${prompts.length} prompts, ${values.threads} threads. ${circumstances()}.`,
      '',
      ...table(head, rows),
    ].join('\n'),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
