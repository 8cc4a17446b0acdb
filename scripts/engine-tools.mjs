// The engine's own command-line tools, for comparisons.
//   [LLAMA_TOOLS_JOBS=2] node scripts/engine-tools.mjs TOOL...
// builds them and prints their paths.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { root, unpackEngineSource } from './lay-out-engine.mjs';

/**
 * Path of a tool, e.g. `llama-completion`: of the folder LLAMA_TOOLS if it is set, or compiled from the engine's source bundle
 * into build/llama-tools, over the libraries of the built addon (engine-tools/CMakeLists.txt; minutes the first time).
 */
export async function engineTool(name) {
  const given = process.env.LLAMA_TOOLS;
  if (given !== undefined) return join(given, name);
  const folder = join(root, 'build', 'llama-tools');
  const built = join(folder, 'out', 'bin', name);
  if (existsSync(built)) return built;
  const source = join(folder, 'source');
  if (!existsSync(source)) await unpackEngineSource(source);
  const libraries = dirname(createRequire(import.meta.url)('node-gyp-build').path(root));
  const options = [
    '-DCMAKE_BUILD_TYPE=Release',
    `-DENGINE_SOURCE=${source}`,
    `-DENGINE_LIBRARIES=${libraries}`,
    '-DLLAMA_OPENSSL=OFF',
    '-DLLAMA_SUBPROCESS=OFF',
    // The server's web interface would be downloaded.
    '-DLLAMA_USE_PREBUILT_UI=OFF',
  ];
  const run = (args) => execFileSync('cmake', args, { stdio: ['ignore', 2, 2] });
  run(['-S', join(root, 'scripts', 'engine-tools'), '-B', join(folder, 'out'), ...options]);
  run(['--build', join(folder, 'out'), '--target', name, '--parallel', process.env.LLAMA_TOOLS_JOBS ?? '2']);
  // Tools look for backends beside themselves.
  for (const file of readdirSync(libraries).filter((one) => /^libggml-(cpu-|rpc\.)/u.test(one))) {
    const link = join(folder, 'out', 'bin', file);
    if (!existsSync(link)) symlinkSync(join(libraries, file), link);
  }
  return built;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const tools = process.argv.slice(2);
  if (tools.length === 0) throw new Error('usage: engine-tools.mjs TOOL...');
  for (const tool of tools) console.log(await engineTool(tool));
}
