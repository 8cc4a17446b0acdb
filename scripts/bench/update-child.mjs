// A program that edits the writers of a file a little and ends: what scale.mjs measures. SOURCE OUTPUT THREADS
import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { root } from '../lay-out-engine.mjs';

const load = (name) => createRequire(import.meta.url)(join(root, 'dist', `${name}.js`));
const { applyUpdate, inspect } = load('index');
const { modelFiles } = load('model-files');
const [source, output, threads] = process.argv.slice(2);
const { tensors } = await inspect(source);
const writers = tensors.filter(({ name }) => /attn_output|ffn_down/u.test(name));
const vector = (n, phase) => Float32Array.from({ length: n }, (_, i) => 0.02 * Math.sin(phase + 1.7 * i));
await applyUpdate(
  source,
  {
    edit: { layer: 0, schedule: 'equal', layers: [0, 0], strength: 1, rightFactor: 'gated' },
    tensors: writers.map(({ name, shape: [nIn, nOut] }, i) => ({ name, left: vector(nOut, i), right: vector(nIn, i) })),
  },
  { output, threads: Number(threads) },
);
const parts = modelFiles(output.replace(/\.gguf$/u, source.slice(source.search(/-\d{5}-of-\d{5}\.gguf$/u))));
console.log(JSON.stringify({ written: parts.reduce((sum, path) => sum + statSync(path).size, 0) }));
