// The lock of scripts/lock.mjs, held by processes as builds are.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const lockModule = pathToFileURL(resolve(__dirname, '../../scripts/lock.mjs')).href;
const beats = { beat: 50, patience: 1000 };
let folder: string;
let path: string;
let log: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rosi-lock-'));
  path = join(folder, 'build', 'lock');
  log = join(folder, 'log');
  writeFileSync(log, '');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Takes the lock, blocks its thread for a while as a build does, and gives the lock back. */
function holder(milliseconds: number, last = ''): Promise<string> {
  const script = `
    import { appendFileSync } from 'node:fs';
    import { lock } from ${JSON.stringify(lockModule)};
    const unlock = await lock(${JSON.stringify(path)}, { ...${JSON.stringify(beats)}, onWait: () => console.log('waits') });
    appendFileSync(${JSON.stringify(log)}, 'in ');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${milliseconds});
    appendFileSync(${JSON.stringify(log)}, 'out ');
    ${last || 'unlock();'}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.on('data', (chunk) => (out += chunk));
  return new Promise((done) => child.on('close', () => done(out)));
}

/** A lock as a holder on this machine leaves it when it is killed. */
function leftBehind(id: number, host = hostname()): void {
  mkdirSync(path, { recursive: true });
  const file = join(path, `${host}.${id}.0`);
  writeFileSync(file, '');
  utimesSync(file, 1, 1);
}

const alternate = (n: number) => 'in out '.repeat(n);

test('one holder at a time, the others wait', async () => {
  const outs = await Promise.all(Array.from({ length: 4 }, () => holder(150)));
  expect(readFileSync(log, 'utf8')).toBe(alternate(4));
  expect(outs.filter((out) => out === 'waits\n').length).toBeGreaterThan(0);
  expect(readdirSync(join(folder, 'build'))).toEqual([]);
});

test('a holder that works for longer than the others have patience keeps it', async () => {
  const first = holder(3000);
  while (readFileSync(log, 'utf8') === '') await new Promise((wake) => setTimeout(wake, 20));
  await Promise.all([first, holder(10)]);
  expect(readFileSync(log, 'utf8')).toBe(alternate(2));
});

test('of several that see a dead lock one takes it over at a time', async () => {
  leftBehind(2 ** 22 + 1); // above every process id of Linux
  await Promise.all(Array.from({ length: 4 }, () => holder(150)));
  expect(readFileSync(log, 'utf8')).toBe(alternate(4));
});

test.each([
  ['whose id another process has by now', () => leftBehind(process.pid)],
  ['on another machine', () => leftBehind(1, 'elsewhere.example')],
  ['of an earlier version', () => (mkdirSync(path, { recursive: true }), writeFileSync(join(path, 'pid'), '1'))],
])('a dead lock %s is waited for and then taken', async (_, leave) => {
  leave();
  const outs = await Promise.all([holder(50), holder(50)]);
  expect(readFileSync(log, 'utf8')).toBe(alternate(2));
  expect(outs).toContain('waits\n');
});

test('a killed holder is replaced at once', async () => {
  await holder(0, "process.kill(process.pid, 'SIGKILL');");
  expect(readdirSync(path)).toHaveLength(1);
  expect(await holder(0)).toBe('');
  expect(readFileSync(log, 'utf8')).toBe(alternate(2));
});
