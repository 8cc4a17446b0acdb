// What the child processes share. They use the built library, as a user would.
import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('../../..', import.meta.url));
export const rosi = require(join(root, 'dist', 'index.js'));
export const { native, runTask } = require(join(root, 'dist', 'native.js'));
export const { draftUpdate } = require(join(root, 'dist', 'update.js'));
export const tinyChat = join(root, 'test', 'fixtures', 'tiny-chat.Q8_0.gguf');
/** For a matrix of tinyChat. */
export const adapterFactors = [
  { name: 'blk.0.attn_output.weight', left: new Float32Array(256).fill(0.01), right: new Float32Array(256).fill(0.01) },
];

/** At once, whatever happens to the process next. */
export function say(word, value = null) {
  writeSync(1, `${JSON.stringify([word, value])}\n`);
}

export const open = (options = {}) => rosi.ModelSession.open(tinyChat, { threads: 1, ...options });

/** Different prompts, about 10 tokens each. */
export function prompts(session, count) {
  return Array.from({ length: count }, (_, i) => session.encode(`How do I bake bread number ${i}?`));
}

/** Every matrix of a file of test/helpers/child.ts changed a little. */
export async function slowPlan(source) {
  const { tensors } = await rosi.inspect(source);
  return {
    edit: { layer: 0, schedule: 'equal', layers: [0, 0], strength: 1, rightFactor: 'gated' },
    tensors: tensors.map(({ name, shape: [nIn, nOut] }) => ({
      name,
      left: new Float32Array(nOut).fill(0.001),
      right: new Float32Array(nIn).fill(0.01),
    })),
  };
}

/** Whatever a promise comes to, as plain values. */
export async function outcome(promise) {
  try {
    await promise;
    return { code: 'FULFILLED' };
  } catch (error) {
    return { code: error.code, name: error.name, message: error.message };
  }
}
