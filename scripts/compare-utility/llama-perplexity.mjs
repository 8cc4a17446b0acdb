// The engine's own llama-perplexity, on one thread.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { engineTool } from '../engine-tools.mjs';

/** Perplexity of the first `chunks` chunks of a text, and its standard error. */
export async function toolPerplexity(model, text, context, chunks) {
  const folder = mkdtempSync(join(tmpdir(), 'rosi-utility-'));
  try {
    const file = join(folder, 'text.txt');
    writeFileSync(file, text);
    const size = String(context);
    const output = await run(model, ['-f', file, '-c', size, '-b', size, '--chunks', String(chunks)]);
    const [, perplexity, standardError] = found(output, /Final estimate: PPL = ([\d.]+) \+\/- ([\d.]+)/u).map(Number);
    return { perplexity, standardError };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** How many of a file's questions it answers rightly. It prints the share after each. */
export async function toolHellaswag(model, path, total) {
  const output = await run(model, ['-f', path, '--hellaswag', '--hellaswag-tasks', String(total)]);
  const share = found(output, new RegExp(`^${total}\\s+([\\d.]+)%`, 'mu'))[1];
  return Math.round((Number(share) / 100) * total);
}

async function run(model, options) {
  const tool = await engineTool('llama-perplexity');
  const { stdout, stderr, status } = spawnSync(tool, ['-m', model, '-t', '1', ...options], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`llama-perplexity ended with ${status}:\n${stderr.slice(-2000)}`);
  return `${stdout}\n${stderr}`;
}

function found(text, pattern) {
  const match = pattern.exec(text);
  if (match === null) throw new Error(`llama-perplexity printed nothing like ${pattern}:\n${text.slice(-2000)}`);
  return match;
}
