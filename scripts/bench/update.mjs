// The same edit of one file by rosi, by llama.cpp's tools and by numpy, beside a copy of the file.
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { engineTool } from '../engine-tools.mjs';
import { root } from '../lay-out-engine.mjs';
import { pythonWith } from '../venv.mjs';
import { alternating, table, timed } from './measure.mjs';
import { fileType, middleEdit, typeList } from './same-types.mjs';

/** @param library - Exports of the package. @param folder - For what is written; on the disk that is measured. */
export async function update(library, model, folder, { repeats, threads }) {
  const { builtInPrompts, inspect, makePlan, savePlan, writeOutputs } = library;
  const at = (name) => join(folder, name);
  const { fit, validation, test } = builtInPrompts();
  const some = (set) => Object.fromEntries(Object.entries(set).map(([role, prompts]) => [role, prompts.slice(0, 16)]));
  const prompts = { fit: some(fit), validation: some(validation), test: some(test) };
  const { tensors, metadata } = await inspect(model);
  const saved = await makePlan(model, prompts, { ...middleEdit(tensors), threads, uncensored: false });
  await savePlan(at('plan.json'), saved.plan, saved.provenance);
  await writeOutputs({ lora: at('lora.gguf') }, saved);
  const names = new Set(saved.plan.tensors.map(({ name }) => name));
  const factors = saved.plan.tensors.map(({ name, left, right }) => ({ name, left: [...left], right: [...right] }));
  writeFileSync(at('factors.json'), JSON.stringify(factors));
  writeFileSync(at('types.txt'), typeList(tensors));

  const count = String(threads);
  const python = pythonWith('bench', 'bench/requirements.txt');
  const [exportLora, quantize] = [await engineTool('llama-export-lora'), await engineTool('llama-quantize')];
  const back = (from) => [
    ...[quantize, '--allow-requantize', '--tensor-type-file', at('types.txt')],
    ...[from, at('types.gguf'), fileType(tensors, names), count],
  ];
  const ours = [process.execPath, join(root, 'dist', 'cli.js'), 'apply', at('plan.json'), model];
  const toLora = [exportLora, '-m', model, '--lora', at('lora.gguf'), '-o', at('merged.gguf'), '-t', count];
  const toFloats = [
    python,
    join(root, 'scripts', 'bench', 'rank_one.py'),
    model,
    at('factors.json'),
    at('floats.gguf'),
  ];
  const ways = [
    { name: 'cp', result: 'copy.gguf', programs: [['cp', '--reflink=never', model, at('copy.gguf')]] },
    {
      name: 'rosi apply',
      result: 'ours.gguf',
      programs: [[...ours, '-o', at('ours.gguf'), '--quiet', '--threads', count]],
    },
    { name: 'llama-export-lora', result: 'merged.gguf', programs: [toLora] },
    { name: 'llama-export-lora, llama-quantize', result: 'types.gguf', programs: [toLora, back(at('merged.gguf'))] },
    { name: 'numpy, llama-quantize', result: 'types.gguf', programs: [toFloats, back(at('floats.gguf'))] },
  ];
  const run = async ({ result, programs }) => {
    for (const written of [...ways.map((way) => way.result), 'floats.gguf']) rmSync(at(written), { force: true });
    const runs = [];
    for (const program of programs) runs.push(await timed(program));
    const most = (key) => Math.max(...runs.map((one) => one[key]));
    const seconds = runs.reduce((sum, one) => sum + one.seconds, 0);
    return { seconds, peak: most('peak'), anonymous: most('anonymous'), bytes: statSync(at(result)).size };
  };
  const start = [process.execPath, join(root, 'dist', 'cli.js'), '--version'];
  const steps = [...ways.map((way) => () => run(way)), () => timed(start)];
  const found = await alternating(steps, repeats);
  const own = found[1].seconds;
  const toTypes = found[3].seconds / own;
  const rows = ways.map(({ name }, i) => {
    const { seconds, peak, anonymous, bytes } = found[i];
    const sizes = [peak, anonymous, bytes / 2 ** 20].map((size) => size.toFixed(0));
    return [name, seconds.toFixed(2), (seconds / own).toFixed(2), ...sizes];
  });
  const touched = tensors.filter(({ name }) => names.has(name));
  const nWeights = touched.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  return {
    lines: [
      ...table(['', 'seconds', 'times rosi', 'peak RSS, MiB', 'of it no file', 'written, MiB'], rows),
      '',
      `Against llama-export-lora with llama-quantize: ${toTypes.toFixed(1)} times as fast (aim: 5). Of rosi's time ${found.at(-1).seconds.toFixed(2)} s are the start of Node with its modules.`,
    ],
    about: `${metadata['general.architecture']}, ${(statSync(model).size / 2 ** 20).toFixed(1)} MiB, ${touched.length} of ${tensors.length} tensors with ${(nWeights / 1e6).toFixed(1)} million weights changed`,
  };
}
