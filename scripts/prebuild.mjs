// Makes prebuilds/<platform>-<arch>/: the addon, the engine and its processor variants beside it.
// The folder and the addon's name are what node-gyp-build looks for.
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildAddon } from './build-addon.mjs';
import { platform, root } from './lay-out-engine.mjs';

const built = await buildAddon({ portable: true });
const [system, arch, musl] = platform().split('-');
const libc = system === 'linux' ? (musl ? 'musl.' : 'glibc.') : '';
const folder = join(root, 'prebuilds', `${system}-${arch}`);
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const name of readdirSync(dirname(built))) {
  cpSync(join(dirname(built), name), join(folder, name === 'rosi.node' ? `node.napi.${libc}node` : name));
}
console.log(folder);
