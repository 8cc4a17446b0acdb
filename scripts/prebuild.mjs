// Makes prebuilds/<platform>-<arch>/: the addon, the engine's libraries and their processor variants side by side.
import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildAddon } from './build-addon.mjs';
import { root } from './lay-out-engine.mjs';

const target = join(root, 'prebuilds', `${process.platform}-${process.arch}`);
await buildAddon({ portable: true });
rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
const built = join(root, 'build', 'Release');
for (const name of readdirSync(built)) {
  // node-gyp-build takes a file of this name for any Node that has Node-API.
  copyFileSync(join(built, name), join(target, name === 'rosi.node' ? 'rosi.napi.node' : name));
}
console.error(`rosi: ${target}`);
