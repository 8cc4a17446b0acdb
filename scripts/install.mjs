// npm's install step: nothing to do where a prebuilt or built binary loads, else build it from source.
import { createRequire } from 'node:module';
import { root } from './lay-out-engine.mjs';
import { buildAddon } from './build-addon.mjs';

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

if (!loads()) await buildAddon();
