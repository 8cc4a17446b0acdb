// Python environments for what is compared with.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { root } from './lay-out-engine.mjs';

/** The interpreter of build/NAME-venv, with the packages that `requirements` pins, a path below scripts/. */
export function pythonWith(name, requirements) {
  const venv = join(root, 'build', `${name}-venv`);
  const program = join(venv, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
  const run = (command, ...args) => execFileSync(command, args, { stdio: ['ignore', 2, 2] });
  if (!existsSync(program)) run('python3', '-m', 'venv', venv);
  run(program, '-m', 'pip', 'install', '--quiet', '-r', join(root, 'scripts', requirements));
  return program;
}
