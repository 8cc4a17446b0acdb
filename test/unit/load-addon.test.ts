// What a user sees when the binary can't be loaded. Each case runs in a child process, in a folder with only the loader.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import ts from 'typescript';

const root = resolve(__dirname, '../..');
const target = `${process.platform}-${process.arch}`;
let folder: string;

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'rosi-load-')), 'checkout');
  for (const name of ['load-addon', 'errors']) {
    const source = readFileSync(join(root, 'lib', `${name}.ts`), 'utf8');
    const options = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, esModuleInterop: true };
    mkdirSync(join(folder, 'dist'), { recursive: true });
    const code = ts.transpileModule(source, { compilerOptions: options }).outputText;
    writeFileSync(join(folder, 'dist', `${name}.js`), code);
  }
  writeFileSync(join(folder, 'package.json'), '{ "name": "rosi" }');
  const dependency = dirname(require.resolve('node-gyp-build/package.json'));
  cpSync(dependency, join(folder, 'node_modules', 'node-gyp-build'), { recursive: true });
});

afterEach(() => rmSync(dirname(folder), { recursive: true, force: true }));

function load(at = folder) {
  const script = `
    try { require(${JSON.stringify(join(at, 'dist', 'load-addon.js'))}).loadAddon(); }
    catch ({ name, code, message, details }) { console.log(JSON.stringify({ name, code, message, details })); }`;
  return JSON.parse(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }));
}

test('a folder without any binary: says where it looked and which command builds one', () => {
  const error = load();
  expect(error).toMatchObject({ name: 'RosiError', code: 'ADDON_MISSING', details: { target } });
  expect(error.message).toContain(`rosi's native addon could not be loaded on ${target}`);
  expect(error.message).toContain(`${join(folder, 'build', 'Release')}: no such folder`);
  expect(error.message).toContain(`${join(folder, 'prebuilds', target)}: no such folder`);
  expect(error.message).toContain(`To mend it, run: npm run build:addon   (in ${folder}; needs CMake`);
});

test('a package made for another platform: says which platforms it has', () => {
  mkdirSync(join(folder, 'prebuilds', 'plan9-mips'), { recursive: true });
  expect(load().message).toContain('This package has binaries for: plan9-mips');
});

test('a binary that does not load: gives the loader’s own reason', () => {
  mkdirSync(join(folder, 'prebuilds', target), { recursive: true });
  const file = join(folder, 'prebuilds', target, 'node.napi.node');
  writeFileSync(file, 'not a library');
  const { message, details } = load();
  expect(message).toContain(`${join(folder, 'prebuilds', target)}: has node.napi.node and 0 other files`);
  expect(message).toContain(`Loading ${file} failed: `);
  expect(details.reason).toMatch(/file too short|invalid ELF|not a mach-o|not a valid Win32/i);
});

test('an installed package: the command is npm rebuild', () => {
  const installed = join(dirname(folder), 'app', 'node_modules', 'rosi');
  cpSync(folder, installed, { recursive: true });
  expect(load(installed).message).toContain('To mend it, run: npm rebuild rosi');
});

test('the process ends with the message when nobody catches it', () => {
  const script = `require(${JSON.stringify(join(folder, 'dist', 'load-addon.js'))}).loadAddon()`;
  const { status, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stderr).toContain('To mend it, run:');
});
