import { join } from 'node:path';

import nodeGypBuild from 'node-gyp-build';

import { RosiError } from './errors';

/** Loads the native addon: a prebuilt one or the one that `npm install` built. Throws RosiError `ADDON_MISSING`. */
export function loadAddon(): unknown {
  const root = join(__dirname, '..');
  try {
    return nodeGypBuild(root) as unknown;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RosiError(
      'ADDON_MISSING',
      `rosi's native addon could not be loaded for ${process.platform}-${process.arch}: looked in ` +
        `${join(root, 'build', 'Release')} and ${join(root, 'prebuilds')}; ${reason}. ` +
        `Build it with: npm rebuild rosi (in a checkout: npm run build:addon)`,
      { root, platform: process.platform, arch: process.arch },
      { cause },
    );
  }
}
