import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { native } from '../../lib/native';
import { testEngine, testFiles } from '../../lib/doctor/engine-test';
import { kernels } from '../helpers/kernels';
import { folderPerTest } from '../helpers/temporary';

const folder = folderPerTest();
afterEach(() => expect(readdirSync(folder())).toEqual([]));

const engine = {
  openSession: native.openSession,
  nextTokenLogits: native.nextTokenLogits,
  generate: native.generate,
  closeHandle: native.closeHandle,
};
type Logits = Parameters<typeof engine.nextTokenLogits>;

/** An engine whose logits are changed. */
function changed(change: (logits: Float32Array, tokens: Int32Array) => Float32Array): typeof engine {
  const nextTokenLogits = (...[session, request, onProgress]: Logits) => {
    const task = native.nextTokenLogits(session, request, onProgress);
    return { ...task, done: task.done.then((logits) => change(logits, request.prompts[0]!)) };
  };
  return { ...engine, nextTokenLogits };
}

test('the engine computes what float64 does', async () => {
  expect(await testEngine(kernels, { folder: folder() })).toMatch(
    /^logits of a tiny model within [0-3]\.\d % of float64, 8 tokens written$/u,
  );
});

test.each<[string, typeof engine, RegExp]>([
  ['logits that are a tenth too large', changed((logits) => logits.map((x) => 1.1 * x)), /^logits are off by 0\.1/u],
  [
    'a logit that is no number',
    changed((logits) => logits.map((x, i) => (i === 200 ? NaN : x))),
    /^logits are off by NaN/u,
  ],
  [
    'other logits after many tokens',
    changed((logits, tokens) => (tokens.length > 1 ? logits.map((x) => -x) : logits)),
    /^a token written one by one/u,
  ],
  [
    'an answer that is too short',
    {
      ...engine,
      generate: (session, request, onProgress) => native.generate(session, { ...request, maxTokens: 3 }, onProgress),
    },
    /^3 tokens were written, expected 8$/u,
  ],
])('an engine with %s fails', async (_, broken, message) => {
  await expect(testEngine(kernels, { folder: folder(), engine: broken })).rejects.toThrow(message);
});

test('a file is written and verified', async () => {
  expect(await testFiles(kernels, { folder: folder() })).toBe('a tiny model written, read back and verified');
});

test('a folder for temporary files that is not there fails both', async () => {
  const none = { folder: join(folder(), 'none') };
  await expect(testEngine(kernels, none)).rejects.toThrow(/ENOENT/u);
  await expect(testFiles(kernels, none)).rejects.toThrow(/ENOENT/u);
});
