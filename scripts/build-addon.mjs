// Builds build/Release/rosi.node with the engine's libraries beside it. Incremental; two at once wait for each other.
//   --cuda        compile the CUDA side (needs nvcc)
//   --portable    into build/portable, without symbols: for prebuilds
//   --debug       keep assertions and symbols
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { has, layOutEngine, root } from './lay-out-engine.mjs';

const require = createRequire(import.meta.url);

export async function buildAddon({ cuda = false, portable = false, debug = false } = {}) {
  const unlock = await lock(join(root, 'build', 'lock'));
  try {
    for (const tool of ['cmake', process.env.CXX ?? 'c++']) {
      if (process.platform !== 'win32' && !has(tool)) {
        throw new Error(
          `'${tool}' was not found. Building needs CMake 3.21 or later and a C++20 compiler (Debian: apt install cmake g++)`,
        );
      }
    }
    const engine = await layOutEngine();
    // A portable build leaves alone what others may be running.
    const out = join(root, 'build', portable ? 'cmake-portable' : 'cmake');
    const target = join(root, 'build', portable ? 'portable' : 'Release');
    const config = debug ? 'Debug' : 'Release';
    const options = {
      ROSI_ENGINE_FOLDER: engine,
      ROSI_OUTPUT_FOLDER: target,
      ROSI_CUDA: cuda ? 'ON' : 'OFF',
      ROSI_PORTABLE: portable ? 'ON' : 'OFF',
      ROSI_VERSION: require('../package.json').version,
    };
    configure(out, config, options);
    const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism());
    run('cmake', ['--build', out, '--config', config, '--parallel', jobs]);
    return join(target, 'rosi.node');
  } finally {
    unlock();
  }
}

/** Through cmake-js, which knows where Node-API's headers are and how each platform links an addon. Only when something changed. */
function configure(out, config, options) {
  const cmakeJs = require.resolve('cmake-js/bin/cmake-js');
  const stamp = JSON.stringify([config, options, cmakeJs, process.execPath, process.env.CXX]);
  const stampFile = join(out, 'options.json');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  rmSync(out, { recursive: true, force: true });
  const defines = Object.entries(options).map(([name, value]) => `--CD${name}=${value}`);
  const generator = has('ninja') ? ['--generator', 'Ninja'] : [];
  run(process.execPath, [
    cmakeJs,
    'configure',
    '--directory',
    root,
    '--out',
    out,
    '--config',
    config,
    ...generator,
    ...defines,
  ]);
  writeFileSync(stampFile, stamp);
}

/** Both to stderr: stdout belongs to whoever called npm. */
function run(command, args) {
  execFileSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
}

/** A folder is made by one process only. Its owner's id tells a lock from the leftover of a killed build. */
async function lock(folder) {
  mkdirSync(join(folder, '..'), { recursive: true });
  for (let told = false; ; told = true) {
    try {
      mkdirSync(folder);
      writeFileSync(join(folder, 'pid'), String(process.pid));
      return () => rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!alive(folder)) rmSync(folder, { recursive: true, force: true });
    else if (!told) console.error('rosi: waiting for another build of this folder');
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

function alive(folder) {
  try {
    process.kill(Number(readFileSync(join(folder, 'pid'), 'utf8')), 0);
    return true;
  } catch (error) {
    return error.code !== 'ESRCH'; // ENOENT: just made, its id not yet written
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const known = ['--cuda', '--portable', '--debug'];
  const unknown = process.argv.slice(2).find((flag) => !known.includes(flag));
  if (unknown) throw new Error(`unknown option ${unknown}; known: ${known.join(' ')}`);
  const flags = Object.fromEntries(known.map((flag) => [flag.slice(2), process.argv.includes(flag)]));
  try {
    console.error(`rosi: built ${await buildAddon(flags)}`);
  } catch (error) {
    console.error(`rosi: the addon was not built: ${error.message}`);
    process.exitCode = 1;
  }
}
