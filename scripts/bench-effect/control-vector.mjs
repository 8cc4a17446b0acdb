// The best control vector that llama-cvector-generator makes of the fitting prompts.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';

import { engineTool } from '../engine-tools.mjs';
import { root } from '../lay-out-engine.mjs';
import { promptLines } from '../prompt-lines.mjs';

const load = (name) => createRequire(import.meta.url)(join(root, 'dist', `${name}.js`));
const { ModelSession, readControlVector } = load('index');
const { Evaluator, firstOf } = load('evaluator');
const { withSubject } = load('evaluation/answers');
const { screeningScore } = load('search/trial');

const mostKl = 0.1;
// A sign that loses so much at two scales in a row pushes away from refusing.
const lost = -0.05;
const scales = Array.from({ length: 17 }, (_, i) => Number((0.01 * 1.6 ** i).toPrecision(2)));

/**
 * `{ method, scale, pushes, ways }`: the scale that gains most on validation prompts within the drift bound, and of each method and
 * sign that does not push away from refusing the file and the largest scale within it. Kept in `folder`, and found there again.
 */
export async function controlVectorOf(model, sample, options) {
  const file = (ending) => join(options.folder, `${basename(model)}.${sample.summary.sha256.slice(0, 12)}.${ending}`);
  const kept = file('control.json');
  if (!existsSync(kept)) writeFileSync(kept, JSON.stringify(await scan(model, sample, file, options)));
  const { best, ways } = JSON.parse(readFileSync(kept, 'utf8'));
  if (best === null) return { pushes: null, ways, why: `no scale drifts by less than ${mostKl} nats` };
  return { ...best, ways, pushes: await readControlVector(best.path, best.scale) };
}

async function scan(model, sample, nameOf, { threads, log }) {
  const session = await ModelSession.open(model, { threads });
  try {
    const pairs = Math.min(64, sample.fit.harmful.length, sample.fit.harmless.length);
    const file = (role) => {
      const path = nameOf(`${role}.txt`);
      writeFileSync(path, promptLines(session, sample.fit[role].slice(0, pairs)));
      return path;
    };
    const files = ['--positive-file', file('harmful'), '--negative-file', file('harmless')];
    const evaluator = new Evaluator(session, firstOf(sample.validation, { harmful: 32, harmless: 24, borderline: 32 }));
    const original = await evaluator.screen(session, { stage: 'search' });
    let best = null;
    const ways = [];
    for (const method of ['mean', 'pca']) {
      const path = nameOf(`${method}.gguf`);
      const tool = await engineTool('llama-cvector-generator');
      execFileSync(tool, ['-m', model, ...files, '--method', method, '-o', path, '-t', String(threads), '-ngl', '0'], {
        stdio: ['ignore', 'ignore', 'ignore'],
      });
      for (const sign of [1, -1]) {
        const way = { method, path, scale: sign * scales[0] };
        let losses = 0;
        for (const size of scales) {
          const controlVector = await readControlVector(path, sign * size);
          const screening = await withSubject(session, { plan: null, controlVector }, {}, (asked, edit) =>
            evaluator.screen(asked, { edit, stage: 'search' }),
          );
          const { kl } = screening;
          if (kl > mostKl) break;
          way.scale = sign * size;
          const score = screeningScore(screening, original);
          log(`  ${method}, scale ${sign * size}: score ${score.toFixed(3)}, KL ${kl.toFixed(4)}`);
          if (best === null || score > best.score) best = { method, scale: sign * size, score, path };
          losses = score < lost ? losses + 1 : 0;
          if (losses === 2) break;
        }
        if (losses < 2) ways.push(way);
      }
    }
    return { best, ways };
  } finally {
    session.close();
  }
}
