import type { Command } from 'commander';

import type { DoctorReport } from '../doctor/doctor';
import type { SelfTest } from '../doctor/self-test';
import { byteCount, counted, oneLine, printable, table, wrapped } from '../text';
import { exitStatus } from './context';
import type { Invocation } from './invocation';

// Of an ordinary terminal; paths may be longer.
const columns = 80;

export function addDoctor(program: Command, invocation: Invocation): void {
  program
    .command('doctor')
    .summary('whether this installation works, and what it runs on')
    .description(
      'Say what rosi runs on, and test its parts: the kernels, the engine on a model made for it, and writing a file.',
    )
    .option('--gpu', 'test what computes on a GPU, too')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nEnds with status 1 when a self-test fails.\n\nExample:\n  rosi doctor')
    .action(async (flags: { gpu?: boolean; json?: boolean }) => {
      const { gpu = false, json = false } = flags;
      const report = await invocation.long(true, (signal) => invocation.library.doctor({ gpu, signal }));
      invocation.print(json ? report : describe(report).join('\n'));
      invocation.status = report.ok ? exitStatus.done : exitStatus.selfTest;
    });
}

function describe(report: DoctorReport): string[] {
  const facts = described([
    ['rosi', `${report.rosi}, Node ${report.node}, ${report.platform}`],
    ['addon', addonText(report)],
    ['engine', engineText(report)],
    ['processor', processorText(report)],
    ['memory', memoryText(report)],
    ['GPU', gpuText(report)],
    ['cache', cacheText(report)],
    ['this folder', `${oneLine(report.folder.path)}\n${freeText(report.folder.free)}`],
  ]);
  const tests = report.tests.map(({ name, result, detail }): [string, string] => [result, `${name}: ${detail}`]);
  return [...facts, '', ...described(tests), '', verdict(report.tests)];
}

/** A word and lines of text, the lines side by side and no longer than a terminal's. */
function described(rows: readonly (readonly [string, string])[]): string[] {
  const width = columns - 2 - Math.max(...rows.map(([word]) => word.length));
  return table(
    rows.flatMap(([word, text]) => {
      const lines = printable(text)
        .split('\n')
        .flatMap((line) => wrapped(line, width));
      return lines.map((line, i) => [i === 0 ? word : '', line]);
    }),
    'left',
  );
}

function addonText({ addon }: DoctorReport): string {
  return addon === null ? 'none could be loaded' : `${oneLine(addon.path)}\n${addon.origin}`;
}

function engineText({ engine }: DoctorReport): string {
  const { name, version, ggml, cpu } = engine;
  const numbers = `${name} ${version ?? 'of unknown version'}${ggml === null ? '' : `, ggml ${ggml}`}`;
  if (cpu === null) return numbers;
  const features = cpu.features.length === 0 ? '' : `: ${cpu.features.join(' ')}`;
  return `${numbers}\nCPU backend ${cpu.variant}${features}`;
}

function processorText({ machine, threads }: DoctorReport): string {
  const { processor, cores, usableCores } = machine;
  return [
    oneLine(processor ?? 'unknown'),
    `${counted(cores, 'core')}, ${usableCores} usable; ${counted(threads, 'thread')} unless --threads is given,` +
      ' in the engine the fastest number up to that',
  ].join('\n');
}

function memoryText({ machine: { memory } }: DoctorReport): string {
  const limit = memory.limit === null ? '' : `, limited to ${byteCount(memory.limit)}`;
  return `${byteCount(memory.total)}${limit}, ${byteCount(memory.available)} free`;
}

function gpuText({ gpu: { devices, packages, note } }: DoctorReport): string {
  const lines = devices.map(({ name, description, totalBytes, freeBytes }) => {
    const memory = totalBytes === null ? '' : `, ${byteCount(totalBytes)}, ${byteCount(freeBytes ?? 0)} free`;
    return oneLine(`${name}: ${description}${memory}`);
  });
  const from =
    devices.length === 0 ? [] : packages.map(({ name, version }) => `by ${oneLine(name)} ${oneLine(version)}`);
  const found = devices.length === 0 ? ['none found'] : [...lines, ...from];
  return [...found, ...(note === null ? [] : [note]), 'rosi computes on the CPU unless told otherwise'].join('\n');
}

function cacheText({ cache: { path, bytes, files, free } }: DoctorReport): string {
  return `${oneLine(path)}\n${byteCount(bytes)} in ${counted(files, 'file')}, ${freeText(free)}`;
}

function freeText(free: number | null): string {
  return free === null ? 'free space unknown' : `${byteCount(free)} free`;
}

function verdict(tests: readonly SelfTest[]): string {
  const failed = tests.filter(({ result }) => result === 'failed').length;
  return failed === 0 ? 'this installation works' : `NOT ok: ${counted(failed, 'self-test')} failed`;
}
