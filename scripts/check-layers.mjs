// Includes and imports obey the layers: core <- gguf, kernels, engine <- update <- bindings <- lib/native.ts <- lib/.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const files = (folder) =>
  readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  });
const allowed = {
  core: ['core'],
  gguf: ['core', 'gguf'],
  kernels: ['core', 'kernels'],
  engine: ['core', 'engine'],
  update: ['core', 'gguf', 'kernels', 'update'],
  bindings: ['core', 'gguf', 'kernels', 'engine', 'update', 'bindings'],
};
const owners = { 'llama.h': 'engine', 'napi.h': 'bindings' };
const faults = [];

for (const path of files(join(root, 'native')).filter((name) => /\.(h|cpp|cu)$/.test(name))) {
  const [, inner] = relative(root, path).split(/[\\/]/);
  const layer = inner.replace(/\.(h|cpp)$/, '');
  for (const [, target] of readFileSync(path, 'utf8').matchAll(/^#include [<"]([^>"]+)[>"]/gm)) {
    const owner = owners[target];
    if (owner !== undefined && owner !== layer)
      faults.push(`${relative(root, path)} includes ${target}: only native/${owner}/ may`);
    if (target === 'cuda_runtime.h' && !path.endsWith('.cu'))
      faults.push(`${relative(root, path)} includes cuda_runtime.h: only .cu files may`);
    const other = target === 'update.h' ? 'update' : target.split('/')[0]; // a bare name is the system's or the engine's
    if (other in allowed && !allowed[layer].includes(other))
      faults.push(`${relative(root, path)} includes ${target}: ${layer} may use ${allowed[layer].join(', ')}`);
  }
}
for (const path of files(join(root, 'lib')).filter((name) => name.endsWith('.ts'))) {
  const source = readFileSync(path, 'utf8');
  const name = relative(root, path);
  if (/from '\.\/load-addon'/.test(source) && name !== join('lib', 'native.ts'))
    faults.push(`${name} loads the addon: only lib/native.ts may`);
  if (/\bfrom '(\.\.?\/)+cli(\/|')/.test(source) && !name.startsWith(join('lib', 'cli')))
    faults.push(`${name} imports the command`);
}

if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exitCode = 1;
} else console.log('layers: every include and import follows the arrows');
