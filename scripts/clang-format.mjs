// Formats native/, or with --check only says what is not formatted.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './lay-out-engine.mjs';

const native = join(root, 'native');
const sources = readdirSync(native, { recursive: true }).filter((name) => /\.(h|cpp|cu|cuh)$/.test(name));
const mode = process.argv.includes('--check') ? ['--dry-run', '-Werror'] : ['-i'];
const command = createRequire(import.meta.url).resolve('clang-format/index.js');
const { status } = spawnSync(process.execPath, [command, ...mode, ...sources], { cwd: native, stdio: 'inherit' });
process.exitCode = status ?? 1;
