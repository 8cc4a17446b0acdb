// Variants of the edit side by side at equal drift: each at the strength at which it drifts by --kl nats on harmless
// prompts, then whole answers to prompts that nothing was fitted on. Writes docs/variants.md, or prints it.
//   node scripts/method-table.mjs MODEL.gguf:LAYER... [--harmful FIT --harmless FIT --test-harmful FILE --test-harmless FILE]
//     [--kl 0.03] [--limit 40] [--max-tokens 32] [--only REGEX] [--threads 1] [--print]
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './lay-out-engine.mjs';
import { apart, clustersOf, rowsOf } from './method-table/clusters.mjs';

const load = (name) => createRequire(import.meta.url)(join(root, 'dist', `${name}.js`));
const { builtInPrompts, captureTokens, chooseDirection, Evaluator, findWriters, ModelSession } = load('index');
const { planUpdate, pushesOf, readPrompts, rightFactorsOf, splitPrompts } = load('index');
const { withEdit } = load('trial-edit');
const { safetyPrompt } = load('baseline');
const { auroc } = load('statistics');
const { embeddingFactor } = load('factors');
const { meanOf } = load('capture');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    harmful: { type: 'string' },
    harmless: { type: 'string' },
    'test-harmful': { type: 'string' },
    'test-harmless': { type: 'string' },
    kl: { type: 'string', default: '0.03' },
    limit: { type: 'string', default: '40' },
    'max-tokens': { type: 'string', default: '32' },
    only: { type: 'string', default: '' },
    threads: { type: 'string', default: '1' },
    print: { type: 'boolean' },
  },
});
if (positionals.length === 0) throw new Error('name at least one MODEL.gguf:LAYER');
const [targetKl, limit, maxTokens, threads] = ['kl', 'limit', 'max-tokens', 'threads'].map((key) =>
  Number(values[key]),
);

const all = ['harmless', 'borderline', 'positions'];
const gated = { factor: 'gated', rho: 1, kept: all, schedule: 'equal', range: [0, 1] };
const variants = [
  ['gated, rho 1', gated],
  ['rho 0.1', { ...gated, rho: 0.1 }],
  ['rho 0.3', { ...gated, rho: 0.3 }],
  ['rho 3', { ...gated, rho: 3 }],
  ['rho 0.3, 2 directions', { ...gated, rho: 0.3, directions: 2 }],
  ['rho 0.3, 4 directions', { ...gated, rho: 0.3, directions: 4 }],
  ['kept: harmless alone', { ...gated, kept: ['harmless'] }],
  ['kept: harmless and borderline', { ...gated, kept: ['harmless', 'borderline'] }],
  ['kept: positions inside benign answers, too', { ...gated, kept: [...all, 'answers'] }],
  ['16 prompts of each role', { ...gated, few: 16 }],
  ['profile schedule', { ...gated, schedule: 'profile' }],
  ['middle blocks', { ...gated, range: [0.17, 0.7] }],
  ['upper blocks', { ...gated, range: [0.55, 1] }],
  ['attention outputs alone', { ...gated, writers: (kind) => kind !== 'FFN down' }],
  ['FFN downs alone', { ...gated, writers: (kind) => kind === 'FFN down' }],
  ["each block's own direction", { ...gated, own: true }],
  ['mean-input', { ...gated, factor: 'mean-input' }],
  ['mean-row (the paper)', { ...gated, factor: 'mean-row', start: 30 }],
  ['mean-row-signed', { ...gated, factor: 'mean-row-signed', start: 30 }],
  ['mean-row, token embeddings, too', { ...gated, factor: 'mean-row', start: 30, embeddings: true }],
];

const head =
  '| edit | strength | harmful refused | by first token | harmless refused | borderline refused | degenerate | KL, nats | detector AUROC |\n' +
  '| --- | --- | --- | --- | --- | --- | --- | --- | --- |';
const percent = ({ share }) => `${(100 * share).toFixed(1)} %`;
const line = (name, strength, behaviour, detection) => {
  const { refused, degenerate, screening } = behaviour;
  const cells = [
    name,
    strength === null ? '' : Number(strength.toPrecision(3)),
    percent(refused.harmful),
    `${(100 * screening.refusal.harmful).toFixed(1)} %`,
    percent(refused.harmless),
    percent(refused.borderline),
    percent(degenerate),
    Number.isNaN(screening.kl) ? '' : screening.kl.toFixed(3),
    detection === null ? '' : detection.toFixed(3),
  ];
  return `| ${cells.join(' | ')} |`;
};

const take = (list, n) => list.slice(0, n);
const read = async (name, fallback) => (values[name] === undefined ? fallback : readPrompts(values[name]));
const built = builtInPrompts();
const fitting =
  values.harmful === undefined
    ? built
    : { harmful: await readPrompts(values.harmful), harmless: await readPrompts(values.harmless) };
const { fit, validation } = splitPrompts(fitting, { seed: 0 });
const test = {
  harmful: take(await read('test-harmful', built.test.harmful), limit),
  harmless: take(await read('test-harmless', built.test.harmless), limit),
  borderline: take(built.test.borderline, limit),
};

/** Inputs of the writers at positions inside the model's own answers to harmless prompts. */
async function answerInputs(session, writers) {
  const prompts = take(fit.harmless, 64).map((prompt) => session.encode(prompt));
  const { texts } = await session.generate(prompts, { maxTokens: 16, exact: true });
  const whole = prompts.map((tokens, i) => Int32Array.from([...tokens, ...session.encodeText(texts[i])]));
  const positions = whole.map((tokens, i) => {
    const n = tokens.length - prompts[i].length;
    return n < 2 ? [] : [prompts[i].length, prompts[i].length + (n >> 1)];
  });
  const names = writers.map(({ name }) => name);
  const { inputs } = await session.capture(whole, { streams: false, writers: names, last: false, positions });
  return new Map(inputs.map(({ writer, dIn, rows }) => [writer, { count: rows.length / dIn, width: dIn, data: rows }]));
}

const none = (rows) => ({ ...rows, count: 0, data: new Float32Array(0) });
const first = (rows, n) => ({ ...rows, count: Math.min(n, rows.count), data: rows.data.subarray(0, n * rows.width) });
function joined(a, b) {
  const data = new Float32Array(a.data.length + b.data.length);
  data.set(a.data);
  data.set(b.data, a.data.length);
  return { ...a, count: a.count + b.count, data };
}

/** The captured inputs, less what the variant does not keep. */
function keptOf({ kept, few }, activations, answers) {
  const inputs = new Map();
  for (const [name, of] of activations.inputs) {
    const role = (key) => (kept.includes(key) ? (few === undefined ? of[key] : first(of[key], few)) : none(of[key]));
    const positions = kept.includes('answers') ? joined(role('positions'), answers.get(name)) : role('positions');
    const harmful = few === undefined ? of.harmful : first(of.harmful, few);
    inputs.set(name, { harmful, harmless: role('harmless'), borderline: role('borderline'), positions });
  }
  return { ...activations, inputs };
}

/** How well the summed push tells harmful from other last tokens that it was not fitted on. */
function detection(pushes, held) {
  const sums = (role) =>
    Array.from({ length: held.streams[role].count }, (_, i) =>
      pushes.reduce((sum, { writer, right }) => {
        if (!held.inputs.has(writer.name)) return sum; // token embeddings
        const { data, width } = held.inputs.get(writer.name)[role];
        let response = 0;
        for (let j = 0; j < width; ++j) response += right[j] * data[i * width + j];
        return sum + response;
      }, 0),
    );
  return auroc(sums('harmful'), [...sums('harmless'), ...sums('borderline')]);
}

/** For each cluster of harmful prompts its streams and pushes; a cluster's right factors don't respond to the others. */
async function clustersPushes(session, activations, kept, writers, { layer, directions, harmful, ...options }) {
  const clusters = clustersOf(activations, layer, directions);
  console.error(`clusters of ${clusters.map((members) => members.length).join(', ')} harmful prompts`);
  const parts = [];
  for (const members of clusters) {
    const streams = { ...kept.streams, harmful: rowsOf(kept.streams.harmful, members) };
    const inputs = new Map(
      [...kept.inputs].map(([name, of]) => [name, { ...of, harmful: rowsOf(of.harmful, members) }]),
    );
    const factors = await rightFactorsOf(session.path, { ...kept, streams, inputs }, writers, options);
    parts.push({ members, activations: { ...kept, streams }, inputs, factors });
  }
  writers.forEach(({ name }, i) => {
    const means = parts.map(({ inputs }) => meanOf(inputs.get(name).harmful));
    const rights = apart(
      parts.map(({ factors }) => factors[i].right),
      means,
    );
    parts.forEach(({ factors }, c) => (factors[i] = { ...factors[i], right: Float32Array.from(rights[c]) }));
  });
  for (const part of parts) {
    const own = part.members.map((i) => harmful[i]);
    part.pushes = await pushesOf(session, part.activations, part.factors, own);
  }
  return parts;
}

async function table(model, layer) {
  const session = await ModelSession.open(model, { threads });
  const { writers, embedding } = await findWriters(session);
  const encode = (prompts) =>
    Object.fromEntries(
      Object.entries(prompts).map(([role, texts]) => [role, texts.map((text) => session.encode(text))]),
    );
  const activations = await captureTokens(session, encode(fit), writers, { seed: 0 });
  const held = await captureTokens(session, encode(validation), writers, { seed: 0 });
  const answers = await answerInputs(session, writers);
  const screening = new Evaluator(session, {
    harmful: take(validation.harmful, 12),
    harmless: take(validation.harmless, 32),
    borderline: [],
  });
  await screening.screen(session, { stage: 'screen' });
  const evaluator = new Evaluator(session, test);
  const lines = [head];
  const emit = (text) => (console.error(text), lines.push(text));
  emit(line('original', null, await evaluator.answer(session, { maxTokens, stage: 'answers' }), null));
  const prompted = new Evaluator(session, test, safetyPrompt);
  const told = await prompted.answer(session, { maxTokens, stage: 'answers' });
  emit(line('no edit, a safety system prompt', null, { ...told, screening: { ...told.screening, kl: NaN } }, null));
  for (const [name, variant] of variants.filter(([name]) => new RegExp(values.only).test(name))) {
    const { factor: rightFactor, rho, schedule, range } = variant;
    const some = writers.filter(({ kind }) => variant.writers?.(kind) ?? true);
    const kept = keptOf(variant, activations, answers);
    const { harmful } = encode(fit);
    const options = { rightFactor, rho, threads };
    const onePush = async () => {
      const factors = await rightFactorsOf(model, kept, some, options);
      if (variant.embeddings) factors.push(await embeddingFactor(model, embedding, harmful, options));
      return { activations, pushes: await pushesOf(session, activations, factors, harmful) };
    };
    const { directions } = variant;
    const parts =
      directions === undefined
        ? [await onePush()]
        : await clustersPushes(session, activations, kept, some, { layer, directions, harmful, ...options });
    const pushes = parts.flatMap((part) => part.pushes);
    const layers = range.map((share) => Math.round(share * (activations.nLayer - 1)));
    const planAt = (strength) => {
      const edit = { layer, layers, schedule, strength, rightFactor };
      if (!variant.own) {
        const plans = parts.map((part) =>
          planUpdate(part.activations, chooseDirection(part.activations, layer), part.pushes, edit),
        );
        return { edit, tensors: plans.flatMap(({ tensors }) => tensors) };
      }
      const distance = chooseDirection(activations, layer).distance;
      const inRange = pushes.filter(({ writer }) => writer.layer >= layers[0] && writer.layer <= layers[1]);
      const tensors = inRange.flatMap((push) => {
        const direction = { ...chooseDirection(activations, push.writer.layer), distance: distance / inRange.length };
        return planUpdate(activations, direction, [push], edit).tensors;
      });
      return { edit, tensors };
    };
    const at = (strength, use) => withEdit(session, planAt(strength), {}, use);
    let [strength, best] = [variant.start ?? 1, null];
    for (let trial = 0; trial < 5; ++trial) {
      const { kl } = await at(strength, (asked, edit) => screening.screen(asked, { edit, stage: 'screen' }));
      if (best === null || Math.abs(Math.log(kl / targetKl)) < Math.abs(Math.log(best.kl / targetKl)))
        best = { strength, kl };
      if (Math.abs(kl / targetKl - 1) < 0.1) break;
      strength *= Math.min(2, Math.max(0.5, Math.sqrt(targetKl / Math.max(kl, 1e-9))));
    }
    const behaviour = await at(best.strength, (asked, edit) =>
      evaluator.answer(asked, { maxTokens, edit, stage: 'answers' }),
    );
    emit(line(name, best.strength, behaviour, detection(pushes, held)));
  }
  session.close();
  return lines.join('\n');
}

const sections = [];
for (const given of positionals) {
  const [model, layer] = given.split(/:(?=\d+$)/u);
  sections.push(`## ${basename(model)}, direction after block ${layer}\n\n${await table(model, Number(layer))}`);
}
const page = `# Variants of the edit

Made by \`node scripts/method-table.mjs\`. Each variant differs from the first in what its name says, and has the strength at
which it drifts by about ${targetKl} nats on 32 harmless prompts; then ${test.harmful.length} harmful, ${test.harmless.length} harmless and ${test.borderline.length} borderline prompts that nothing was
fitted on are answered in ${maxTokens} tokens. With 40 prompts a share of 50 % has a 95 % interval of 15 points on either side.
*Detector AUROC*: how well the summed response of all right factors tells harmful from harmless and borderline last tokens of the
validation split.

${sections.join('\n\n')}
`;
if (values.print) console.log(page);
else writeFileSync(join(root, 'docs', 'variants.md'), page);
