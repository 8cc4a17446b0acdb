// Makes prebuilds/<platform>-<arch>/: the addon, the engine and its processor variants beside it.
// The folder and the addon's name are what node-gyp-build looks for.
//   --cuda  the library with the kernels for GPUs, too; takes nvcc from CUDACXX, else from PATH
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildAddon } from './build-addon.mjs';
import { engineLibraries, platform, root } from './lay-out-engine.mjs';

const { values } = parseArgs({ options: { cuda: { type: 'boolean' } } });
const built = await buildAddon({ portable: true });
const [system, arch, musl] = platform().split('-');
const libc = system === 'linux' ? (musl ? 'musl.' : 'glibc.') : '';
const folder = join(root, 'prebuilds', `${system}-${arch}`);
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
cpSync(join(built, 'rosi.node'), join(folder, `node.napi.${libc}node`));
// Import libraries are for linkers, not for users.
for (const name of engineLibraries(built).filter((name) => !name.endsWith('.lib'))) {
  cpSync(join(built, name), join(folder, name));
}
if (values.cuda) {
  const from = await buildAddon({ cuda: true, only: 'rosi_cuda' });
  const name = readdirSync(from).find((file) => /^(lib)?rosi-cuda\./u.test(file));
  cpSync(join(from, name), join(folder, name));
}
console.log(folder);
