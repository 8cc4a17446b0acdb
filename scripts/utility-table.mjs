// What hardening costs: perplexity and HellaSwag of a model and of its hardened file, by rosi and by llama-perplexity.
//   [LLAMA_TOOLS=folder] npm run bench:utility -- BASE.gguf HARDENED.gguf [--chunks 12] [--text FILE] [--hellaswag FILE] [--print]
// Writes the table to its model's place in docs/utility.md; --print: to standard output alone. One thread.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';

import { toolHellaswag, toolPerplexity } from './compare-utility/llama-perplexity.mjs';
import { ownPages, ownQuestions, readQuestions } from './compare-utility/texts.mjs';
import { root } from './lay-out-engine.mjs';

const library = (name) => createRequire(import.meta.url)(join(root, 'dist', `${name}.js`));
const { inspect, ModelSession, multipleChoice } = library('index');
const { mcnemarExact, wilson } = library('statistics');
const { values: flags, positionals: models } = parseArgs({
  allowPositionals: true,
  options: {
    chunks: { type: 'string', default: '12' },
    text: { type: 'string' },
    hellaswag: { type: 'string', default: ownQuestions },
    print: { type: 'boolean' },
  },
});
if (models.length !== 2) throw new Error('usage: npm run bench:utility -- BASE.gguf HARDENED.gguf [--chunks N]');

const context = 512;
const text = flags.text === undefined ? ownPages() : readFileSync(flags.text, 'utf8');
const questions = readQuestions(flags.hellaswag);
const task = {
  name: 'hellaswag',
  metrics: ['acc', 'acc_norm'],
  questions: questions.map(({ right, ...question }) => ({
    ...question,
    right: question.choices.map((_, i) => i === right),
  })),
};
const mean = (numbers) => numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
const square = (value) => value * value;

const [base, hardened] = [await measure(models[0]), await measure(models[1])];
const section = `${heading(await inspect(models[1]))}\n\n${table()}\n\n${conclusion()}`;
console.log(section);
if (flags.print !== true) writeSection(basename(models[0]), section);

/** All that is measured of a file. */
async function measure(path) {
  process.stderr.write(`${basename(path)}\n`);
  const session = await ModelSession.open(path, { threads: 1 });
  try {
    const tokens = session.encodeText(text, session.info.addsBos);
    const chunks = [];
    for (let i = 0; i < Number(flags.chunks) && (i + 1) * context <= tokens.length; ++i) {
      chunks.push(await session.perplexity(tokens.subarray(i * context, (i + 1) * context), { context }));
    }
    const { metrics, perQuestion } = await multipleChoice(session, task);
    return {
      chunks,
      perplexity: pooled(chunks),
      metrics,
      perQuestion,
      tool: await toolPerplexity(path, text, context, chunks.length),
      toolRight: await toolHellaswag(path, flags.hellaswag, questions.length),
    };
  } finally {
    session.close();
  }
}

/** The perplexity of all chunks from that of each; all count equally many tokens. */
function pooled(chunks) {
  const meanNll = mean(chunks.map((chunk) => chunk.meanNll));
  const variance = mean(
    chunks.map((chunk) => square(chunk.standardError) * (chunk.tokens - 1) + square(chunk.meanNll - meanNll)),
  );
  const tokens = chunks.length * chunks[0].tokens;
  const perplexity = Math.exp(meanNll);
  return { perplexity, standardError: perplexity * Math.sqrt(variance / (tokens - 1)), tokens };
}

/** Change in nats a token over the same chunks, and its standard error. */
function change() {
  const each = hardened.chunks.map(({ meanNll }, i) => meanNll - base.chunks[i].meanNll);
  const nats = mean(each);
  return { nats, error: Math.sqrt(mean(each.map((value) => square(value - nats))) / (each.length - 1)) };
}

function heading({ metadata }) {
  const plan = metadata['rosi.plan'];
  const edit = plan && JSON.parse(plan);
  const how = edit && `layer ${edit.layer}, blocks ${edit.layers.join('-')}, strength ${edit.strength.toPrecision(3)}`;
  const day = new Date().toISOString().slice(0, 10);
  const sha256 = createHash('sha256').update(text).digest('hex').slice(0, 12);
  return (
    `### ${basename(models[0])}\n\n` +
    `Hardened: ${how ?? basename(models[1])}. ${day}; ${base.perplexity.tokens} tokens of the text with SHA-256 ` +
    `${sha256}… are counted; ${questions.length} questions.`
  );
}

function table() {
  const row = (...cells) => `| ${cells.join(' | ')} |`;
  const estimate = ({ perplexity, standardError }) => `${perplexity.toFixed(4)} ± ${standardError.toFixed(4)}`;
  const share = ({ value, share: counted, low, high }) =>
    `${percent(value ?? counted)} (${percent(low)}-${percent(high)})`;
  const tool = ({ toolRight }) => share(wilson(toolRight, questions.length));
  const { nats, error } = change();
  const paired = (metric) => {
    const { gained, lost, pValue } = shift(metric);
    return `${gained} gained, ${lost} lost, p ${pValue.toFixed(2)}`;
  };
  return [
    row('', 'base', 'hardened', 'change'),
    row('---', '---', '---', '---'),
    row(
      'perplexity',
      estimate(base.perplexity),
      estimate(hardened.perplexity),
      `${signed(nats)} ± ${error.toFixed(4)} nats`,
    ),
    row('perplexity, llama-perplexity', estimate(base.tool), estimate(hardened.tool), ''),
    ...['acc', 'acc_norm'].map((metric) =>
      row(`HellaSwag ${metric}`, share(base.metrics[metric]), share(hardened.metrics[metric]), paired(metric)),
    ),
    row('HellaSwag, llama-perplexity', tool(base), tool(hardened), ''),
  ].join('\n');
}

function shift(metric) {
  const right = ({ perQuestion }) => perQuestion.map(({ values }) => values[metric] === 1);
  const [before, after] = [right(base), right(hardened)];
  const only = (a, b) => a.filter((is, i) => is && !b[i]).length;
  const [gained, lost] = [only(after, before), only(before, after)];
  return { gained, lost, pValue: mcnemarExact(gained, lost) };
}

/** What is told from noise at 95 %, of the same tokens and the same questions. */
function conclusion() {
  const { nats, error } = change();
  const within = Math.abs(hardened.perplexity.perplexity - base.perplexity.perplexity) <= base.perplexity.standardError;
  const found = Math.abs(nats) > 1.96 * error;
  const turned = ['acc', 'acc_norm'].filter((metric) => shift(metric).pValue < 0.05);
  return (
    `Perplexity is ${within ? 'within' : 'beyond'} one standard error of the base's; on the same chunks the change is ` +
    `${found ? 'beyond chance' : 'no more than chance'}. HellaSwag: ` +
    `${turned.length === 0 ? 'no change beyond chance' : `${turned.join(' and ')} changed`}.`
  );
}

/** Puts a model's section in the place of its last one, or behind the others. */
function writeSection(name, content) {
  const page = join(root, 'docs', 'utility.md');
  const old = readFileSync(page, 'utf8');
  const [begin, end] = [`<!-- bench:utility ${name} -->`, `<!-- /bench:utility ${name} -->`];
  const place = '<!-- bench:utility: further models -->';
  const whole = `${begin}\n\n${content}\n\n${end}`;
  const [from, to] = [old.indexOf(begin), old.indexOf(end)];
  if (from < 0 && !old.includes(place)) throw new Error(`${page} has no line ${place}`);
  const text =
    from < 0
      ? old.replace(place, () => `${whole}\n\n${place}`)
      : old.slice(0, from) + whole + old.slice(to + end.length);
  writeFileSync(page, text);
}

function percent(value) {
  return `${(100 * value).toFixed(0)} %`;
}

function signed(value) {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`;
}
