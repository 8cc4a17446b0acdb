// Makes prebuilds/<platform>-<arch>/: the addon, the engine and its processor variants beside it.
// The folder and the addon's name are what node-gyp-build looks for.
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildAddon } from './build-addon.mjs';
import { engineLibraries, platform, root } from './lay-out-engine.mjs';

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
console.log(folder);
