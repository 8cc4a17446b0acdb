// Perplexity and HellaSwag of a model, as rosi and as the engine's own llama-perplexity compute them.
//   [LLAMA_TOOLS=folder] node scripts/compare-utility.mjs MODEL.gguf [--text FILE] [--chunks N] [--hellaswag FILE]
// --text: any text; default the prose of this project's pages. --hellaswag: six lines a question, as the tool reads them:
// context, index of the right ending, four endings; default those written for this comparison.
// Fails when a perplexity is off by more than a thousandth, or HellaSwag at all.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { toolHellaswag, toolPerplexity } from './compare-utility/llama-perplexity.mjs';
import { ownPages, ownQuestions, readQuestions } from './compare-utility/texts.mjs';
import { root } from './lay-out-engine.mjs';

const { ModelSession } = createRequire(import.meta.url)(join(root, 'dist', 'index.js'));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    text: { type: 'string' },
    chunks: { type: 'string', default: '6' },
    hellaswag: { type: 'string', default: ownQuestions },
  },
});
const [model] = positionals;
if (model === undefined) throw new Error('usage: compare-utility.mjs MODEL.gguf [--text FILE] [--chunks N]');
const context = 512;

const session = await ModelSession.open(model, { threads: 1 });
try {
  const perplexities = await comparePerplexity();
  const shares = await compareHellaswag();
  if (perplexities > 1e-3 || shares !== 0) process.exitCode = 1;
} finally {
  session.close();
}

/** @returns {Promise<number>} How far apart the two are, as a share of the tool's. */
async function comparePerplexity() {
  const text = values.text === undefined ? ownPages() : readFileSync(values.text, 'utf8');
  const theirs = await toolPerplexity(model, text, context, values.chunks);
  const tokens = session.encodeText(text, session.info.addsBos);
  const ours = await session.perplexity(tokens.subarray(0, Number(values.chunks) * context), { context });
  const ourError = ours.perplexity * ours.standardError;
  console.log(`perplexity of ${ours.tokens} tokens`);
  console.log(`  llama-perplexity  ${theirs.perplexity} +/- ${theirs.standardError}`);
  console.log(`  rosi              ${ours.perplexity.toFixed(4)} +/- ${ourError.toFixed(5)}`);
  return Math.abs(ours.perplexity / theirs.perplexity - 1);
}

/** @returns {Promise<number>} How many questions more are answered rightly by rosi. */
async function compareHellaswag() {
  const questions = readQuestions(values.hellaswag);
  const theirs = await toolHellaswag(model, values.hellaswag, questions.length);
  // As the tool does: tokens that all endings share are the beginning, and the mean of the others' likelihoods decides.
  // One question a call, as the tool has it: in another batch quantised inputs round otherwise, and close calls turn.
  let ours = 0;
  for (const { context: before, right, choices } of questions) {
    const whole = choices.map((ending) => session.encodeText(`${before} ${ending}`, session.info.addsBos));
    const shared = whole[0].findIndex((token, i) => whole.some((tokens) => tokens[i] !== token));
    const options = whole.map((tokens) => tokens.subarray(shared));
    const [scores] = await session.scoreContinuations([{ prefix: whole[0].subarray(0, shared), options }]);
    const means = scores.map(({ logLikelihood, tokens }) => logLikelihood / tokens);
    if (means.indexOf(Math.max(...means)) === right) ++ours;
  }
  console.log(`HellaSwag, ${questions.length} questions`);
  console.log(`  llama-perplexity  ${theirs} right`);
  console.log(`  rosi              ${ours} right`);
  return ours - theirs;
}
