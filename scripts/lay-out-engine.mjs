// Brings llama.cpp, the engine, into build/engine/<version>/: include/, lib/ and, as source, its RPC backend in rpc/. Version and
// integrity: engine.json.
//   ROSI_ENGINE=source        compiles the libraries from the source bundle, for this machine's processor
//   ROSI_ENGINE_VARIANTS=all  with the above: one library for each kind of processor, as the packages have them
//   --configure               only checks that the sources can be fetched, unpacked and configured: a minute, not ten
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { x as extract } from 'tar';
import { RPC_SOURCE, rpcSources, rpcVersion } from './engine-rpc.mjs';
import { readBundle } from './git-bundle.mjs';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const engine = JSON.parse(readFileSync(join(root, 'scripts', 'engine.json'), 'utf8'));

/** llama-ext.h is C++ and may change with any version; engine/ uses it for what llama.h does not offer. */
const HEADER = /^(include\/llama[^/]*\.h|ggml\/include\/[^/]+\.h|src\/llama-ext\.h)$/;
/** The engine itself and its processor variants, without the other tools that the packages hold. */
const LIBRARY = /^(lib)?(llama|ggml)(?!-common)[^/]*\.(so|dylib|dll|lib|metallib|metal)$/;

/** Names of the engine's libraries in a folder. */
export function engineLibraries(folder) {
  return existsSync(folder) ? readdirSync(folder).filter((name) => LIBRARY.test(name)) : [];
}

/** Compiled with the addon: the packages have none. */
export function isRpcLibrary(name) {
  return /^(lib)?ggml-rpc\.(so|dylib|dll)$/.test(name);
}

/** What the packages are named after: they are built for glibc. */
export function platform() {
  const musl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime;
  return `${process.platform}-${process.arch}${musl ? '-musl' : ''}`;
}

/** Does what a compilation begins with, in a folder of its own that is gone afterwards. */
async function checkSource() {
  const work = mkdtempSync(join(tmpdir(), 'rosi-engine-'));
  try {
    await unpack(engine.source, work, (path) => path === engine.source.bundle);
    configure(join(work, engine.source.bundle), work, process.env.ROSI_ENGINE_VARIANTS === 'all');
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** @returns {Promise<string>} The folder that holds include/, lib/ and rpc/. Does nothing when it is already complete. */
export async function layOutEngine({ log = console.error } = {}) {
  const libraries = engine.libraries[platform()];
  const fromSource = process.env.ROSI_ENGINE === 'source' || !libraries;
  const variants = process.env.ROSI_ENGINE_VARIANTS === 'all';
  const suffix = fromSource ? (variants ? '-source-variants' : '-source') : '';
  const folder = join(root, 'build', 'engine', engine.version + suffix);
  const stamp = JSON.stringify([engine.source, fromSource ? 'source' : libraries, rpcVersion]);
  if (existsSync(join(folder, 'stamp.json')) && readFileSync(join(folder, 'stamp.json'), 'utf8') === stamp)
    return folder;

  mkdirSync(dirname(folder), { recursive: true });
  const work = mkdtempSync(`${folder}.partial-`);
  try {
    if (!libraries) log(`rosi: no engine package for ${platform()}, so llama.cpp is compiled here: this takes minutes`);
    log(`rosi: fetching llama.cpp ${engine.version} (${engine.source.package}@${engine.source.version})`);
    await unpack(engine.source, work, (path) => path === engine.source.bundle);
    const bundle = join(work, engine.source.bundle);
    const sources = readBundle(bundle, engine.source.commit, (path) => HEADER.test(path) || RPC_SOURCE.test(path));
    const matching = (pattern) => new Map([...sources].filter(([path]) => pattern.test(path)));
    for (const [path, { bytes }] of matching(HEADER)) {
      write(join(work, 'include', path.slice(path.lastIndexOf('/') + 1)), bytes);
    }
    for (const [name, source] of rpcSources(matching(RPC_SOURCE))) write(join(work, 'rpc', name), source);
    if (fromSource) {
      const built = compile(bundle, variants, log);
      mkdirSync(join(work, 'lib'), { recursive: true });
      for (const name of engineLibraries(built)) {
        cpSync(join(built, name), join(work, 'lib', name), { dereference: true });
      }
    } else {
      log(`rosi: fetching its libraries (${libraries.package}@${libraries.version})`);
      await unpack(
        libraries,
        work,
        (path) => path.startsWith(`${libraries.folder}/`) && LIBRARY.test(path.slice(libraries.folder.length + 1)),
      );
      renameSync(join(work, libraries.folder), join(work, 'lib'));
    }
    rmSync(join(work, 'package'), { recursive: true, force: true });
    write(join(work, 'stamp.json'), stamp);
    rmSync(folder, { recursive: true, force: true });
    renameSync(work, folder); // whole or absent
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}

/** Fetches a package through npm, so that the user's registry, proxy and credentials apply, and checks it against our own record. */
async function unpack({ package: name, version, integrity }, cwd, filter) {
  const download = mkdtempSync(join(cwd, 'download-'));
  const npm = /npm-cli\.[cm]?js$/.test(process.env.npm_execpath ?? '')
    ? [process.execPath, process.env.npm_execpath]
    : ['npm'];
  const args = [
    'pack',
    `${name}@${version}`,
    '--pack-destination',
    download,
    '--ignore-scripts',
    '--dry-run=false',
    '--loglevel=error',
  ];
  execFileSync(npm[0], [...npm.slice(1), ...args], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: npm[0] === 'npm' && process.platform === 'win32',
  });
  const file = join(download, readdirSync(download)[0]);
  const found = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
  if (found !== integrity) {
    throw new Error(`${name}@${version} has integrity ${found}, but scripts/engine.json expects ${integrity}`);
  }
  await extract({ file, cwd, filter });
  rmSync(download, { recursive: true });
}

/** Compiles libllama and libggml as the packages do: shared, processor variants loaded at run time. Returns their folder. */
function compile(bundle, variants, log) {
  log(`rosi: compiling llama.cpp ${engine.version}`);
  const work = join(root, 'build', 'engine', `${engine.version}-compile${variants ? '-variants' : ''}`);
  const out = configure(bundle, work, variants);
  const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism());
  // Output of tools goes to stderr: stdout belongs to whoever called npm.
  execFileSync('cmake', ['--build', out, '--config', 'Release', '--parallel', jobs], { stdio: ['ignore', 2, 2] });
  return join(out, 'bin');
}

/** Fetches llama.cpp's sources and unpacks them into `folder`. */
export async function unpackEngineSource(folder) {
  mkdirSync(dirname(folder), { recursive: true });
  const work = mkdtempSync(`${folder}.partial-`);
  try {
    await unpack(engine.source, work, (path) => path === engine.source.bundle);
    writeSources(join(work, engine.source.bundle), join(work, 'source'));
    renameSync(join(work, 'source'), folder); // whole or absent
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function writeSources(bundle, folder) {
  for (const [path, { bytes, executable }] of readBundle(bundle, engine.source.commit)) {
    write(join(folder, path), bytes, executable ? 0o755 : 0o644);
  }
}

/** Unpacks the sources below `work`, once, and configures them. Returns the build folder. */
function configure(bundle, work, variants) {
  const source = join(work, 'source');
  if (!existsSync(join(work, 'complete'))) {
    writeSources(bundle, source);
    write(join(work, 'complete'), '');
  }
  const out = join(work, 'out');
  const ninja = has('ninja') ? ['-G', 'Ninja'] : [];
  const off = ['COMMON', 'TESTS', 'EXAMPLES', 'TOOLS', 'SERVER', 'APP'].map((part) => `-DLLAMA_BUILD_${part}=OFF`);
  const options = {
    CMAKE_BUILD_TYPE: 'Release',
    BUILD_SHARED_LIBS: 'ON',
    CMAKE_PLATFORM_NO_VERSIONED_SONAME: 'ON', // one file each: npm packages can't hold links
    CMAKE_BUILD_WITH_INSTALL_RPATH: 'ON',
    CMAKE_INSTALL_RPATH: process.platform === 'darwin' ? '@loader_path' : '$ORIGIN',
    GGML_BACKEND_DL: variants ? 'ON' : 'OFF', // ggml has no native variant to load at run time
    GGML_NATIVE: variants ? 'OFF' : 'ON',
    GGML_CPU_ALL_VARIANTS: variants ? 'ON' : 'OFF',
    GGML_OPENMP: 'OFF', // the packages have none, and libgomp may be missing where the addon runs
    GGML_METAL: 'OFF',
    GGML_BLAS: 'OFF',
    GGML_CCACHE: 'OFF',
  };
  const defines = Object.entries(options).map(([name, value]) => `-D${name}=${value}`);
  execFileSync('cmake', ['-S', source, '-B', out, ...ninja, ...off, ...defines], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return out;
}

export function has(command) {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function write(path, content, mode = 0o644) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content, { mode });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2] === '--configure') await checkSource();
  else console.log(await layOutEngine());
}
