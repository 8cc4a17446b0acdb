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
    const options = ['-f', file, '-c', size, '-b', size, '--chunks', String(chunks)];
    const match = await found(model, options, /Final estimate: PPL = ([\d.]+) \+\/- ([\d.]+)/u);
    const [, perplexity, standardError] = match.map(Number);
    return { perplexity, standardError };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** How many of a file's questions it answers rightly. It prints the share after each. */
export async function toolHellaswag(model, path, total) {
  const options = ['-f', path, '--hellaswag', '--hellaswag-tasks', String(total)];
  const [, share] = await found(model, options, new RegExp(`^${total}\\s+([\\d.]+)%`, 'mu'));
  return Math.round((Number(share) / 100) * total);
}

// The tool prints from a thread that its end does not wait for: on a busy machine the last lines may be lost.
const tries = 5;

/** What the pattern finds in what the tool prints. */
async function found(model, options, pattern) {
  const tool = await engineTool('llama-perplexity');
  for (let left = tries; left > 0; --left) {
    const { stdout, stderr, status } = spawnSync(tool, ['-m', model, '-t', '1', ...options], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`llama-perplexity ended with ${status}:\n${stderr.slice(-2000)}`);
    const match = pattern.exec(`${stdout}\n${stderr}`);
    if (match !== null) return match;
  }
  throw new Error(`llama-perplexity printed nothing like ${pattern} in ${tries} tries`);
}
