// Prompts for the engine's tools that read one a line.
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { root } from './lay-out-engine.mjs';

const { promptText } = createRequire(import.meta.url)(join(root, 'dist', 'index.js'));

/** In the model's chat template, with escapes for what would end the line. */
export function promptLines(session, prompts) {
  const line = (user) => promptText(session.render({ user })).replace(/\\/gu, '\\\\').replace(/\n/gu, '\\n');
  return `${prompts.map(line).join('\n')}\n`;
}
