// What is understood of each architecture: writes docs/architectures.md from folders of small GGUF files, one folder a
// seed, with the same names in each.   node scripts/architectures.mjs FOLDER... [--only REGEX] [--print] [--seconds 60]
//   for seed in 1 2; do test-llama-archs --out ~/archs-$seed --seed $seed; done     (the engine's own test program)
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { root } from './lay-out-engine.mjs';

const script = fileURLToPath(import.meta.url);
const SAME = 1e-3; // of the effect on the logits
const MOVED = 1e-6; // of the head's input: float32 rounding of a sum in another order

/** Runs in a process of its own: the engine ends the process on a failed assertion. */
async function examine(path) {
  const native = createRequire(import.meta.url)('node-gyp-build')(root);
  try {
    const session = await native.openSession(path, { threads: 1 }, () => {}).done;
    const report = await native.findWriters(session).done;
    const inFile = await native.findWritersInFile(path).done;
    const names = ({ writers }) => JSON.stringify(writers.map((writer) => writer.name));
    const tokens = Int32Array.from({ length: 11 }, (_, i) => (i * 37 + 5) % 101);
    const check = await native._checkWriters(session, tokens, 1).done;
    native.closeHandle(session);
    const sameInFile = names(inFile) === names(report);
    return { report, check, sameInFile, edit: await edit(path), embeddings: await editEmbeddings(path) };
  } catch (error) {
    return { refused: `${error.code ?? 'bug'}: ${error.message.replaceAll(root, '')}` };
  }
}

const library = (name) => createRequire(import.meta.url)(join(root, 'dist', `${name}.js`));
const length = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
const far = (a, b) => length(a.map((value, i) => value - b[i]));
const sequence = (seed, n) =>
  Int32Array.from({ length: n }, (_, i) => (seed * 31 + i * 37 + ((i * seed) % 7) * 11 + 5) % 97);

/** Next-token logits of the file with the plan applied. */
async function logitsOfFile(path, plan, prompts) {
  const { applyUpdate, ModelSession } = library('index');
  const folder = mkdtempSync(join(tmpdir(), 'rosi-architectures-'));
  try {
    const output = join(folder, 'edited.gguf');
    await applyUpdate(path, plan, { output });
    const edited = await ModelSession.open(output, { threads: 1 });
    try {
      return await edited.nextTokenLogits(prompts);
    } finally {
      edited.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The library's own way from prompts to a file: the logits of the edited file against those of the run-time edit. */
async function edit(path) {
  const { chooseDirection, findWriters, ModelSession, planUpdate, pushesOf, rightFactorsOf } = library('index');
  const session = await ModelSession.open(path, { threads: 1 });
  try {
    const { writers } = await findWriters(session);
    const rows = (first, n) => Array.from({ length: 16 }, (_, i) => sequence(first + i, n));
    const prompts = { harmful: rows(1, 9), harmless: rows(101, 8), borderline: [] };
    const activations = await library('capture').captureTokens(session, prompts, writers, { seed: 1 });
    const rightFactor = 'gated';
    const factors = await rightFactorsOf(path, activations, writers, { rightFactor, rho: 1, threads: 1 });
    const pushes = await pushesOf(session, activations, factors, prompts.harmful);
    const layer = activations.nLayer - 1;
    const settings = { layer, layers: [0, layer], schedule: 'equal', strength: 1, rightFactor };
    const plan = planUpdate(activations, chooseDirection(activations, layer), pushes, settings);
    const before = await session.nextTokenLogits(prompts.harmful);
    let way = 'adapter';
    const after = await library('trial-edit').withEdit(session, plan, {}, (edited, adapter) => {
      if (adapter === undefined) way = 'copy';
      return edited.nextTokenLogits(prompts.harmful, adapter);
    });
    const inFile = await logitsOfFile(path, plan, prompts.harmful);
    return { way, moved: far(after, before) / length(before), difference: far(inFile, after) / far(after, before) };
  } catch (error) {
    return { refused: `${error.code ?? 'bug'}: ${error.message.replaceAll(root, '')}` };
  } finally {
    session.close();
  }
}

/** The same of an edit of the token embeddings alone, with random factors: the difference, or why there is none. */
async function editEmbeddings(path) {
  const { findWriters, ModelSession } = library('index');
  const session = await ModelSession.open(path, { threads: 1 });
  try {
    const { embedding } = await findWriters(session);
    if (embedding === null) return { why: 'the stream does not begin with token embeddings' };
    if (embedding.uses > 0) return { why: 'the token embeddings are the output head, too' };
    if (!embedding.adapter.honoured) return { why: 'the engine ignores an adapter of the token embeddings' };
    const { name, nIn, nOut } = embedding;
    const left = Float32Array.from({ length: nIn }, (_, i) => 0.3 * Math.sin(1.7 * i));
    const right = Float32Array.from({ length: nOut }, (_, i) => Math.cos(2.3 * i));
    const prompts = [sequence(1, 9), sequence(2, 9)];
    const before = await session.nextTokenLogits(prompts);
    const adapter = session.loadAdapter([{ name, left, right }]);
    const after = await session.nextTokenLogits(prompts, { adapter, scale: 1 });
    session.closeAdapter(adapter);
    const inFile = await logitsOfFile(path, { edit: {}, tensors: [{ name, left, right }] }, prompts);
    return { difference: far(inFile, after) / far(inFile, before) };
  } catch (error) {
    return { why: `the token embeddings: ${error.code ?? 'bug'}` };
  } finally {
    session.close();
  }
}

function examineInChild(path, seconds) {
  const { stdout, signal, status, error } = spawnSync(process.execPath, [script, '--one', path], {
    encoding: 'utf8',
    timeout: 1000 * seconds,
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (error?.code === 'ETIMEDOUT') return { refused: `no answer within ${seconds} s` };
  if (status !== 0) return { refused: `the process ended with ${signal ?? `status ${status}`}` };
  return JSON.parse(stdout);
}

const count = (list, of) => list.filter(of).length;

function tally(list, key) {
  const counts = new Map();
  for (const item of list) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1);
  return counts;
}

const listed = (counts) =>
  [...counts]
    .sort()
    .map(([name, n]) => `${n} ${name}`)
    .join(', ');

/** One line a file and seed. */
function summarise({ refused, report, check, sameInFile, edit, embeddings }) {
  if (refused !== undefined) return { verdict: 'refused', notes: [refused] };
  const { writers, layers, unknown, lookups } = report;
  const classes = tally(writers, (writer) => writer.class);
  const checks = check.writers;
  const moved = count(checks, ({ prediction }) => prediction === 'exact' || prediction === 'parallel');
  const covered = count(layers, (layer) => layer.covered);
  const notes = [
    ...unknown.map(({ operation, node, why }) => `${operation} at \`${node}\`: ${why}`),
    ...layers
      .filter((layer) => !layer.covered && unknown.length === 0)
      .map(({ layer, reason }) => `layer ${layer}: ${reason}`),
    ...writers.filter((writer) => writer.class === 'unsupported').map(({ name, why }) => `\`${name}\`: ${why}`),
    ...checks
      .map((result, i) => ({ ...result, class: writers[i].class }))
      .filter(({ prediction }) => prediction !== 'exact' && prediction !== 'parallel')
      .map(({ name, prediction, error }) => `\`${name}\` moves the stream otherwise (${prediction}, ${number(error)})`),
    ...group(checks, 'ignored', 'the engine ignores an adapter on'),
    ...group(checks, 'scaled', 'an adapter acts after the scale tensor on'),
    ...group(checks, 'different', 'an adapter differs from the edit on'),
    ...group(checks, 'refused', 'the engine refuses an adapter on'),
    ...(check.remainder === null || check.remainder > MOVED
      ? [
          `with all writers at zero the stream still moves by ${number(check.remainder)}, by ${check.movedBy || 'no one matrix'}`,
        ]
      : []),
    ...(lookups.length === 0 ? [] : [`added as they are: ${lookups.join(', ')}`]),
    ...(layers.every(({ stream, covered }) => stream !== null || !covered)
      ? []
      : ['no one place holds the stream after each layer']),
    ...(edit.refused === undefined ? [] : [`\`harden\` refuses it: ${edit.refused}`]),
    ...(embeddings.why === undefined ? [] : [embeddings.why]),
    ...(edit.way === 'copy' ? ['searched on an edited copy'] : []),
    ...(check.sameGraph && sameInFile ? [] : ['the graphs differ']),
    ...(check.repeatable ? [] : ['reading nodes changes the result']),
  ];
  const closed = check.remainder !== null && check.remainder <= MOVED;
  const editable = moved === writers.length && !classes.has('unsupported') && writers.length > 0;
  const whole = covered === layers.length && editable && closed && edit.difference < SAME;
  return {
    verdict: whole ? 'fully' : covered > 0 && moved > 0 ? 'partly' : 'refused',
    writers: writers.length,
    kinds: listed(tally(writers, (writer) => writer.kind)),
    classes: listed(classes),
    exact: `${count(checks, ({ prediction }) => prediction === 'exact')}/${checks.length}`,
    nExact: count(checks, ({ prediction }) => prediction === 'exact'),
    adapter: `${count(checks, ({ adapter }) => adapter === 'equal')}/${checks.length}`,
    nAdapter: count(checks, ({ adapter }) => adapter === 'equal'),
    covered: `${covered}/${layers.length}`,
    remainder: number(check.remainder),
    file: edit.refused === undefined ? number(edit.difference) : '',
    difference: edit.difference ?? 0,
    written: edit.difference < SAME,
    embedded: embeddings.difference < SAME,
    embeddedDifference: embeddings.difference ?? 0,
    closed,
    error: Math.max(0, ...checks.filter(({ prediction }) => prediction === 'exact').map(({ error }) => error)),
    notes,
  };
}

/** "blk.*.ffn_down.weight (4)" for the writers whose adapter does as `kind` says. */
function group(checks, kind, words) {
  const names = new Map();
  for (const { name, adapter } of checks) {
    const short = name.replace(/blk\.\d+\./, '').replace(/\.weight$/, '');
    if (adapter === kind) names.set(short, (names.get(short) ?? 0) + 1);
  }
  return names.size === 0 ? [] : [`${words} ${[...names].map(([name, n]) => `${name} (${n})`).join(', ')}`];
}

function number(value) {
  return value === null ? 'not a number' : value === 0 ? '0' : value.toExponential(1);
}

/** Values of the seeds, once where they agree. */
const either = (lines, key) => [...new Set(lines.map((line) => line[key] ?? ''))].join(' · ');

function markdown(rows, folders) {
  const all = rows.flatMap(({ lines }) => lines);
  const sum = (key) => all.reduce((total, line) => total + (line[key] ?? 0), 0);
  const order = ['refused', 'partly', 'fully'];
  const verdict = ({ lines }) => order.find((word) => lines.some((line) => line.verdict === word));
  const n = (word) => count(rows, (row) => verdict(row) === word);
  const worst = Math.max(...all.map((line) => line.error ?? 0));
  const farthest = Math.max(...all.map((line) => line.difference ?? 0));
  const farthestEmbedded = Math.max(...all.map((line) => line.embeddedDifference ?? 0));
  const table = rows.map((row) => {
    const { name, lines } = row;
    const notes = [...new Set(lines.flatMap((line) => line.notes))].join('; ').replaceAll('|', '\\|');
    const cells = ['kinds', 'classes', 'exact', 'adapter', 'covered', 'remainder', 'file'].map((key) =>
      either(lines, key),
    );
    return `| ${[name, verdict(row), ...cells, notes].join(' | ')} |`;
  });
  return `# Architectures

**${n('fully')} of ${rows.length} files fully covered, ${n('partly')} partly, ${n('refused')} refused**, with ${folders.length === 1 ? 'one seed' : `each of ${folders.length} seeds`} of random weights.
${sum('nExact')} of ${sum('writers')} writers move the stream exactly as predicted (largest error ${number(worst)} of the change);
on ${sum('nAdapter')} a run-time adapter does the same; in ${count(all, (line) => line.closed)} of ${all.length} models no other matrix of a block reaches the head.
\`harden\`'s own way from prompts to a file ran in ${count(all, (line) => line.written)}: the file's logits are those of the run-time edit (largest difference ${number(farthest)} of the effect).
In ${count(all, (line) => line.embedded)} an edit of the token embeddings does in the file what it does as a run-time adapter (largest difference ${number(farthestEmbedded)}); of the others the notes say why there is no adapter.

Made by \`node scripts/architectures.mjs FOLDER...\`. The files are those that the engine's own test program writes: a tiny model of
random weights for each architecture that it can build, F32. Every number is a measurement on this file, one thread, 11 tokens.

- **writers**: matrices found by walking the engine's graph from the output head backwards, in words, and their **classes**:
  what an update does to the stream (native/engine/writers.h). Many are \`constant\` because these files hold \`.scale\` tensors,
  random ones, that real files have only beside NVFP4 matrices.
- **exact**: the writer's output is pushed while the model runs as \`W += left * rightᵀ\` would push it, with random factors, for
  experts with one of each; the stream's change is that predicted from the path, for every token and channel, to 1e-3 of the change.
  Norms, routers, gates and hyper-connections on the way are part of the prediction.
- **adapter**: the same edit as a run-time adapter, its factors as the graph says they must be, changes the stream equally (to 1e-3).
- **layers**: those of which everything that is added to the stream is understood.
- **rest**: every writer's output is set to zero and every other matrix's output changed in sign and size: how far the head's
  input moves, as a share of it. 0 shows that no matrix reaches it but through the writers.
- **file**: activations of 32 token sequences, gated right factors, pushes of all writers, applied while the model runs and written
  into the file: the difference of the two in the next token's logits, as a share of the effect (0 where the search works on a copy).
- **fully**: every layer is covered, every writer has a class other than \`unsupported\`, every push moved the stream along the
  predicted direction, the rest is below 1e-6, and the file does what the run-time edit does to 1e-3. **partly**: some of it. **refused**: no layer is covered, or the engine or this library refuses the file.
- Where seeds differ, both values are given.

| file | verdict | writers | classes | exact | adapter | layers | rest | file | notes |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
${table.join('\n')}
`;
}

const { values, positionals: folders } = parseArgs({
  allowPositionals: true,
  options: {
    one: { type: 'string' },
    only: { type: 'string' },
    print: { type: 'boolean' },
    seconds: { type: 'string', default: '60' },
  },
});
if (values.one !== undefined) {
  process.stdout.write(JSON.stringify(await examine(values.one)));
} else {
  if (folders.length === 0) throw new Error('name at least one folder of GGUF files');
  const only = new RegExp(values.only ?? '');
  const names = readdirSync(folders[0]).filter((name) => name.endsWith('.gguf') && only.test(name));
  const rows = names.map((name, i) => {
    const lines = folders.map((folder) => summarise(examineInChild(join(folder, name), Number(values.seconds))));
    console.error(
      `${i + 1}/${names.length} ${name}: ${lines.map((line) => line.verdict).join(', ')} ${lines[0].notes.join('; ')}`,
    );
    return { name: name.replace(/\.gguf$/, ''), lines };
  });
  const page = markdown(rows, folders);
  if (values.print) console.log(page);
  else writeFileSync(join(root, 'docs', 'architectures.md'), page);
}
