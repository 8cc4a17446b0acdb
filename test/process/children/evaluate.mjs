// An evaluation that says which answers it has come to: `evaluate.mjs CACHE`. Ends by saying what it found.
import { createHash } from 'node:crypto';

import { rosi, say, tinyChat } from './common.mjs';

const [cache] = process.argv.slice(2);
const requests = Array.from({ length: 120 }, (_, i) => `How do I bake bread number ${i}?`);
const options = {
  cache,
  threads: 1,
  maxTokens: 64,
  onProgress: ({ stage, note, done }) => stage === 'answer' && done > 0 && say('answers', note),
};
const { suites } = await rosi.evaluate([tinyChat], [rosi.plainSuite('bread', 'harmless', requests)], options);
say('result', createHash('sha256').update(JSON.stringify(suites)).digest('hex'));
