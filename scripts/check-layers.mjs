// Holds the arrows: core <- gguf, kernels, engine <- update <- bindings <- lib/native.ts <- lib/, and kernels <- gpu <- bindings.
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { root } from './lay-out-engine.mjs';

/** What a folder of native/ may include of ours, besides itself. '' is native/ itself: the update layer. */
const below = {
  core: [],
  gguf: ['core'],
  kernels: ['core'],
  gpu: ['core', 'kernels'],
  engine: ['core'],
  '': ['core', 'gguf', 'kernels', 'engine'],
  bindings: ['core', 'gguf', 'kernels', 'gpu', 'engine', ''],
};
/** Headers of others, and where alone they may be included. */
const foreign = [
  { header: /^(llama|ggml)([-.].*)?$|^gguf\.h$/, name: 'the engine', allowed: (file) => file.startsWith('engine/') },
  { header: /^(napi|node_api|js_native_api)\.h$/, name: 'Node-API', allowed: (file) => file.startsWith('bindings/') },
  { header: /^(cuda|cublas|cooperative_groups)/, name: 'CUDA', allowed: (file) => /\.cuh?$/.test(file) },
];

function files(folder, pattern) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

function nativeFaults() {
  const native = join(root, 'native');
  return files(native, /\.(h|cpp|cu|cuh)$/).flatMap((path) => {
    const file = relative(native, path).split(sep).join('/');
    const layer = file.includes('/') ? file.slice(0, file.indexOf('/')) : '';
    const faults = [];
    if (!(layer in below)) faults.push(`native/${file}: native/${layer}/ is no known layer`);
    for (const [, quote, header] of readFileSync(path, 'utf8').matchAll(/^\s*#\s*include\s*([<"])([^>"]+)[>"]/gm)) {
      for (const { name, allowed } of foreign.filter((rule) => rule.header.test(header))) {
        if (!allowed(file)) faults.push(`native/${file} includes ${header}: ${name} is not for this layer`);
      }
      if (quote === '<' || foreign.some((rule) => rule.header.test(header))) continue;
      const target = header.includes('/') ? header.slice(0, header.indexOf('/')) : '';
      if (target !== layer && !below[layer]?.includes(target)) {
        faults.push(`native/${file} includes ${header}: ${layer || 'update'} may not know ${target || 'update'}`);
      }
    }
    return faults;
  });
}

function typescriptFaults() {
  const lib = join(root, 'lib');
  return files(lib, /\.m?ts$/).flatMap((path) => {
    const file = relative(lib, path).split(sep).join('/');
    const imports = [...readFileSync(path, 'utf8').matchAll(/(?:from|import|require)\s*\(?\s*'([^']+)'/g)].map(
      ([, name]) => name,
    );
    return imports.flatMap((name) => {
      const target = name.startsWith('.')
        ? normalize(join(dirname(file), name))
            .split(sep)
            .join('/')
            .replace(/\.js$/, '')
        : name;
      if (target === 'load-addon' && file !== 'native.ts')
        return [`lib/${file} imports load-addon: only native.ts may`];
      if ((target === 'node-gyp-build' || target.endsWith('.node')) && file !== 'load-addon.ts') {
        return [`lib/${file} loads the addon: only load-addon.ts may`];
      }
      if (target.startsWith('..')) return [`lib/${file} imports ${name}: outside lib/`];
      if (target === 'cli' || (target === 'index' && file !== 'index.mts' && file !== 'cli.ts')) {
        return [`lib/${file} imports ${name}: that file is for users`];
      }
      return [];
    });
  });
}

const faults = [...nativeFaults(), ...typescriptFaults()];
for (const fault of faults) console.error(fault);
console.log(
  faults.length === 0 ? 'layers: every include and import obeys the arrows' : `layers: ${faults.length} faults`,
);
process.exitCode = faults.length === 0 ? 0 : 1;
