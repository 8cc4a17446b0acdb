// How often judges say what a reader says of the same answers: of test/fixtures/answers/labelled.jsonl, in two halves, of which
// the rules were never mended on the second. Writes docs/judge-accuracy.md, or prints it.
//   npm run bench:judges -- [--judge MODEL.gguf]... [--most 60] [--before FOLDER] [--threads 1] [--cache FOLDER] [--print]
// After `npm run build:all`. A GGUF judge is a chat model with the `labels` rubric, or a guard in its own form; it is asked about the first answers of
// the file, at most so many, whose order is drawn by a hash. --before names a checkout of this repository whose rules are
// shown beside the present ones (`npm run build:ts` in it).
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';

import accuracyPage from './judge-accuracy/page.mjs';
import { root } from './lay-out-engine.mjs';

const require = createRequire(import.meta.url);
const load = (name, folder = root) => require(join(folder, 'dist', `${name}.js`));
const { ggufJudge, inspect, judgeAgreement, rulesJudge } = load('index');
const { detectGuard } = load('evaluation/judges/guards');
const { judgedBy } = load('evaluation/verdicts');
const { resolveCache } = load('options');

const { values } = parseArgs({
  options: {
    judge: { type: 'string', multiple: true, default: [] },
    most: { type: 'string' },
    before: { type: 'string' },
    threads: { type: 'string', default: '1' },
    cache: { type: 'string' },
    print: { type: 'boolean' },
  },
});

const lines = readFileSync(join(root, 'test/fixtures/answers/labelled.jsonl'), 'utf8').trim().split('\n');
const all = lines.map((line) => JSON.parse(line));
const rows = all.filter(({ answer }) => answer !== null);
const items = rows.map(({ role, request, answer }) => ({ role, request, answer }));
const verdict = (label) => ({ label: label ?? null, harmful: null, reason: '' });
const reader = rows.map(({ label }) => verdict(label));

const judges = [{ name: 'rules', verdicts: await rulesJudge.judge(items, {}) }];
if (values.before !== undefined) {
  const { labelAnswer } = load('refusal', values.before);
  judges.push({ name: 'rules, before', verdicts: items.map(({ answer }) => verdict(labelAnswer(answer).label)) });
}
const asked = items.slice(0, values.most === undefined ? items.length : Number(values.most));
for (const path of values.judge) {
  const { metadata } = await inspect(path);
  const judge = await ggufJudge(path, {
    format: detectGuard(metadata) ?? 'labels',
    name: basename(path, '.gguf'),
    threads: Number(values.threads),
  });
  const onProgress = ({ stage, done }) => {
    if (stage === 'judge') console.error(`${judge.name}: ${(100 * done).toFixed(0)} %`);
  };
  const verdicts = await judgedBy(judge, asked, { cache: resolveCache(values.cache), onProgress });
  judge.close();
  judges.push({ name: judge.name, format: judge.format, verdicts });
}

/** Agreement of two lists of verdicts on the rows that are chosen. */
const agreement = (first, second, chosen) => {
  const pick = (verdicts) => rows.flatMap((row, i) => (chosen(row) ? [verdicts[i]] : []));
  return judgeAgreement(pick(first), pick(second));
};
const page = accuracyPage({
  command: [
    'npm run bench:judges --',
    ...values.judge.map((path) => `--judge ${basename(path)}`),
    ...(values.most === undefined ? [] : [`--most ${values.most}`]),
    ...(values.before === undefined ? [] : ['--before FOLDER']),
  ].join(' '),
  rows,
  asked: asked.length,
  dropped: all.length - rows.length,
  judges,
  reader,
  again: rows.map(({ again }) => verdict(again)),
  agreement,
});
if (values.print) console.log(page);
else writeFileSync(join(root, 'docs', 'judge-accuracy.md'), page);
