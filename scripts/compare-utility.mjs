// Perplexity and HellaSwag of a model, as rosi and as the engine's own llama-perplexity compute them.
//   [LLAMA_TOOLS=folder] node scripts/compare-utility.mjs MODEL.gguf [--text FILE] [--chunks N] [--hellaswag FILE]
// --text: any text; default this package's documentation. --hellaswag: six lines a question, as the tool reads them: context,
// index of the right ending, four endings; default those written for this comparison.
// Fails when a perplexity is off by more than a thousandth, or HellaSwag at all.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { engineTool } from './engine-tools.mjs';
import { root } from './lay-out-engine.mjs';

const { ModelSession } = createRequire(import.meta.url)(join(root, 'dist', 'index.js'));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    text: { type: 'string' },
    chunks: { type: 'string', default: '6' },
    hellaswag: { type: 'string', default: join(root, 'scripts', 'compare-utility', 'questions.txt') },
  },
});
const [model] = positionals;
if (model === undefined) throw new Error('usage: compare-utility.mjs MODEL.gguf [--text FILE] [--chunks N]');
const context = 512;

const tool = await engineTool('llama-perplexity');
const folder = mkdtempSync(join(tmpdir(), 'rosi-utility-'));
const session = await ModelSession.open(model, { threads: 1 });
try {
  const perplexities = await comparePerplexity();
  const shares = await compareHellaswag();
  if (perplexities > 1e-3 || shares !== 0) process.exitCode = 1;
} finally {
  session.close();
  rmSync(folder, { recursive: true });
}

/** @returns {Promise<number>} How far apart the two are, as a share of the tool's. */
async function comparePerplexity() {
  const text = values.text === undefined ? documentation() : readFileSync(values.text, 'utf8');
  const file = join(folder, 'text.txt');
  writeFileSync(file, text);
  const options = ['-f', file, '-c', String(context), '-b', String(context), '--chunks', values.chunks];
  const [, theirs, error] = found(run(options), /Final estimate: PPL = ([\d.]+) \+\/- ([\d.]+)/u).map(Number);
  const tokens = session.encodeText(text, session.info.addsBos);
  const ours = await session.perplexity(tokens.subarray(0, Number(values.chunks) * context), { context });
  const ourError = ours.perplexity * ours.standardError;
  console.log(`perplexity of ${ours.tokens} tokens`);
  console.log(`  llama-perplexity  ${theirs} +/- ${error}`);
  console.log(`  rosi              ${ours.perplexity.toFixed(4)} +/- ${ourError.toFixed(5)}`);
  return Math.abs(ours.perplexity / theirs - 1);
}

/** @returns {Promise<number>} How many questions more are answered rightly by rosi. */
async function compareHellaswag() {
  const lines = readFileSync(values.hellaswag, 'utf8').trimEnd().split('\n');
  const questions = Array.from({ length: lines.length / 6 }, (_, i) => lines.slice(6 * i, 6 * i + 6));
  const output = run(['-f', values.hellaswag, '--hellaswag', '--hellaswag-tasks', String(questions.length)]);
  const share = found(output, new RegExp(`^${questions.length}\\s+([\\d.]+)%`, 'mu'))[1];
  const theirs = Math.round((Number(share) / 100) * questions.length);
  // As the tool does: tokens that all endings share are the beginning, and the mean of the others' likelihoods decides.
  // One question a call, as the tool has it: in another batch quantised inputs round otherwise, and close calls turn.
  let ours = 0;
  for (const [before, right, ...endings] of questions) {
    const whole = endings.map((ending) => session.encodeText(`${before} ${ending}`, session.info.addsBos));
    const shared = whole[0].findIndex((token, i) => whole.some((tokens) => tokens[i] !== token));
    const options = whole.map((tokens) => tokens.subarray(shared));
    const [scores] = await session.scoreContinuations([{ prefix: whole[0].subarray(0, shared), options }]);
    const means = scores.map(({ logLikelihood, tokens }) => logLikelihood / tokens);
    if (means.indexOf(Math.max(...means)) === Number(right)) ++ours;
  }
  console.log(`HellaSwag, ${questions.length} questions`);
  console.log(`  llama-perplexity  ${theirs} right`);
  console.log(`  rosi              ${ours} right`);
  return ours - theirs;
}

function documentation() {
  const pages = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
  return pages.map((name) => readFileSync(join(root, 'docs', name), 'utf8')).join('\n');
}

/** What the tool prints. */
function run(options) {
  const { stdout, stderr, status } = spawnSync(tool, ['-m', model, '-t', '1', ...options], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`llama-perplexity ended with ${status}:\n${stderr.slice(-2000)}`);
  return `${stdout}\n${stderr}`;
}

function found(text, pattern) {
  const match = pattern.exec(text);
  if (match === null) throw new Error(`llama-perplexity printed nothing like ${pattern}:\n${text.slice(-2000)}`);
  return match;
}
