// The addon's public exports are exactly the members of NativeAddon in lib/native.ts.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const addon = createRequire(import.meta.url)('node-gyp-build')(root);
const body = /export interface NativeAddon \{\n([\s\S]*?)\n\}/.exec(
  readFileSync(join(root, 'lib', 'native.ts'), 'utf8'),
)[1];
const typed = [...body.matchAll(/^ {2}(\w+)[(:]/gm)].map(([, name]) => name);
const exported = Object.keys(addon).filter((name) => !name.startsWith('_'));
const missing = typed.filter((name) => !exported.includes(name));
const untyped = exported.filter((name) => !typed.includes(name));
if (missing.length + untyped.length > 0) {
  console.error(
    `in lib/native.ts but not exported: ${missing.join(', ') || 'none'}; exported but not typed: ${untyped.join(', ') || 'none'}`,
  );
  process.exitCode = 1;
} else console.log(`exports: ${exported.length} functions, all typed`);
