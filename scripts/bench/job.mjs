// From a model and prompts to a hardened file of the same types: rosi, and what one would run without it. Neither searches.
import { execFileSync } from 'node:child_process';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { engineTool } from '../engine-tools.mjs';
import { root } from '../lay-out-engine.mjs';
import { pythonWith } from '../venv.mjs';
import { alternating, ofTheFile, table, timed } from './measure.mjs';
import { fileType, middleEdit, typeList } from './same-types.mjs';

const counts = { fit: 64, validation: 16, test: 16 };

/** @param library - Exports of the package. @param folder - For what is written. */
export async function job(library, model, folder, { repeats, threads, transformers }) {
  const { builtInPrompts, inspect, ModelSession } = library;
  const at = (name) => join(folder, name);
  const prompts = Object.fromEntries(
    Object.entries(builtInPrompts()).map(([split, set]) => [
      split,
      Object.fromEntries(Object.entries(set).map(([role, texts]) => [role, texts.slice(0, counts[split])])),
    ]),
  );
  writeFileSync(at('prompts.json'), JSON.stringify(prompts));
  const session = await ModelSession.open(model, { threads });
  const encode = (texts) => texts.map((text) => [...session.encode(text)]);
  const { harmful, harmless } = prompts.fit;
  writeFileSync(at('tokens.json'), JSON.stringify({ harmful: encode(harmful), harmless: encode(harmless) }));
  const { readsCopy } = session.info;
  session.close();
  const { tensors } = await inspect(model);
  writeFileSync(at('types.txt'), typeList(tensors));
  const written = new Set(
    tensors.map(({ name }) => name).filter((name) => /(attn_output|ffn_down)\.weight$/u.test(name)),
  );

  const count = String(threads);
  const { layer, layers, strength } = middleEdit(tensors);
  const edit = ['--layer', String(layer), '--layers', layers.join('-'), '--strength', String(strength)];
  const ours = [
    process.execPath,
    join(root, 'dist', 'cli.js'),
    'harden',
    model,
    '--prompts',
    at('prompts.json'),
    ...edit,
  ];
  const plain = ['--no-uncensored', '--evaluate', 'none', '--no-cache', '--quiet', '--threads', count];
  const rosi = [...ours, ...plain, '-o', at('ours.gguf')];
  const ways = [
    { name: 'rosi harden', result: 'ours.gguf', programs: [rosi] },
    ...(readsCopy ? [{ name: 'rosi harden, without a copy', result: 'ours.gguf', programs: [ofTheFile(rosi)] }] : []),
  ];
  if (transformers) {
    const python = pythonWith('peft', 'peft-requirements.txt');
    const quantize = await engineTool('llama-quantize');
    const own = (name) => join(root, 'scripts', 'bench', name);
    const tuned = [own('batch_size.py'), model, at('tokens.json'), count];
    const batch = execFileSync(python, tuned, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    const given = [String(layer), String(strength), count, batch];
    ways.push({
      name: 'transformers, numpy, llama-quantize',
      result: 'types.gguf',
      programs: [
        [python, own('job.py'), model, at('tokens.json'), ...given, at('factors.json')],
        [python, own('rank_one.py'), model, at('factors.json'), at('floats.gguf')],
        [
          ...[quantize, '--allow-requantize', '--tensor-type-file', at('types.txt')],
          ...[at('floats.gguf'), at('types.gguf'), fileType(tensors, written), count],
        ],
      ],
    });
  }
  const run = async ({ result, programs }) => {
    for (const name of ['ours.gguf', 'types.gguf', 'floats.gguf']) rmSync(at(name), { force: true });
    const runs = [];
    for (const program of programs) runs.push(await timed(program));
    const seconds = runs.reduce((sum, one) => sum + one.seconds, 0);
    return { seconds, peak: Math.max(...runs.map(({ peak }) => peak)), bytes: statSync(at(result)).size };
  };
  const found = await alternating(
    ways.map((way) => () => run(way)),
    repeats,
  );
  rmSync(at('ours.gguf'), { force: true });
  const [program, ...args] = rosi;
  const told = execFileSync(program, [...args, '--profile'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const profile = /^profile +(.*)$/mu.exec(told)[1];
  const rows = ways.map(({ name }, i) => {
    const { seconds, peak, bytes } = found[i];
    const sizes = [peak, bytes / 2 ** 20].map((size) => size.toFixed(0));
    return [name, seconds.toFixed(1), (seconds / found[0].seconds).toFixed(1), ...sizes];
  });
  return {
    lines: [
      ...table(['', 'seconds', 'times rosi', 'peak RSS, MiB', 'written, MiB'], rows),
      '',
      (transformers
        ? `rosi is ${(found.at(-1).seconds / found[0].seconds).toFixed(1)} times as fast (aim: 10). `
        : '') + `Its time, of one more run: ${profile}.`,
    ],
    about: `${basename(model)}: a direction after block ${layer} from ${harmful.length} harmful and ${harmless.length} harmless prompts, an edit of all blocks (rosi also reads ${prompts.fit.borderline.length} borderline prompts, and 48 to choose its shrinkage)`,
  };
}
