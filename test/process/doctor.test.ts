import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

import type { DoctorReport } from '../../lib';
import { emulatedGpu } from '../helpers/kernels';
import { temporaryFolder } from '../helpers/temporary';

const root = join(__dirname, '..', '..');
const folder = temporaryFolder();

function doctor(args: string[], packageFolder = root) {
  const command = [join(packageFolder, 'dist', 'cli.js'), 'doctor', ...args];
  const env = { ...process.env, XDG_CACHE_HOME: folder, ROSI_GPU_LIBRARY: emulatedGpu };
  return spawnSync(process.execPath, command, { cwd: folder, env, encoding: 'utf8' });
}

test('rosi doctor finds this installation in order', () => {
  const { status, stdout, stderr } = doctor(['--gpu', '--json']);
  const report = JSON.parse(stdout) as DoctorReport;
  expect({ status, stderr, failed: report.tests.filter(({ result }) => result === 'failed') }).toEqual({
    status: 0,
    stderr: '',
    failed: [],
  });
  expect(report.tests.map(({ name, result }) => [name, result])).toEqual([
    ['addon', 'ok'],
    ['backends', 'ok'],
    ['CPU kernels', 'ok'],
    ['engine', 'ok'],
    ['files', 'ok'],
    ['GPU kernels', 'ok'],
  ]);
  expect(report).toMatchObject({
    ok: true,
    addon: { origin: 'built here' },
    engine: { version: expect.stringMatching(/^v\d/u) as unknown, ggml: expect.stringMatching(/^\d/u) as unknown },
    machine: { usableCores: availableParallelism() },
    cache: { path: join(folder, 'rosi'), bytes: 0, files: 0 },
    folder: { path: folder },
  });
  expect(report.engine.cpu!.library).toContain(join(root, 'build', 'Release'));
  expect(report.folder.free).toBeGreaterThan(0);
});

test('without an addon it says so, runs nothing else and ends with 1', () => {
  const bare = join(folder, 'bare');
  mkdirSync(bare);
  for (const name of ['dist', 'package.json']) cpSync(join(root, name), join(bare, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(bare, 'node_modules'));
  const { status, stdout, stderr } = doctor([], bare);
  expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
  expect(stdout).toMatch(/^addon +none could be loaded$/mu);
  expect(stdout).toMatch(/^failed +addon: rosi's native addon could not be loaded/mu);
  expect(stdout).toMatch(/^not run +engine: the addon could not be loaded$/mu);
  expect(stdout).toMatch(/\nNOT ok: 1 self-test failed\n$/u);
});
