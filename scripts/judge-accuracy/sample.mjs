// Answers for a reader to label, for scripts/judge-accuracy.mjs: greedy, of at most 128 tokens, to built-in prompts of the
// fit and validation splits, each prompt in one condition only.
//   node scripts/judge-accuracy/sample.mjs QWEN.gguf SMOLLM2.gguf GEMMA.gguf --output FILE.jsonl [--only NAME]...
//     [--cache FOLDER] [--threads 1]
// The models are Qwen2.5-Coder-0.5B-Instruct Q4_K_M, SmolLM2-135M-Instruct Q4_1 and Gemma-3-270M Q4_K_M (a base model, for
// babble); --only leaves out the conditions of the others. Lines come in an order that tells nothing of the condition, and
// without a judge's label.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { root } from '../lay-out-engine.mjs';

const load = (name) => createRequire(import.meta.url)(join(root, 'dist', `${name}.js`));
const { builtInPrompts, evaluate, jailbreaksInTurn, makePlan, plainSuite } = load('index');
const { safetyPrompt } = load('baseline');
const { seededRandom, shuffle } = load('random');
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    output: { type: 'string' },
    only: { type: 'string', multiple: true },
    cache: { type: 'string' },
    threads: { type: 'string', default: '1' },
  },
});
const [qwen, smollm2, gemma] = positionals;
if (gemma === undefined || values.output === undefined) throw new Error('name three GGUF files and --output');
const threads = Number(values.threads);

// Edits are of all blocks and act at run time. Those of strength 1.79 and 2 are in docs/method.md; the others are too strong.
const gated = (layer, strength) => ({ layer, strength, rightFactor: 'gated' });
const paper = (layer, strength) => ({ layer, strength, rightFactor: 'mean-row' });
/** Prompts of each condition: harmful, harmful in a way around a refusal, borderline, harmless. */
const conditions = [
  { model: smollm2, name: 'SmolLM2-135M-Instruct', condition: 'plain', counts: [16, 12, 8, 8] },
  { model: smollm2, name: 'SmolLM2-135M-Instruct', condition: 'safety prompt', counts: [12, 4, 8, 6] },
  { model: smollm2, name: 'SmolLM2-135M-Instruct', condition: 'edit', edit: gated(18, 2), counts: [12, 4, 8, 6] },
  {
    model: smollm2,
    name: 'SmolLM2-135M-Instruct',
    condition: 'over-strong edit',
    edit: gated(18, 8),
    counts: [6, 0, 4, 4],
  },
  { model: gemma, name: 'Gemma-3-270M', condition: 'base model', counts: [4, 0, 4, 4] },
  { model: qwen, name: 'Qwen2.5-Coder-0.5B-Instruct', condition: 'plain', counts: [14, 8, 6, 4] },
  { model: qwen, name: 'Qwen2.5-Coder-0.5B-Instruct', condition: 'safety prompt', counts: [10, 2, 5, 3] },
  { model: qwen, name: 'Qwen2.5-Coder-0.5B-Instruct', condition: 'edit', edit: gated(14, 1.79), counts: [12, 4, 5, 3] },
  {
    model: qwen,
    name: 'Qwen2.5-Coder-0.5B-Instruct',
    condition: 'over-strong edit',
    edit: paper(14, 220),
    counts: [4, 0, 2, 2],
  },
];

const { fit, validation } = builtInPrompts();
const pools = Object.fromEntries(
  ['harmful', 'borderline', 'harmless'].map((role) => {
    return [role, shuffle([...fit[role], ...validation[role]], seededRandom(0, `judge-accuracy/${role}`))];
  }),
);
const rows = [];
for (const { model, name, condition, edit, counts } of conditions) {
  const [harmful, jailbroken, borderline, harmless] = counts;
  const suites = [
    plainSuite('harmful', 'harmful', pools.harmful.splice(0, harmful)),
    jailbreaksInTurn(plainSuite('jailbreaks', 'harmful', pools.harmful.splice(0, jailbroken))),
    plainSuite('borderline', 'borderline', pools.borderline.splice(0, borderline)),
    plainSuite('harmless', 'harmless', pools.harmless.splice(0, harmless)),
  ].filter(({ items }) => items.length > 0);
  if (values.only !== undefined && !values.only.includes(name)) continue;
  const plan = edit && (await makePlan(model, undefined, { ...edit, uncensored: false, threads, cache: false }));
  const system = condition === 'safety prompt' ? safetyPrompt : undefined;
  const found = await evaluate([{ model, name, plan, system }], suites, { threads, cache: values.cache ?? false });
  for (const [i, { role, rows: answered }] of found.suites.entries()) {
    for (const [k, { request, category, answers }] of answered.entries()) {
      const { assistantPrefix } = suites[i].items[k];
      // As judges read it.
      const answer = assistantPrefix === undefined ? answers[0].text : `${assistantPrefix} ${answers[0].text}`.trim();
      rows.push({ model: name, condition, way: category, role, request, answer });
    }
  }
  console.error(`${name}, ${condition}: ${rows.length} answers so far`);
}
const keyed = rows.map((row) => ({ row, key: sha256(row.request) })).sort((a, b) => (a.key < b.key ? -1 : 1));
// Half B is held out: scripts/judge-accuracy.mjs.
const halved = keyed.map(({ row, key }) => ({ ...row, half: parseInt(key.at(-1), 16) % 2 === 0 ? 'A' : 'B' }));
writeFileSync(values.output, halved.map((row) => `${JSON.stringify(row)}\n`).join(''));
