// Reading the residual stream at the last token of prompts by rosi, by llama-cvector-generator and by transformers, beside what the
// engine reads prompts at.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { engineTool } from '../engine-tools.mjs';
import { root } from '../lay-out-engine.mjs';
import { promptLines } from '../prompt-lines.mjs';
import { pythonWith } from '../venv.mjs';
import { alternating, ofTheFile, table, timed } from './measure.mjs';
import { sharedPrefix } from './shared-prefix.mjs';

const pairs = 64;

/** @param library - Exports of the package. @param folder - For what the programs are told. */
export async function capture(library, model, folder, { repeats, threads, transformers }) {
  const { builtInPrompts, ModelSession } = library;
  const at = (name) => join(folder, name);
  const { fit } = builtInPrompts();
  const session = await ModelSession.open(model, { threads });
  const texts = Object.fromEntries(
    ['harmful', 'harmless'].map((role) => {
      const some = fit[role].slice(0, pairs);
      writeFileSync(at(`${role}.txt`), promptLines(session, some));
      return [role, some];
    }),
  );
  const all = Object.values(texts).flat();
  const tokens = all.map((user) => session.encode(user));
  const { nLayer, readsCopy } = session.info;
  session.close();
  writeFileSync(at('prompts.json'), JSON.stringify(texts));
  writeFileSync(at('tokens.json'), JSON.stringify(tokens.map((of) => [...of])));
  const given = tokens.reduce((sum, { length }) => sum + length, 0);
  const shared = sharedPrefix(tokens);
  const needed = given - shared * (tokens.length - 1);

  const count = String(threads);
  const own = (name) => join(root, 'scripts', 'bench', name);
  const [generator, bench] = [await engineTool('llama-cvector-generator'), await engineTool('llama-bench')];
  const files = ['--positive-file', at('harmful.txt'), '--negative-file', at('harmless.txt')];
  const limit = [bench, '-m', model, '-p', '512', '-n', '0', '-r', '1', '-t', count, '-ngl', '0', '-o', 'json'];
  const rosi = [process.execPath, own('capture-child.mjs'), model, at('prompts.json'), count];
  const ways = [
    { name: 'rosi', program: rosi },
    ...(readsCopy ? [{ name: 'rosi, without a copy', program: ofTheFile(rosi) }] : []),
    {
      name: 'llama-cvector-generator',
      program: [generator, '-m', model, ...files, '--method', 'mean', '-o', at('v.gguf'), '-t', count, '-ngl', '0'],
    },
    ...(transformers
      ? [
          {
            name: 'transformers, forward hooks',
            program: [pythonWith('peft', 'peft-requirements.txt'), own('capture.py'), model, at('tokens.json'), count],
          },
        ]
      : []),
  ];
  const steps = [
    () => ({
      rate: JSON.parse(execFileSync(limit[0], limit.slice(1), { stdio: ['ignore', 'pipe', 'ignore'] }))[0].avg_ts,
    }),
    ...ways.map(
      ({ program }) =>
        () =>
          timed(program),
    ),
  ];
  const [{ rate }, ...found] = await alternating(steps, repeats);
  const of = (name) => found[ways.findIndex((way) => way.name === name)];
  const [ours, ofFile] = [found[0], of('rosi, without a copy') ?? found[0]];
  const rows = ways.map(({ name }, i) => {
    const { seconds, reading, peak } = found[i];
    return [
      name,
      seconds.toFixed(2),
      (seconds / ours.seconds).toFixed(2),
      reading === undefined ? '' : reading.toFixed(2),
      reading === undefined ? '' : (given / reading).toFixed(0),
      peak.toFixed(0),
    ];
  });
  const ofLimit = needed / ofFile.reading / rate;
  const faster = (name) => (of(name).seconds / ours.seconds).toFixed(1);
  return {
    lines: [
      ...table(['', 'seconds', 'times rosi', 'of it reading', 'prompt tokens a second', 'peak RSS, MiB'], rows),
      '',
      `The engine's own limit, \`llama-bench -p 512\`: ${rate.toFixed(0)} tokens a second. The ${shared} tokens that all prompts begin with are ` +
        `run once, so that ${needed} must be; rosi runs these at ${(needed / ofFile.reading).toFixed(0)} a second, ${(100 * ofLimit).toFixed(0)} % of the limit (aim: 95 %)` +
        (readsCopy
          ? `; as a copy in types that this processor's engine multiplies faster, at ${(needed / ours.reading).toFixed(0)}. `
          : '. ') +
        `Against llama-cvector-generator: ${faster('llama-cvector-generator')} times as fast (aim: 2)` +
        (transformers ? `; against transformers: ${faster('transformers, forward hooks')} (aim: 3).` : '.'),
    ],
    about: `${basename(model)}: the streams after all ${nLayer} blocks at the last token of ${all.length} chat prompts, ${given} tokens`,
  };
}
