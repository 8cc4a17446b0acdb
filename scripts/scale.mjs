// How cost grows: an update with the size of the file, split and larger than memory; a capture with the tokens; the gated factor
// with kept samples and their width. Writes docs/scale.md, or prints it.
//   npm run bench:scale -- [MODEL.gguf] [--gib 1,4,16] [--folder FOLDER] [--threads 2] [--print]
// MODEL.gguf is what is captured from, the tests' model by default. FOLDER, with room for the largest size and a third of it, is
// where the files of the update are made; build/ by default. Nothing else should run meanwhile.
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';

import { circumstances, median, table, timed } from './bench/measure.mjs';
import { root } from './lay-out-engine.mjs';

const load = (name) => createRequire(import.meta.url)(join(root, 'dist', `${name}.js`));
const { builtInPrompts, captureActivations, ModelSession } = load('index');
const { native, runTask } = load('native');
const { seededRandom } = load('random');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    gib: { type: 'string', default: '1,4,16' },
    folder: { type: 'string', default: join(root, 'build') },
    threads: { type: 'string', default: '2' },
    print: { type: 'boolean' },
  },
});
const model = positionals[0] ?? join(root, 'test', 'fixtures', 'tiny-chat.Q8_0.gguf');
const threads = Number(values.threads);
const log = (text) => process.stderr.write(`${text}\n`);
const random = seededRandom(1, 'scale');
const floats = (n) => Float32Array.from({ length: n }, () => random() + random() + random() - 1.5);
const timeOf = async (work) => {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
};

/** Least squares of log y on log x: y grows as x to this power. */
function exponent(points) {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)]);
  const mean = (i) => logs.reduce((sum, point) => sum + point[i], 0) / logs.length;
  const [mx, my] = [mean(0), mean(1)];
  const over = logs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0);
  return over / logs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
}

const gib = 2 ** 30;
const alignment = 32;
const aligned = (n) => Math.ceil(n / alignment) * alignment;

/** The tensors of one block of a model of 7 billion weights: of the writers there is data, the others are holes. */
const blockTensors = [
  ['attn_q', 4096, 4096],
  ['attn_k', 4096, 4096],
  ['attn_v', 4096, 4096],
  ['attn_output', 4096, 4096],
  ['ffn_gate', 4096, 11008],
  ['ffn_up', 4096, 11008],
  ['ffn_down', 11008, 4096],
];
const isWriter = (name) => /attn_output|ffn_down/u.test(name);
const q8Bytes = (nIn, nOut) => (nIn * nOut * 34) / 32;
const blockBytes = blockTensors.reduce((sum, [, nIn, nOut]) => sum + aligned(q8Bytes(nIn, nOut)), 0);

const blocksPerPart = 2;

/** A split GGUF of about so many bytes in parts of two blocks; returns the path of the first. */
function writeSplit(folder, bytes) {
  const nParts = Math.max(2, Math.round(bytes / (blocksPerPart * blockBytes)));
  const rows = Buffer.from(native._quantize(8, floats(11008 * 64), 11008, 64));
  const path = (i) => join(folder, `m-${String(i + 1).padStart(5, '0')}-of-${String(nParts).padStart(5, '0')}.gguf`);
  for (let part = 0; part < nParts; ++part) {
    const tensors = Array.from({ length: blocksPerPart }, (_, i) => part * blocksPerPart + i).flatMap((block) =>
      blockTensors.map(([name, nIn, nOut]) => ({ name: `blk.${block}.${name}.weight`, shape: [nIn, nOut] })),
    );
    const header = headerOf(tensors, part, nParts, nParts * blocksPerPart * blockTensors.length);
    const file = openSync(path(part), 'w');
    writeSync(file, header);
    let at = header.length;
    for (const { name, shape } of tensors) {
      const size = q8Bytes(...shape);
      for (let done = 0; isWriter(name) && done < size; done += rows.length)
        writeSync(file, rows, 0, Math.min(rows.length, size - done), at + done);
      at += aligned(size);
    }
    ftruncateSync(file, at);
    closeSync(file);
  }
  return path(0);
}

function headerOf(tensors, part, nParts, nTensors) {
  const out = [];
  const number = (bytes, value, float = false) => {
    const buffer = Buffer.alloc(bytes);
    if (float) buffer.writeFloatLE(value);
    else if (bytes === 8) buffer.writeBigUInt64LE(BigInt(value));
    else buffer.writeUIntLE(value, 0, bytes);
    out.push(buffer);
  };
  const text = (value) => {
    number(8, Buffer.byteLength(value));
    out.push(Buffer.from(value));
  };
  const entries = [
    ['split.no', 2, part],
    ['split.count', 2, nParts],
    ['split.tensors.count', 5, nTensors],
    ...(part === 0 ? [['general.architecture', 8, 'llama']] : []),
  ];
  out.push(Buffer.from('GGUF'));
  number(4, 3);
  number(8, tensors.length);
  number(8, entries.length);
  for (const [key, type, value] of entries) {
    text(key);
    number(4, type);
    if (type === 8) text(value);
    else number(type === 2 ? 2 : 4, value);
  }
  let offset = 0;
  for (const { name, shape } of tensors) {
    text(name);
    number(4, shape.length);
    for (const n of shape) number(8, n);
    number(4, 8);
    number(8, offset);
    offset += aligned(q8Bytes(...shape));
  }
  const header = Buffer.concat(out);
  return Buffer.concat([header, Buffer.alloc(aligned(header.length) - header.length)]);
}

async function updates() {
  const rows = [];
  const points = [];
  for (const size of values.gib.split(',').map(Number)) {
    log(`update of ${size} GiB`);
    const folder = mkdtempSync(join(values.folder, 'scale-'));
    try {
      const source = writeSplit(folder, size * gib);
      const output = source.replace(/m-00001/u, 'out-00001');
      const child = join(root, 'scripts', 'bench', 'update-child.mjs');
      const { seconds, peak, anonymous, written } = await timed([
        ...[process.execPath, child, source, output.replace(/-\d{5}-of-\d{5}/u, ''), String(threads)],
      ]);
      points.push([written, seconds]);
      const figures = [written / gib, seconds, written / gib / seconds].map((value) => value.toFixed(2));
      rows.push([...figures, peak.toFixed(0), anonymous.toFixed(0)]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return [
    '## An update, by the size of the file',
    '',
    'Split files of Q8_0 tensors as in a model of 7 billion weights, in parts of two blocks, .4 GiB; what is not edited is holes in the source and whole in the ' +
      'output. The edit changes the two writers of each block, a third of the weights. Seconds of the whole program; hashes of source and output are part of it. ' +
      'Peak memory holds the tensors in work, 48 MiB or one, with the pages of their sources, and as much again where new grids are tried.',
    '',
    ...table(['written, GiB', 'seconds', 'GiB/s', 'peak RSS, MiB', 'of it no file'], rows),
    '',
    points.length > 1 ? `Time grows as size to the power ${exponent(points).toFixed(2)}.` : '',
    '',
  ];
}

async function captures() {
  log(`capture from ${basename(model)}`);
  const { fit } = builtInPrompts();
  const session = await ModelSession.open(model, { threads });
  try {
    const texts = [...fit.harmful, ...fit.harmless];
    const counts = [32, 64, 128, 256].filter((count) => count <= texts.length);
    const rows = [];
    const points = [];
    for (const count of counts) {
      const prompts = { harmful: texts.slice(0, count), harmless: [], borderline: [] };
      const tokens = prompts.harmful.reduce((sum, prompt) => sum + session.encode(prompt).length, 0);
      const runs = [];
      for (let i = 0; i < 3; ++i) runs.push(await timeOf(() => captureActivations(session, prompts, [], { seed: 0 })));
      const seconds = median(runs);
      points.push([tokens, seconds]);
      rows.push([String(count), String(tokens), seconds.toFixed(2), (tokens / seconds).toFixed(0)]);
    }
    return [
      '## A capture, by the tokens',
      '',
      `The streams of ${basename(model)}, ${session.info.nLayer} blocks of width ${session.info.dModel}, at the last token of chat prompts; medians of three.`,
      '',
      ...table(['prompts', 'tokens', 'seconds', 'tokens a second'], rows),
      '',
      `Time grows as tokens to the power ${exponent(points).toFixed(2)}.`,
      '',
    ];
  } finally {
    session.close();
  }
}

async function solves() {
  log('gated factors');
  const solve = async (count, width) => {
    const request = { kept: floats(count * width), keptCount: count, mean: floats(width), rhos: [0.3], threads };
    const runs = [];
    for (let i = 0; i < 3; ++i) runs.push(await timeOf(() => runTask(() => native.gatedFactors(request))));
    return median(runs);
  };
  const byCount = [];
  for (const count of [256, 512, 1024, 2048]) byCount.push([count, await solve(count, 4096)]);
  const byWidth = [];
  for (const width of [2048, 4096, 8192, 16384]) byWidth.push([width, await solve(512, width)]);
  const rows = [
    ...byCount.map(([count, seconds]) => [String(count), '4096', seconds.toFixed(3)]),
    ...byWidth.map(([width, seconds]) => ['512', String(width), seconds.toFixed(3)]),
  ];
  return [
    '## The gated factor, by kept samples n and width d',
    '',
    `One writer's right factor: the Gram matrix of the kept inputs, n²d, and a solve of n³. Medians of three.`,
    '',
    ...table(['n', 'd', 'seconds'], rows),
    '',
    `Time grows as n to the power ${exponent(byCount).toFixed(2)} and as d to the power ${exponent(byWidth).toFixed(2)}.`,
    '',
  ];
}

const sections = [...(await updates()), ...(await captures()), ...(await solves())];
const page = `# How cost grows

Made by \`npm run bench:scale\` (scripts/scale.mjs). ${circumstances()}; ${threads} threads.

${sections.join('\n')}`;
if (values.print) console.log(page);
else writeFileSync(join(root, 'docs', 'scale.md'), `${page.trimEnd()}\n`);
