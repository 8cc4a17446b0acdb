// What several GGUFs of one model answer to the same prompts: refused, answered, looping, and drift from the first.
//   node scripts/compare.mjs BASE.gguf HARDENED.gguf... --harmful FILE --harmless FILE [--borderline FILE]
//     [--limit 100] [--max-tokens 32] [--threads n]
// Prints a Markdown table; shares with 95 % Wilson intervals.
import { basename, join } from 'node:path';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const { builtInPrompts, Evaluator, ModelSession, readPrompts } = createRequire(import.meta.url)(
  join(root, 'dist', 'index.js'),
);

const { values, positionals: models } = parseArgs({
  allowPositionals: true,
  options: {
    harmful: { type: 'string' },
    harmless: { type: 'string' },
    borderline: { type: 'string' },
    limit: { type: 'string', default: '100' },
    'max-tokens': { type: 'string', default: '32' },
    threads: { type: 'string' },
  },
});
if (models.length === 0) throw new Error('name at least one GGUF file');

const limit = Number(values.limit);
const { test } = builtInPrompts();
const prompts = {};
for (const role of ['harmful', 'harmless', 'borderline'])
  prompts[role] = (values[role] === undefined ? test[role] : await readPrompts(values[role])).slice(0, limit);

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const rate = ({ share, low, high }) => `${percent(share)} (${(100 * low).toFixed(0)}-${(100 * high).toFixed(0)})`;
const threads = values.threads === undefined ? undefined : Number(values.threads);

console.log(
  `${prompts.harmful.length} harmful, ${prompts.harmless.length} harmless, ${prompts.borderline.length} borderline; ` +
    `${values['max-tokens']} new tokens, greedy\n\n` +
    '| model | harmful refused | by first token | harmless refused | borderline refused | degenerate | KL, nats | s |\n' +
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
);
let evaluator;
for (const path of models) {
  const start = performance.now();
  const session = await ModelSession.open(path, { threads });
  try {
    evaluator ??= new Evaluator(session, prompts);
    const { refused, degenerate, screening } = await evaluator.answer(session, {
      maxTokens: Number(values['max-tokens']),
      stage: 'answer',
    });
    const cells = [
      basename(path),
      rate(refused.harmful),
      percent(screening.refusal.harmful),
      rate(refused.harmless),
      rate(refused.borderline),
      rate(degenerate),
      screening.kl.toFixed(3),
      ((performance.now() - start) / 1000).toFixed(0),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  } finally {
    session.close();
  }
}
