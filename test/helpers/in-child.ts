import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');

export interface ChildResult {
  /** What it printed, a JSON value a line. */
  lines: unknown[];
  signal: NodeJS.Signals | null;
  stderr: string;
}

/**
 * Runs JavaScript in a process of its own, for what might end it or is measured of a whole process. The script has the
 * native `addon`, `args`, and `print(value)`, and may await.
 */
export function inChild(script: string, args: unknown = null): ChildResult {
  const program = `
    const addon = require('node-gyp-build')(${JSON.stringify(root)});
    const args = ${JSON.stringify(args)};
    const print = (value) => require('node:fs').writeSync(1, JSON.stringify(value) + '\\n');
    (async () => {${script}})();`;
  const { stdout, stderr, signal } = spawnSync(process.execPath, ['-e', program], { cwd: root, encoding: 'utf8' });
  const lines = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
  return { lines, signal, stderr };
}
