// Programs timed side by side.
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

import { root } from '../lay-out-engine.mjs';

/** Machine, commit and day, for the head of a page. */
export function circumstances() {
  const git = (...args) => execFileSync('git', ['-C', root, ...args], { encoding: 'utf8' }).trim();
  // Pages are what a measurement writes.
  const dirty = git('status', '--porcelain', '--untracked-files=no', '--', ':!docs') === '' ? '' : ', changed';
  const machine = `${cpus()[0].model}, ${cpus().length} processors, ${(totalmem() / 2 ** 30).toFixed(0)} GiB; Node ${process.version}`;
  return `${machine}; commit ${git('rev-parse', '--short', 'HEAD')}${dirty}, ${new Date().toISOString().slice(0, 10)}`;
}

export const median = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
};

// How often a program's memory is looked at; its peak only grows, so that no more than its last moments are missed.
const every = 5; // ms

/**
 * Runs a program to its end: its wall time in seconds, the peak of its resident memory and of what of it is no file, MiB, and the
 * numbers that its last line of output has, as JSON.
 */
export function timed([program, ...args]) {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let [peak, anonymous, errors, output] = [0, 0, '', ''];
    child.stdout.on('data', (text) => (output = `${output}${text}`.slice(-2000)));
    child.stderr.on('data', (text) => (errors = `${errors}${text}`.slice(-2000)));
    const watch = setInterval(() => {
      const memory = memoryOf(child.pid);
      peak = Math.max(peak, memory.peak);
      anonymous = Math.max(anonymous, memory.anonymous);
    }, every);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearInterval(watch);
      const seconds = (performance.now() - start) / 1000;
      if (code === 0) resolve({ seconds, peak, anonymous, ...numbersOf(output) });
      else reject(new Error(`${program} ${args.join(' ')} ended with ${code ?? signal}:\n${errors}`));
    });
  });
}

function numbersOf(output) {
  const last = output.trimEnd().split('\n').at(-1);
  return last.startsWith('{') ? JSON.parse(last) : {};
}

function memoryOf(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const mebibytes = (key) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'mu').exec(status)?.[1] ?? 0) / 1024;
    return { peak: mebibytes('VmHWM'), anonymous: mebibytes('RssAnon') };
  } catch {
    return { peak: 0, anonymous: 0 }; // it has ended
  }
}

/** A program of rosi's that reads no copy of the model (docs/devices.md): what is compared with the engine's own speed. */
export const ofTheFile = (program) => ['/usr/bin/env', 'ROSI_READING_COPY=0', ...program];

/** Medians of what each way measures, all ways in turn, `repeats` times after one round that is not counted. */
export async function alternating(ways, repeats) {
  const found = ways.map(() => []);
  for (let round = 0; round <= repeats; ++round) {
    for (const [i, way] of ways.entries()) {
      const measured = await way();
      if (round > 0) found[i].push(measured);
    }
  }
  return found.map((rounds) =>
    Object.fromEntries(Object.keys(rounds[0]).map((key) => [key, median(rounds.map((round) => round[key]))])),
  );
}

export const table = (head, rows) =>
  [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
