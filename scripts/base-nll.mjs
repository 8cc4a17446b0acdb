// How likely a model finds what it says itself, what it says when it is hardened, what another model says, what belongs to another
// request, what is left of its language when an edit or a push of the stream is far too strong, and words in no order: the
// table from which docs/evaluation.md has its threshold.
//   node scripts/base-nll.mjs MODEL.gguf --layer L [--gated 2,6,12] [--mean-row 28,100] [--push 10,40] [--other MODEL.gguf]...
//     [--limit 12] [--max-tokens 64] [--threads 1] [--cache FOLDER] [--answers FROM-TO] [--json FILE]
// Strengths are those of `rosi harden`, layer and all; pushes are norms of a random direction after that block. Prints a Markdown table, and with
// --answers those answers whose mean is in that range of nats, to be read. --json keeps the evaluation.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';

import { root } from './lay-out-engine.mjs';

const load = (name) => createRequire(import.meta.url)(join(root, 'dist', `${name}.js`));
const { builtInSuites, evaluate, labelAnswer, limited, makePlan, ModelSession } = load('index');
const { baseNlls, improbable, isImprobable } = load('evaluation/base-nll');
const { safetyPrompt } = load('baseline');
const { seededRandom, shuffle } = load('random');
const { oneLine } = load('text');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    layer: { type: 'string' },
    gated: { type: 'string' },
    'mean-row': { type: 'string' },
    push: { type: 'string' },
    other: { type: 'string', multiple: true, default: [] },
    limit: { type: 'string', default: '12' },
    'max-tokens': { type: 'string', default: '64' },
    threads: { type: 'string', default: '1' },
    cache: { type: 'string' },
    answers: { type: 'string' },
    json: { type: 'string' },
  },
});
const [model] = positionals;
if (model === undefined || values.layer === undefined) throw new Error('name a MODEL.gguf and its --layer');
const [layer, limit, maxTokens, threads] = ['layer', 'limit', 'max-tokens', 'threads'].map((key) =>
  Number(values[key]),
);

/** The edit at each strength: updates are linear in it, so that it is fitted once. */
async function edits(rightFactor) {
  if (values[rightFactor] === undefined) return [];
  const strengths = values[rightFactor].split(',').map(Number);
  const saved = await makePlan(model, undefined, { layer, strength: strengths[0], rightFactor, threads });
  return strengths.map((strength) => {
    const scale = strength / strengths[0];
    const tensors = saved.plan.tensors.map((tensor) => ({ ...tensor, left: tensor.left.map((x) => x * scale) }));
    const plan = { ...saved, plan: { ...saved.plan, edit: { ...saved.plan.edit, strength }, tensors } };
    return { model, name: `${rightFactor}, strength ${strength}`, plan };
  });
}

/** A fixed random direction, which means nothing to the model. */
async function pushes() {
  if (values.push === undefined) return [];
  const session = await ModelSession.open(model, { threads });
  const { dModel } = session.info;
  session.close();
  const random = seededRandom(0, 'push');
  const vector = Float32Array.from({ length: dModel }, () => random() - 0.5);
  const norm = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
  return values.push.split(',').map((size) => {
    const controlVector = [{ layer, vector: vector.map((x) => (x * Number(size)) / norm) }];
    return { model, name: `random push of norm ${size}`, controlVector };
  });
}

const columns = [
  { model, name: 'original' },
  { model, name: 'safety prompt', system: safetyPrompt },
  ...(await edits('gated')),
  ...(await edits('mean-row')),
  ...(await pushes()),
  ...values.other.map((path) => ({ model: path, name: `another model: ${basename(path, '.gguf')}` })),
];
let last = '';
const onProgress = ({ stage, note }) => {
  if (note !== last && note !== undefined) process.stderr.write(`${stage}: ${note}\n`);
  last = note ?? last;
};
const options = { threads, maxTokens, cache: values.cache ?? false, onProgress };
const evaluation = await evaluate(columns, limited(builtInSuites(), limit), options);
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(evaluation));

const answersOf = (m) =>
  evaluation.suites.flatMap(({ rows }) => rows.map(({ request, answers }) => ({ request, ...answers[m] })));
const own = answersOf(0);
const items = own.map(({ request }) => ({ request, user: request }));
const { sha256 } = evaluation.models[0];
const subject = { model, sha256, system: null, plan: null, controlVector: null };
const random = seededRandom(0, 'words');
const made = [
  { name: "the original's, each to the request before", texts: own.map((_, i) => own.at(i - 1).text) },
  {
    name: "the original's, their words in random order",
    texts: own.map(({ text }) => shuffle(text.split(/\s+/u), random).join(' ')),
  },
];
const settings = { maxTokens, thinking: false, cache: values.cache ?? null, threads, onProgress };
const read = await baseNlls(
  subject,
  made.map(({ name, texts }) => ({ name, subject, answers: texts.map((text) => ({ text })) })),
  items,
  settings,
);
const groups = [
  ...columns.map(({ name }, m) => ({ name, answers: answersOf(m) })),
  ...made.map(({ name, texts }, m) => ({
    name,
    answers: texts.map((text, i) => ({ request: items[i].request, text, baseNll: read[m][i] })),
  })),
];

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
const nats = (value) => value?.toFixed(2) ?? '';
const long = ({ baseNll }) => baseNll !== null && baseNll.tokens >= improbable.fewestTokens;

console.log(
  `| answers | degenerate by their words | others of ${improbable.fewestTokens} tokens and more | nats a token: lowest | median | highest | improbable |\n` +
    '| --- | --- | --- | --- | --- | --- | --- |',
);
for (const { name, answers } of groups) {
  const others = answers.filter(({ text }) => labelAnswer(text).label !== 'degenerate');
  const read = others.filter(long);
  const means = read.map(({ baseNll }) => baseNll.mean).sort((a, b) => a - b);
  const found = read.filter(({ baseNll }) => isImprobable(baseNll)).length;
  const percentiles = [0, 0.5, 1].map((share) => nats(percentile(means, share)));
  const cells = [name, `${answers.length - others.length} of ${answers.length}`, read.length, ...percentiles, found];
  console.log(`| ${cells.join(' | ')} |`);
}

if (values.answers !== undefined) {
  const [from, to] = values.answers.split('-').map(Number);
  const all = groups.flatMap(({ name, answers }) => answers.map((answer) => ({ name, ...answer }))).filter(long);
  const inside = all.filter(({ baseNll: { mean } }) => mean >= from && mean <= to);
  for (const { name, request, text, baseNll } of inside.sort((a, b) => a.baseNll.mean - b.baseNll.mean)) {
    const { label, reason } = labelAnswer(text);
    console.log(
      `\n${nats(baseNll.mean)} nats over ${baseNll.tokens} tokens; by its words ${label}, ${reason} (${name})\n  ${oneLine(request, 200)}\n  ${oneLine(text, 600)}`,
    );
  }
}
