// Compiles lib/ into dist/: CommonJS, its types, and the ES module that re-exports it.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './lay-out-engine.mjs';

const dist = join(root, 'dist');
rmSync(dist, { recursive: true, force: true });
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
try {
  execFileSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json')], { stdio: 'inherit' });
} catch {
  process.exit(1); // tsc has said why
}
const data = join(root, 'lib', 'data');
for (const name of readdirSync(data).filter((name) => name.endsWith('.json'))) {
  cpSync(join(data, name), join(dist, 'data', name));
}
const command = join(dist, 'cli.js');
if (existsSync(command)) chmodSync(command, 0o755);
