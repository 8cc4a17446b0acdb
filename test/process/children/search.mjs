// A run of harden with a search, that says each trial as it begins and all of them at its end: `search.mjs CACHE OUTPUT`.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { rosi, say, tinyChat } from './common.mjs';

const [cache, output] = process.argv.slice(2);
const entries = JSON.parse(readFileSync(join(tinyChat, '..', 'tiny-chat.prompts.json'), 'utf8'));
const of = (split) =>
  Object.fromEntries(
    ['harmful', 'harmless', 'borderline'].map((role) => [
      role,
      entries.filter((one) => one.split === split && one.role === role).map(({ prompt }) => prompt),
    ]),
  );
const prompts = { fit: of('fit'), validation: of('validation'), test: of('test') };
const trials = [];
const onProgress = ({ stage, note }) => {
  if (stage !== 'search' || trials.at(-1) === note) return;
  trials.push(note);
  say('trial', note);
};
await rosi.harden(tinyChat, prompts, { output, cache, threads: 1, evaluate: 'none', onProgress });
say('trials', trials);
