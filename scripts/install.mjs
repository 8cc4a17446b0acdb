// npm's install step. An installed package builds only where its prebuilt binary does not load. A checkout always builds:
// its sources may be newer than the binary, and a build without changes takes a second.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { buildAddon } from './build-addon.mjs';
import { root } from './lay-out-engine.mjs';

const require = createRequire(import.meta.url);

function loads() {
  if (process.env.npm_config_build_from_source) return false;
  try {
    require('node-gyp-build')(root);
    return true;
  } catch {
    return false;
  }
}

const isCheckout = existsSync(join(root, 'lib', 'index.ts')); // the package has dist/ alone
if (isCheckout || !loads()) await buildAddon();
