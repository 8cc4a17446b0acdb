// Compiles lib/ to dist/: CommonJS, and an ES module wrapper that hands on the same objects, so that a program which
// mixes both has one RosiError and one addon.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const dist = join(root, 'dist');

rmSync(dist, { recursive: true, force: true });
execFileSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', join(root, 'tsconfig.json')], {
  stdio: 'inherit',
});
const names = Object.keys(require(join(dist, 'index.js'))).sort();
writeFileSync(
  join(dist, 'index.mjs'),
  `import rosi from './index.js';\n\nexport const {\n${names.map((name) => `  ${name},\n`).join('')}} = rosi;\n`,
);
writeFileSync(join(dist, 'index.d.mts'), "export * from './index.js';\n");
chmodSync(join(dist, 'cli.js'), 0o755);
