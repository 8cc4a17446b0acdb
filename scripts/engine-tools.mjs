// The engine's own command-line tools, for comparisons.
//   [LLAMA_TOOLS_JOBS=2] node scripts/engine-tools.mjs TOOL...
// builds them and prints their paths.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { root, unpackEngineSource } from './lay-out-engine.mjs';

/**
 * Path of a tool, e.g. `llama-completion`: of the folder LLAMA_TOOLS if it is set, or built from the engine's source bundle
 * into build/llama-tools (ten minutes the first time).
 */
export async function engineTool(name) {
  const given = process.env.LLAMA_TOOLS;
  if (given !== undefined) return join(given, name);
  const folder = join(root, 'build', 'llama-tools');
  const built = join(folder, 'out', 'bin', name);
  if (existsSync(built)) return built;
  const source = join(folder, 'source');
  if (!existsSync(source)) await unpackEngineSource(source);
  // The web interface would be downloaded.
  const options = [
    '-DCMAKE_BUILD_TYPE=Release',
    '-DLLAMA_BUILD_APP=OFF',
    '-DLLAMA_CURL=OFF',
    '-DLLAMA_OPENSSL=OFF',
    '-DLLAMA_USE_PREBUILT_UI=OFF',
  ];
  execFileSync('cmake', ['-S', source, '-B', join(folder, 'out'), ...options], { stdio: ['ignore', 2, 2] });
  const parallel = process.env.LLAMA_TOOLS_JOBS ?? '2';
  execFileSync('cmake', ['--build', join(folder, 'out'), '--target', name, '--parallel', parallel], {
    stdio: ['ignore', 2, 2],
  });
  return built;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const tools = process.argv.slice(2);
  if (tools.length === 0) throw new Error('usage: engine-tools.mjs TOOL...');
  for (const tool of tools) console.log(await engineTool(tool));
}
