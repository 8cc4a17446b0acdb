// Whether the PEFT adapter of an edit is the edited model, in the libraries that it is for:
//   node scripts/peft-equality.mjs
// Makes build/peft-venv with the packages of scripts/peft-requirements.txt, writes the embedded model as F32, its edited
// copy and its PEFT adapter, and compares the logits of transformers with peft on the first with those of transformers
// on the second. Also holds every module name that lib/outputs/peft.ts knows against transformers' own models.
// On Linux the index has PyTorch with CUDA alone: some gigabytes. PIP_INDEX_URL or an own PYTHON with the packages avoid it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { root } from './lay-out-engine.mjs';
import { pythonWith } from './venv.mjs';

const require = createRequire(import.meta.url);
const { applyPlan, inspect, makePlan, writeOutputs } = require(join(root, 'dist', 'index.js'));
const { peftArchitectures, peftModule } = require(join(root, 'dist', 'outputs', 'peft.js'));
const addon = require('node-gyp-build')(root);

const python = process.env.PYTHON ?? pythonWith('peft', 'peft-requirements.txt');
const folder = mkdtempSync(join(tmpdir(), 'rosi-peft-'));
try {
  const [f32, edited, peft] = ['f32.gguf', 'edited.gguf', 'peft'].map((name) => join(folder, name));
  addon._engineQuantize(join(root, 'test', 'fixtures', 'tiny-chat.Q8_0.gguf'), f32, 0, 1);
  const saved = await makePlan(f32, prompts(), { layer: 3, layers: [3, 5], strength: 2.2, threads: 1 });
  await applyPlan(saved, f32, { output: edited });
  await writeOutputs({ peft }, saved);
  const { metadata } = await inspect(f32);
  const modules = peftArchitectures.map((architecture) => [
    architecture,
    ['attn_output', 'ffn_down'].map((kind) => peftModule(architecture, `blk.1.${kind}.weight`)),
  ]);
  const nVocab = metadata['llama.vocab_size'];
  const request = JSON.stringify({ folder, f32, edited, peft, nVocab, modules: Object.fromEntries(modules) });
  execFileSync(python, [join(root, 'scripts', 'peft_equality.py')], {
    input: request,
    stdio: ['pipe', 'inherit', 'inherit'],
  });
} catch (error) {
  if (error.status === undefined) throw error;
  process.exitCode = 1; // the program has said why
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function prompts() {
  const entries = JSON.parse(readFileSync(join(root, 'test', 'fixtures', 'tiny-chat.prompts.json'), 'utf8'));
  const role = (split, name) =>
    entries.filter((entry) => entry.split === split && entry.role === name).map((entry) => entry.prompt);
  const of = (split) => ({
    harmful: role(split, 'harmful'),
    harmless: role(split, 'harmless'),
    borderline: role(split, 'borderline'),
  });
  return { fit: of('fit'), validation: of('validation'), test: of('test') };
}
