// What each way to make a model refuse does, side by side on the same prompts with the same judge: nothing, a safety system
// prompt, a control vector of llama-cvector-generator, the paper's ROSI, rosi, and rosi with that prompt. Writes docs/effect.md, or
// prints it.
//   npm run bench:effect -- MODEL.gguf... [--harmful FIT --harmless FIT] [--test-harmful FILE --test-harmless FILE]
//     [--limit 100] [--max-tokens 128] [--threads 2] [--cache FOLDER] [--no-base-nll] [--ours] [--print]
// Strengths are chosen on validation prompts, each within 0.1 nats of drift on harmless first tokens, and of the control vector and
// the paper's rule once more as the least that refuse as much as rosi, whose edit has two stronger rows; the table's prompts were
// seen by none. With --ours only the system prompt and rosi, at what it chose. With --cache a run that was cut off goes on. llama-cvector-generator is built on first use: scripts/engine-tools.mjs.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';

import { controlVectorOf } from './bench-effect/control-vector.mjs';
import { scaledPlan, withEqualRefusal } from './bench-effect/equal-refusal.mjs';
import { root } from './lay-out-engine.mjs';

const load = (name) => createRequire(import.meta.url)(join(root, 'dist', `${name}.js`));
const { builtInPrompts, evaluate, harden, jailbreaksInTurn, limited, makePlan, ModelSession, plainSuite } =
  load('index');
const { readControlVector, readPlan, readPrompts, RosiError, splitPrompts } = load('index');
const { withSubject } = load('evaluation/answers');
const { headline } = load('evaluation/tally');
const { safetyPrompt } = load('baseline');
const { rateText } = load('text');

const { values, positionals: models } = parseArgs({
  allowPositionals: true,
  options: {
    harmful: { type: 'string' },
    harmless: { type: 'string' },
    'test-harmful': { type: 'string' },
    'test-harmless': { type: 'string' },
    limit: { type: 'string', default: '100' },
    'max-tokens': { type: 'string', default: '128' },
    threads: { type: 'string', default: '2' },
    cache: { type: 'string' },
    'no-base-nll': { type: 'boolean', default: false },
    ours: { type: 'boolean', default: false },
    print: { type: 'boolean' },
  },
});
if (models.length === 0) throw new Error('name at least one MODEL.gguf');
const [limit, maxTokens, threads] = ['limit', 'max-tokens', 'threads'].map((key) => Number(values[key]));
const log = (text) => process.stderr.write(`${text}\n`);
const onProgress = ({ stage, done, note }) => done === 1 && note && log(`  ${stage}: ${note}`);

/** Times the strength that the search chose: what more of it does, beyond the bounds, for others to be compared with. */
const stronger = [1.5 ** 2, 1.5 ** 3];

/** Prompts to fit and choose on, and suites that nothing was fitted or chosen on. */
async function prompts() {
  const builtIn = builtInPrompts();
  const given = values.harmful !== undefined;
  const set = given
    ? { harmful: await readPrompts(values.harmful), harmless: await readPrompts(values.harmless) }
    : undefined;
  const more = async (name) => (values[name] === undefined ? [] : readPrompts(values[name]));
  // With other prompts to fit on, all built-in ones but the borderline ones are unseen.
  const unseen = (role) => (given ? ['test', 'validation', 'fit'] : ['test']).flatMap((split) => builtIn[split][role]);
  const harmful = plainSuite('harmful', 'harmful', [...(await more('test-harmful')), ...unseen('harmful')]);
  const harmless = plainSuite('harmless', 'harmless', [
    ...(await more('test-harmless')).slice(0, limit),
    ...unseen('harmless'),
  ]);
  const [some, others] = limited([harmful, harmless], limit);
  const borderline = plainSuite('borderline', 'borderline', builtIn.test.borderline);
  return { set, suites: [some, jailbreaksInTurn(some), borderline, others] };
}

/** What a run came to, or why there is nothing. */
async function orWhy(running) {
  try {
    return { result: await running };
  } catch (error) {
    if (!(error instanceof RosiError)) throw error;
    return { why: `${error.code}: ${error.message}`, nearest: error.details.nearest };
  }
}

/** The edit of a search also where it gains less than it costs: a row of the table all the same. */
async function atItsBest(find) {
  const found = await orWhy(find({}));
  return found.nearest === undefined ? found : orWhy(find({ pick: found.nearest.number }));
}

/** Perplexity of this project's own pages, which no model was trained on. */
async function perplexityOf({ model, system, plan = null, controlVector = null }) {
  if (system !== undefined) return '';
  const text = ['README.md', 'docs/method.md'].map((name) => readFileSync(join(root, name), 'utf8')).join('\n');
  const session = await ModelSession.open(model, { threads });
  try {
    const tokens = session.encodeText(text, session.info.addsBos).subarray(0, 10 * 512);
    const measure = (asked, edit) => asked.perplexity(tokens, {}, edit);
    const { perplexity } = await withSubject(session, { plan, controlVector }, {}, measure);
    return perplexity.toFixed(2);
  } finally {
    session.close();
  }
}

/** The other methods at the strength at which they refuse as much as ours, whatever they drift. */
async function atRefusalOfOurs(model, sample, { folder, control, paper, target }) {
  const name = basename(model);
  log(`${name}: the others at the harm refusal of rosi`);
  return withEqualRefusal(model, sample, { folder, threads, log }, async (at, refusedBy) => {
    const [added, missed] = [[], []];
    const miss = (what) =>
      missed.push(
        `${what}: at no strength that was tried does it refuse ${(100 * target).toFixed(1)} % of validation prompts.`,
      );
    const found = [];
    for (const { method, path, scale: start } of control.ways) {
      const way = await at(`control vector, ${method}`, refusedBy.controlVector(path), start, target);
      if (way !== null) found.push({ ...way, method, path });
    }
    const [best] = found.sort((a, b) => a.kl - b.kl);
    if (best === undefined) miss('Control vector');
    else if (best.method !== control.method || best.strength !== control.scale) {
      const { method, strength: scale, path } = best;
      const controlVector = await readControlVector(path, scale);
      added.push({ name: `control vector, ${method}, scale ${scale}, refusing as rosi`, model, controlVector });
    }
    if (paper !== undefined) {
      const way = await at('paper', refusedBy.plan(paper), 1, target);
      if (way === null) miss("The paper's rule");
      else if (way.strength !== 1) {
        const plan = scaledPlan(paper, way.strength);
        const alpha = Number(plan.plan.edit.strength.toPrecision(3));
        added.push({ name: `paper, alpha ${alpha}, refusing as rosi`, model, plan });
      }
    }
    return { added, missed };
  });
}

/** Control vector and the paper's rule at their best, as columns. */
async function othersOf(model, { set, sample, cache, columns, notes }) {
  const name = basename(model);
  log(`${name}: control vector`);
  const control = await controlVectorOf(model, sample, { folder: cache, threads, log });
  if (control.pushes === null) notes.push(`Control vector: ${control.why}.`);
  else
    columns.push({
      name: `control vector, ${control.method}, scale ${control.scale}`,
      model,
      controlVector: control.pushes,
    });
  log(`${name}: the paper's rule`);
  const paper = await atItsBest((options) =>
    makePlan(model, set, { threads, cache, onProgress, rightFactor: 'mean-row', ...options }),
  );
  if (paper.result)
    columns.push({ name: `paper, alpha ${paper.result.plan.edit.strength}`, model, plan: paper.result });
  else notes.push(`The paper's rule: ${paper.why}`);
  return { control, paper: paper.result };
}

async function section(model, { set, suites }, folder) {
  const cache = values.cache ?? join(folder, 'cache');
  mkdirSync(cache, { recursive: true });
  const name = basename(model);
  const columns = [
    { name: 'original', model },
    { name: 'safety system prompt', model, system: safetyPrompt },
  ];
  const notes = [];
  const sample = splitPrompts(set, { seed: 0 });
  const others = values.ours ? null : await othersOf(model, { set, sample, cache, columns, notes });
  log(`${name}: rosi`);
  const output = join(folder, `${basename(model, '.gguf')}.hardened.gguf`);
  const outputs = { plan: join(folder, `${name}.plan.json`) };
  const ours = await orWhy(harden(model, set, { threads, cache, onProgress, output, outputs, evaluate: 'none' }));
  if (ours.result) {
    columns.push({ name: 'rosi, the file', model: output });
    columns.push({ name: 'rosi, the file, and the safety system prompt', model: output, system: safetyPrompt });
    if (others !== null) {
      const found = await readPlan(outputs.plan);
      for (const times of stronger) {
        const plan = scaledPlan(found, times);
        columns.push({ name: `rosi, strength ${plan.plan.edit.strength.toPrecision(2)}, at run time`, model, plan });
      }
      const { trials, edit } = ours.result;
      const { harmful: target } = trials[edit.trial - 1].validated.refused;
      const { added, missed } = await atRefusalOfOurs(model, sample, { folder: cache, ...others, target });
      columns.push(...added);
      notes.push(...missed);
    }
  } else notes.push(`rosi: ${ours.why}`);
  const found = await evaluate(columns, suites, {
    maxTokens,
    threads,
    cache,
    baseNll: !values['no-base-nll'],
    onProgress,
  });
  const rows = [];
  for (const [m, column] of columns.entries()) {
    const results = found.suites.map((suite) => suite.results[m]);
    const [harmful, jailbreaks, borderline, harmless] = results.map((result, i) => {
      const { shifts, tallies } = result;
      const { rate } = headline(found.suites[i].role, tallies[0]);
      return `${rateText(rate)}${shifts !== null && shifts[0].pValue < 0.05 ? ' *' : ''}`;
    });
    const all = found.suites.reduce((sum, { prompts }) => sum + prompts, 0);
    const degenerate = results.reduce((sum, { tallies }) => sum + tallies[0].labels.degenerate, 0) / all;
    const { drift, tokens } = results[3];
    const kl = drift === null ? '' : `${drift.kl.toFixed(4)} / ${drift.firstKl.toFixed(3)}`;
    const cells = [column.name, harmful, jailbreaks, borderline, harmless, `${(100 * degenerate).toFixed(1)} %`, kl];
    rows.push(`| ${[...cells, await perplexityOf(column), tokens.prompt.toFixed(0)].join(' | ')} |`);
  }
  return [`## ${name}`, '', head, ...rows, '', ...notes.flatMap((note) => [note, ''])].join('\n');
}

const head =
  '| | harm refusal | of jailbreaks | over-refusal | benign compliance | degenerate | drift, answers / first token, nats | perplexity | prompt tokens |\n' +
  '| --- | --- | --- | --- | --- | --- | --- | --- | --- |';

const folder = mkdtempSync(join(tmpdir(), 'rosi-effect-'));
try {
  const given = await prompts();
  const counts = given.suites.map(({ items }) => items.length);
  const sections = [];
  for (const model of models) sections.push(await section(model, given, folder));
  const page = `# Effect, side by side

Made by \`npm run bench:effect\` (scripts/bench-effect.mjs). Greedy answers of at most ${maxTokens} tokens, labelled by rules${values['no-base-nll'] ? '' : ' and by how likely the base model finds them'}, to
${counts[0]} harmful requests, the same in twelve ways around a refusal (one each), ${counts[2]} borderline and ${counts[3]} harmless ones, on which nothing
was fitted or chosen. Ranges are 95 % (Wilson); *: another than the original, p < .05 (McNemar, the same prompts). Drift: KL from
the original in nats a token, over its own answers to the harmless requests, and of their first tokens. Perplexity: of this
project's own README and method page. Prompt tokens: mean of the harmless requests, what each prompt costs. Each strength is
the best on validation prompts within 0.1 nats of drift; *refusing as rosi*: the least at which validation prompts are declined as often as
by rosi's edit, whatever that drifts (of control vectors the method and sign that drift least there). *at run time*: rosi's edit at more
than the strength that it chose, beyond its bounds on over-refusal.

${sections.join('\n')}`;
  if (values.print) console.log(page);
  else writeFileSync(join(root, 'docs', 'effect.md'), `${page.trimEnd()}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
