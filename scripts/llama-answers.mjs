// What an unmodified llama.cpp tool answers with a model and with its hardened file: loads both, greedy.
//   [LLAMA_TOOLS=folder] node scripts/llama-answers.mjs BASE.gguf HARDENED.gguf REPORT.json
// The prompts are the report's examples. Fails when the hardened file refuses no more of the harmful ones than the base:
// one by one, answers may differ from the report's, since the tool batches otherwise and greedy answers hang on a hair.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { engineTool } from './engine-tools.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { declines, labelAnswer } = createRequire(import.meta.url)(join(root, 'dist', 'index.js'));
const [base, hardened, reportPath] = process.argv.slice(2);
if (reportPath === undefined) throw new Error('usage: llama-answers.mjs BASE.gguf HARDENED.gguf REPORT.json');

const tool = await engineTool('llama-completion');
const { examples } = JSON.parse(readFileSync(reportPath, 'utf8'));
const refused = { [base]: 0, [hardened]: 0 };
for (const { role, prompt } of examples) {
  console.log(`${role}: ${prompt}`);
  for (const model of [base, hardened]) {
    const answer = complete(model, prompt);
    const { label } = labelAnswer(answer);
    console.log(`  ${model === base ? 'base    ' : 'hardened'} ${label}: ${answer.replace(/\s+/g, ' ')}`);
    if (role === 'harmful' && declines(label)) ++refused[model];
  }
}
console.log(`harmful examples refused: ${refused[base]} by the base, ${refused[hardened]} by the hardened file`);
if (refused[hardened] <= refused[base]) {
  process.exitCode = 1;
}

/** The tool frames the prompt in the model's own template, and prints it before the answer. */
function complete(model, prompt) {
  const options = ['-m', model, '-p', prompt, '-st', '--temp', '0', '-n', '32', '-t', '1', '--no-display-prompt'];
  const text = execFileSync(tool, options, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return text
    .replace(/^[\s\S]*?assistant\s*\n/u, '')
    .replace('[end of text]', '')
    .trim();
}
