// Builds build/Release/rosi.node with the engine's libraries beside it. Incremental; two at once wait for each other.
//   --cuda         compile the CUDA kernels as well, into build/cuda; takes nvcc from CUDACXX, else from PATH
//   --portable     into build/portable, without symbols: for prebuilds
//   --debug        keep assertions and symbols
//   --test-gpu     also the library with a GPU that is this processor, for tests
//   --only TARGET  build that target of CMakeLists.txt alone
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { engineLibraries, has, isRpcLibrary, layOutEngine, root } from './lay-out-engine.mjs';
import { lock } from './lock.mjs';

const require = createRequire(import.meta.url);

/** @returns {Promise<string>} The folder that holds the addon. */
export async function buildAddon({ cuda = false, portable = false, debug = false, testGpu = false, only } = {}) {
  const onWait = () => console.error('rosi: waiting for another build of this folder');
  const unlock = await lock(join(root, 'build', 'lock'), { onWait });
  try {
    checkTools(cuda);
    const engine = await layOutEngine();
    // Other kinds of build leave alone what someone may be running.
    const kind = [portable && 'portable', cuda && 'cuda'].filter(Boolean).join('-');
    const out = join(root, 'build', kind ? `cmake-${kind}` : 'cmake');
    const target = join(root, 'build', kind || 'Release');
    const config = debug ? 'Debug' : 'Release';
    const options = {
      ROSI_ENGINE_FOLDER: engine,
      ROSI_OUTPUT_FOLDER: target,
      ROSI_CUDA: cuda ? 'ON' : 'OFF',
      ROSI_PORTABLE: portable ? 'ON' : 'OFF',
    };
    configure(out, config, options);
    const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism());
    const targets = only ? [only] : testGpu ? ['rosi', 'rosi_gpu_emulated'] : [];
    const chosen = targets.length > 0 ? ['--target', ...targets] : [];
    run('cmake', ['--build', out, '--config', config, '--parallel', jobs, ...chosen]);
    if (!only) removeOldEngine(target, engine);
    return target;
  } finally {
    unlock();
  }
}

function checkTools(cuda) {
  const missing = (tool) => process.platform !== 'win32' && !has(tool);
  for (const tool of ['cmake', process.env.CXX ?? 'c++']) {
    if (!missing(tool)) continue;
    throw new Error(
      `'${tool}' was not found. Building needs CMake 3.21 or later and a C++20 compiler (Debian: apt install cmake g++)`,
    );
  }
  const nvcc = process.env.CUDACXX ?? 'nvcc';
  if (cuda && missing(nvcc)) {
    throw new Error(`'${nvcc}' was not found. Set CUDACXX to your nvcc, or to the one that scripts/nvcc.sh installs`);
  }
}

/** The engine loads whatever processor variant of it lies in its folder, also one of another version. */
function removeOldEngine(target, engine) {
  const present = engineLibraries(join(engine, 'lib'));
  const old = engineLibraries(target).filter((name) => !present.includes(name) && !isRpcLibrary(name));
  for (const name of old) rmSync(join(target, name));
}

/** Through cmake-js, which knows where Node-API's headers are and how each platform links an addon. Only when something changed. */
function configure(out, config, options) {
  const cmakeJs = require.resolve('cmake-js/bin/cmake-js');
  const environment = ['CXX', 'CXXFLAGS', 'CUDACXX', 'CUDAFLAGS'].map((name) => process.env[name] ?? '');
  const stamp = JSON.stringify([config, options, cmakeJs, process.execPath, environment]);
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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const flag = { type: 'boolean', default: false };
  try {
    const { values } = parseArgs({
      options: { cuda: flag, portable: flag, debug: flag, 'test-gpu': flag, only: { type: 'string' } },
    });
    const { 'test-gpu': testGpu, ...others } = values;
    console.error(`rosi: built ${values.only ?? 'rosi.node'} for ${await buildAddon({ ...others, testGpu })}`);
  } catch (error) {
    console.error(`rosi: the addon was not built: ${error.message}`);
    process.exitCode = 1;
  }
}
