// Installs the packed tarball as a user would, with no compiler on PATH, and uses it. Needs `npm run prebuild` before.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';

const root = resolve(__dirname, '../..');
const fixture = join(root, 'test', 'fixtures', 'tiny-chat.Q8_0.gguf');
/** What npm, npx and their shell need. No cc, c++, cmake, ninja, make, git or python. */
const tools = ['sh', 'env', 'uname', 'ls', 'cat', 'sed', 'dirname', 'basename'];

let folder: string;
let app: string;
let env: NodeJS.ProcessEnv;

function run(command: string, args: string[]) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: app, env, encoding: 'utf8' });
  return { status, stdout, stderr };
}

function output(command: string, args: string[]): string {
  const { status, stdout, stderr } = run(command, args);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}\n${stdout}\n${stderr}`);
  return stdout;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rosi-package-'));
  const bin = join(folder, 'bin');
  app = join(folder, 'app');
  mkdirSync(bin);
  mkdirSync(app);
  symlinkSync(process.execPath, join(bin, 'node'));
  for (const tool of [...tools, 'npm', 'npx']) {
    const found = (process.env.PATH ?? '')
      .split(delimiter)
      .map((at) => join(at, tool))
      .find((path) => existsSync(path));
    if (found) symlinkSync(found, join(bin, tool));
  }
  const npm = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  env = { ...Object.fromEntries(npm), PATH: bin, CI: 'true' };
  const packed = execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
  });
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "private": true }');
  copyFileSync(fixture, join(app, 'model.gguf'));
  output('npm', ['install', '--no-audit', '--no-fund', join(folder, packed.trim().split('\n').pop() as string)]);
}, 600_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('no compiler was at hand', () => {
  for (const tool of ['cc', 'c++', 'g++', 'cmake', 'ninja', 'make', 'git', 'python3']) {
    expect(run(tool, ['--version']).status).toBeNull();
  }
});

test('nothing was built: the binary is the prebuilt one', () => {
  expect(existsSync(join(app, 'node_modules', 'rosi', 'build'))).toBe(false);
  const prebuilds = readdirSync(join(app, 'node_modules', 'rosi', 'prebuilds', `${process.platform}-${process.arch}`));
  expect(prebuilds.filter((name) => name.endsWith('.node'))).toHaveLength(1);
});

test('require and import give the same functions', () => {
  const names = output('node', ['-p', "JSON.stringify(Object.keys(require('rosi')).sort())"]);
  expect(JSON.parse(names)).toContain('harden');
  const script =
    "import * as m from 'rosi'; import { createRequire } from 'node:module';" +
    " const c = createRequire(import.meta.url)('rosi');" +
    ' console.log(JSON.stringify(Object.keys(c).filter((name) => c[name] !== m[name])));';
  writeFileSync(join(app, 'same.mjs'), script);
  expect(JSON.parse(output('node', ['same.mjs']))).toEqual([]);
});

test('npx rosi --help', () => {
  expect(output('npx', ['rosi', '--help'])).toMatch(/harden/);
});

test('the command hardens a model', () => {
  const given = ['--layer', '3', '--strength', '2', '--evaluate', 'none', '--threads', '1']; // without a search: seconds
  const report = JSON.parse(
    output('npx', ['rosi', 'harden', 'model.gguf', '-o', 'hard.gguf', '--quiet', '--json', ...given]),
  );
  expect(report.verified).toMatchObject({ ok: true, sourceMatches: true, unplannedDifferences: [] });
  expect(report.tensors.length).toBeGreaterThan(0);
  const verified = JSON.parse(output('npx', ['rosi', 'verify', 'model.gguf', 'hard.gguf', '--quiet', '--json']));
  expect(verified).toMatchObject({ ok: true, checksumOk: true });
  for (const { changedBytes } of verified.tensors) expect(changedBytes).toBeGreaterThan(0);
  expect(verified.tensors).toHaveLength(report.tensors.length);
  expect(readdirSync(app).filter((name) => name.includes('.partial'))).toEqual([]);
});

test('a model that rosi did not write does not verify, and the command says so', () => {
  const { status, stderr } = run('npx', ['rosi', 'verify', 'model.gguf', '--quiet']);
  expect(status).toBe(9);
  expect(stderr).toContain('RECORD_MISSING');
});
