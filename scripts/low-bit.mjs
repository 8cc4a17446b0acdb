// What of a rank-one update arrives in each quantised type: writes docs/low-bit.md.
//   node scripts/low-bit.mjs MODEL.gguf... [--print]
// Two matrices of each model, re-quantised by the engine to each type; one thread, minutes, 1 GB of memory.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './lay-out-engine.mjs';
import { library, native, readTensor, types, writeMatrices } from './low-bit/matrices.mjs';
import { heldOutNoise } from './low-bit/held-out.mjs';
import { arrived, nearestCodes } from './low-bit/plain-ways.mjs';

const { builtInPrompts, captureActivations, chooseDirection, findWriters, inspect, ModelSession } = library('index');
const { planUpdate, pushesOf, rightFactorsOf, trialUpdate } = library('index');
const { seededRandom } = library('random');
const { values: flags, positionals: models } = parseArgs({
  allowPositionals: true,
  options: { print: { type: 'boolean' } },
});
if (models.length === 0) throw new Error('name at least one GGUF file');

const heldOutTypes = ['Q8_0', 'Q5_0', 'Q4_0'];
const deltas = [0.005, 0.02, 0.1];
const factorNames = ['gated', 'mean-row'];
const ggmlTypes = new Map([...types.map(({ name, id }) => [name, id]), ['F32', 0], ['F16', 1], ['BF16', 30]]);
const norm = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const plan = (tensors) => ({
  edit: { layer: 0, layers: [0, 0], schedule: 'equal', strength: 1, rightFactor: 'gated' },
  tensors,
});

/** Directions, factors and input statistics of all writers, from a few of the built-in prompts. */
async function readModel(path) {
  const session = await ModelSession.open(path, { threads: 1 });
  try {
    const { fit, validation } = builtInPrompts();
    const prompts = {
      harmful: fit.harmful.slice(0, 24),
      harmless: fit.harmless.slice(0, 24),
      borderline: fit.borderline.slice(0, 16),
    };
    const { writers } = await findWriters(session);
    const activations = await captureActivations(session, prompts, writers, { seed: 1 });
    const direction = chooseDirection(activations, Math.floor(0.62 * activations.nLayer));
    const harmful = prompts.harmful.map((prompt) => session.encode(prompt));
    const layers = [0, activations.nLayer - 1];
    const plans = {};
    for (const rightFactor of factorNames) {
      const factors = await rightFactorsOf(path, activations, writers, { rightFactor, rho: 1, threads: 1 });
      const pushes = await pushesOf(session, activations, factors, harmful);
      plans[rightFactor] = planUpdate(activations, direction, pushes, {
        layer: direction.layer,
        layers,
        schedule: 'equal',
        strength: 1,
        rightFactor,
      });
    }
    const middle = writers.filter(({ layer }) => layer === Math.floor(activations.nLayer / 2));
    const others = { harmful: validation.harmful.slice(0, 24), harmless: [], borderline: [] };
    const { inputs } = await captureActivations(session, others, middle, { seed: 1 });
    return { plans, writers, heldOut: new Map(middle.map(({ name }) => [name, inputs.get(name).harmful])) };
  } finally {
    session.close();
  }
}

/** The values of a matrix, and half a percent of noise, so that no type finds a grid that the file had. */
function valuesOf(path, tensor) {
  const [nIn, nOut] = tensor.shape;
  const id = ggmlTypes.get(tensor.type);
  const values = native._engineDequantize(id, readTensor(path, tensor), nIn * nOut);
  const random = seededRandom(1, tensor.name);
  const size = (0.005 * norm(values)) / Math.sqrt(values.length) / Math.sqrt(1 / 12);
  return values.map((value) => value + size * (random() - 0.5));
}

/** The two matrices of the middle block, each with its update by each factor at norm 1. */
async function chooseMatrices(path, { plans, heldOut }) {
  const { tensors } = await inspect(path);
  return [...heldOut].map(([name, rows]) => {
    const tensor = tensors.find((other) => other.name === name);
    const [nIn, nOut] = tensor.shape;
    const updates = factorNames.map((factor) => {
      const { left, right, inputs } = plans[factor].tensors.find((other) => other.name === name);
      const size = norm(left) * norm(right);
      return { left: left.map((value) => value / size), right, inputs };
    });
    return { name, nIn, nOut, values: valuesOf(path, tensor), updates, rows };
  });
}

const scaled = ({ left, ...update }, by) => ({ ...update, left: left.map((value) => value * by) });
const nameOf = (matrix, way) => `blk.${matrix * (deltas.length + 1) + way}.ffn_down.weight`;

/** Quantises matrices of `{ values, name.. }`; those that have the type afterwards, by name. */
async function quantised(folder, type, matrices) {
  const [plain, output] = [join(folder, 'plain.gguf'), join(folder, `${type.name}.gguf`)];
  writeMatrices(plain, matrices);
  native._engineQuantize(plain, output, type.fileType, 1);
  const { tensors } = await inspect(output);
  const found = new Map();
  for (const tensor of tensors.filter((other) => other.type === type.name)) {
    const bytes = readTensor(output, tensor);
    found.set(tensor.name, {
      bytes,
      values: native._engineDequantize(type.id, bytes, tensor.shape[0] * tensor.shape[1]),
    });
  }
  return { output, found };
}

/** One row for each matrix, delta and way. */
async function measureType(folder, type, matrices) {
  const { output, found } = await quantised(
    folder,
    type,
    matrices.map((matrix, m) => ({ ...matrix, name: nameOf(m, 0) })),
  );
  const usable = matrices.flatMap((matrix, m) =>
    found.has(nameOf(m, 0)) ? [{ ...matrix, m, ...found.get(nameOf(m, 0)) }] : [],
  );
  if (usable.length === 0) return [];
  const rows = [];
  const summed = [];
  for (const { m, nIn, nOut, bytes, values, updates } of usable) {
    for (const [d, delta] of deltas.entries()) {
      const { left, right } = scaled(updates[0], delta * norm(values));
      const wanted = values.map((value, k) => value + left[Math.floor(k / nIn)] * right[k % nIn]);
      rows.push({
        type: type.name,
        delta,
        way: 'nearest',
        ...arrived(values, nearestCodes(type, bytes, wanted), left, right),
      });
      summed.push({ name: nameOf(m, d + 1), nIn, nOut, values: wanted, before: values, left, right, delta });
    }
  }
  for (const [f, factor] of factorNames.entries()) {
    for (const delta of deltas) {
      const tensors = usable.map(({ m, values, updates }) => ({
        name: nameOf(m, 0),
        ...scaled(updates[f], delta * norm(values)),
      }));
      const trial = await trialUpdate(output, plan(tensors), { threads: 1 });
      const heldOut = heldOutTypes.includes(type.name)
        ? await heldOutNoise(
            type,
            output,
            plan(tensors),
            usable.map((matrix) => matrix.rows),
          )
        : [];
      rows.push(
        ...trial.tensors.map(({ realised }, i) => ({
          type: type.name,
          delta,
          way: factor,
          ...realised,
          ...heldOut[i],
        })),
      );
    }
  }
  const again = await quantised(folder, type, summed);
  for (const { name, before, left, right, delta } of summed) {
    rows.push({
      type: type.name,
      delta,
      way: 'requantise',
      ...arrived(before, again.found.get(name).values, left, right),
    });
  }
  return rows;
}

/** Noise to signal of the file's own writers at strength 1, in their type and promoted. */
async function measurePromotion(path, { plans, writers }) {
  const { tensors } = await inspect(path);
  const kindOf = new Map(writers.map(({ name, kind }) => [name, kind]));
  const rows = [];
  for (const kind of new Set(kindOf.values())) {
    const planned = plans.gated.tensors.filter(({ name }) => kindOf.get(name) === kind);
    const own = tensors.filter(({ name }) => planned.some((other) => other.name === name)).map(({ type }) => type);
    const row = { model: basename(path), kind, count: planned.length, own: [...new Set(own)].join(', ') };
    for (const type of [null, 'Q8_0', 'F16']) {
      const chosen = planned.filter(({ name }) => type === null || tensors.find((t) => t.name === name).type !== type);
      if (chosen.length === 0) continue;
      const trial = await trialUpdate(
        path,
        plan(chosen.map((tensor) => (type === null ? tensor : { ...tensor, type }))),
        { threads: 1 },
      );
      row[type ?? 'same'] = {
        noise: median(trial.tensors.map(({ realised }) => realised.noiseToSignal)),
        bytes: trial.outputBytes - trial.sourceBytes,
        share: (trial.outputBytes - trial.sourceBytes) / trial.sourceBytes,
        delta: median(trial.tensors.map(({ realised }) => realised.relativeChange)),
      };
    }
    rows.push(row);
  }
  return rows;
}

const [rows, promotions, used] = [[], [], []];
const folder = mkdtempSync(join(tmpdir(), 'rosi-low-bit-'));
try {
  for (const path of models) {
    const model = await readModel(path);
    promotions.push(...(await measurePromotion(path, model)));
    const matrices = await chooseMatrices(path, model);
    used.push(
      ...matrices.map(({ name, nIn, nOut }) => `${basename(path)} ${name.replace('.weight', '')} (${nOut} x ${nIn})`),
    );
    for (const type of types) {
      const start = performance.now();
      rows.push(...(await measureType(folder, type, matrices)));
      process.stderr.write(`${basename(path)} ${type.name} ${((performance.now() - start) / 1000).toFixed(0)} s\n`);
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const { default: lowBitPage } = await import('./low-bit/page.mjs');
const page = lowBitPage({ types, deltas, heldOutTypes, rows, promotions, used, mean });
if (flags.print) process.stdout.write(page);
else writeFileSync(join(root, 'docs', 'low-bit.md'), page);
