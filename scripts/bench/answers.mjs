// Greedy answers to prompts by rosi, beside what the engine decodes at: llama-batched-bench with as many sequences.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { engineTool } from '../engine-tools.mjs';
import { root } from '../lay-out-engine.mjs';
import { alternating, ofTheFile, table, timed } from './measure.mjs';
import { sharedPrefix } from './shared-prefix.mjs';

const [prompts, maxTokens] = [48, 64];

/** @param library - Exports of the package. @param folder - For what the programs are told. */
export async function answers(library, model, folder, { repeats, threads }) {
  const { builtInPrompts, ModelSession } = library;
  const texts = builtInPrompts().fit.harmless.slice(0, prompts);
  const session = await ModelSession.open(model, { threads });
  const tokens = texts.map((user) => session.encode(user));
  const { answersAtOnce: parallel, readsCopy } = session.info;
  session.close();
  const file = join(folder, 'prompts.json');
  writeFileSync(file, JSON.stringify(texts));
  const given = tokens.reduce((sum, { length }) => sum + length, 0);
  const needed = given - sharedPrefix(tokens) * (tokens.length - 1);

  const child = join(root, 'scripts', 'bench', 'answers-child.mjs');
  const bench = await engineTool('llama-batched-bench');
  const each = Math.round(given / prompts);
  const context = 256 * Math.ceil((each + maxTokens) / 256); // the tool's own are multiples of that
  const sizes = ['-npp', each, '-ntg', maxTokens, '-npl', parallel, '-c', parallel * context, '-b', 512];
  const limit = ['-m', model, ...sizes, '-t', threads, '-tb', threads, '-ngl', 0, '--output-format', 'jsonl'].map(
    String,
  );
  const rosi = [process.execPath, child, model, file, String(maxTokens), String(threads)];
  const [engine, ours, ofFile = ours] = await alternating(
    [
      () => {
        const output = execFileSync(bench, limit, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
        const line = output.split('\n').find((one) => one.startsWith('{'));
        const { speed_pp: reading, speed_tg: writing } = JSON.parse(line);
        return { reading, writing };
      },
      () => timed(rosi),
      ...(readsCopy ? [() => timed(ofTheFile(rosi))] : []),
    ],
    repeats,
  );
  const ideal = needed / engine.reading + ours.answered / engine.writing;
  return {
    lines: [
      ...table(
        ['', 'prompt tokens a second', 'answer tokens a second', 'seconds for these prompts and answers'],
        [
          ['llama-batched-bench', engine.reading.toFixed(0), engine.writing.toFixed(0), ideal.toFixed(2)],
          ...(readsCopy ? [['rosi, without a copy', '', '', ofFile.answering.toFixed(2)]] : []),
          ['rosi', '', '', ours.answering.toFixed(2)],
        ],
      ),
      '',
      `${readsCopy ? 'Without a copy rosi' : 'rosi'} is at ${((100 * ideal) / ofFile.answering).toFixed(0)} % of the engine's own speed: ` +
        `${(ofFile.answered / ofFile.answering).toFixed(0)} answer tokens a second with the prompts read` +
        (readsCopy ? `; of a copy ${(ours.answered / ours.answering).toFixed(0)}.` : '.'),
    ],
    about:
      `${basename(model)}: greedy answers of at most ${maxTokens} tokens, ${ours.answered} in all, to ${prompts} chat prompts of ${given} tokens, of which ` +
      `${needed} must be read; ${parallel} at once`,
  };
}
