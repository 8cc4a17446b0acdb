import { basename, sep } from 'node:path';

import { cacheFolder } from '../cache-folder';
import { RosiError, throwIfAborted } from '../errors';
import { openGpuLibrary } from '../gpu-library';
import { engineRecord, findGpuPackages } from '../gpu-packages';
import { addonPath, native, runTask, type NativeEngineReport } from '../native';
import { testGpus, testGpuUpdate } from './gpu-test';
import type { KernelProbes, PassProbes } from './kernel-probes';
import { checkFlag } from '../options';
import { ticker, type CallOptions } from '../stage';
import { version } from '../version';
import { testEngine, testFiles } from './engine-test';
import { describeGpus, type GpuReport } from './gpu';
import { testKernels } from './kernel-test';
import { describeMachine, folderSize, freeSpace, type Machine } from './machine';
import { notRun, selfTest, type SelfTest } from './self-test';

export interface DoctorOptions extends CallOptions {
  /** Whether what computes on a GPU is to be tested, too. Default false. */
  gpu?: boolean | undefined;
}

/** What an installation is, runs on, and whether it works. Sizes are in bytes. */
export interface DoctorReport {
  /** Whether no self-test failed. */
  ok: boolean;
  rosi: string;
  node: string;
  /** Such as `linux-x64`. */
  platform: string;
  /** The native addon; null where there is none. */
  addon: { path: string; origin: 'prebuilt' | 'built here' } | null;
  engine: {
    name: 'llama.cpp';
    /** Null where the package's record of it is missing. */
    version: string | null;
    /** Of its tensor library, and how it computes on the CPU; null when it could not be loaded. */
    ggml: string | null;
    cpu: { variant: string; library: string; features: string[] } | null;
  };
  machine: Machine;
  /** Processors that rosi uses unless told: the engine at most so many, as measured for each model. */
  threads: number;
  gpu: GpuReport;
  cache: { path: string; bytes: number; files: number; free: number | null };
  /** The current folder. */
  folder: { path: string; free: number | null };
  tests: SelfTest[];
}

/**
 * Says whether this installation of rosi works, by small self-tests of its parts, and what it runs on. What is broken is in
 * the report; nothing of it throws, not even an addon that can't be loaded.
 *
 * Cost: a second or two of one processor, and some megabytes in the folder for temporary files.
 *
 * @throws RosiError `OPTION_INVALID`, `ABORTED`.
 */
export async function doctor(options: DoctorOptions = {}): Promise<DoctorReport> {
  const { gpu = false, signal } = options;
  checkFlag('gpu', gpu);
  const record = engineRecord();
  const found: { report?: NativeEngineReport } = {};
  const loads = await selfTest('addon', loadedAddon, signal);
  const works = loads.result === 'ok';
  const backends = async () => describeBackends((found.report = await runTask(() => native.engineReport([]), signal)));
  const tests = [loads, ...(await testParts(works, backends, options))];
  if (gpu) tests.push(works ? await testGpuKernels(signal) : notRun(gpuKernels, 'the addon could not be loaded'));

  const machine = describeMachine();
  const { report } = found;
  const cache = cacheFolder();
  const [size, cacheFree, folderFree, gpus] = await Promise.all([
    folderSize(cache),
    freeSpace(cache),
    freeSpace(process.cwd()),
    describeGpus(
      report?.devices ?? [],
      works ? findGpuPackages([__dirname, process.cwd()]) : [],
      record?.packages ?? '',
    ),
  ]);
  throwIfAborted(signal);
  return {
    ok: tests.every(({ result }) => result !== 'failed'),
    rosi: version,
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    addon: works ? { path: addonPath(), origin: originOf(addonPath()) } : null,
    engine: {
      name: 'llama.cpp',
      version: record?.version ?? null,
      ggml: report?.version ?? null,
      cpu: cpuOf(report),
    },
    machine,
    threads: machine.usableCores,
    gpu: gpus,
    cache: { path: cache, ...size, free: cacheFree },
    folder: { path: process.cwd(), free: folderFree },
    tests,
  };
}

/** The self-tests of what needs the addon. */
async function testParts(works: boolean, backends: () => Promise<string>, options: DoctorOptions): Promise<SelfTest[]> {
  const { signal } = options;
  const kernels = native as unknown as KernelProbes;
  const parts: [name: string, test: () => string | Promise<string>][] = [
    ['backends', backends],
    ['CPU kernels', () => testKernels(kernels)],
    ['engine', () => testEngine(kernels, { signal })],
    ['files', () => testFiles(kernels, { signal })],
  ];
  const tick = ticker(options, 'self-tests', parts.length, 'tests');
  const tests: SelfTest[] = [];
  for (const [i, [name, test]] of parts.entries()) {
    tick(i / parts.length);
    tests.push(works ? await selfTest(name, test, signal) : notRun(name, 'the addon could not be loaded'));
  }
  tick(1);
  return tests;
}

const gpuKernels = 'GPU kernels';

/** Not run where there is no library, driver or GPU; a library that can't be used has failed. */
async function testGpuKernels(signal: AbortSignal | undefined): Promise<SelfTest> {
  const probes = native as unknown as PassProbes;
  try {
    const { path, devices } = await openGpuLibrary(signal);
    const test = async () => `${testGpus(probes, path, devices)}; ${await testGpuUpdate(probes, { signal })}`;
    return await selfTest(gpuKernels, test, signal);
  } catch (error) {
    if (!(error instanceof RosiError && error.code === 'GPU_FAILED')) throw error;
    const { message, details } = error;
    return details.library === undefined
      ? notRun(gpuKernels, message)
      : { name: gpuKernels, result: 'failed', detail: message };
  }
}

/** @throws RosiError `ADDON_MISSING` */
function loadedAddon(): string {
  if (typeof native.engineReport === 'function') return 'loaded';
  throw new Error(`${addonPath()} is of another version of rosi: build or install it again`);
}

function originOf(path: string): 'prebuilt' | 'built here' {
  return path.includes(`${sep}prebuilds${sep}`) ? 'prebuilt' : 'built here';
}

function describeBackends({ devices }: NativeEngineReport): string {
  return [...new Set(devices.map(({ backend }) => backend))].join(', ');
}

/** The engine has a library for each kind of processor, named after it, and loads the best that runs on this one. */
function cpuOf(report: NativeEngineReport | undefined): DoctorReport['engine']['cpu'] {
  const cpu = report?.devices.find(({ kind }) => kind === 'cpu');
  if (cpu === undefined) return null;
  const { library, features } = cpu;
  return { variant: variantOf(library), library, features };
}

/** Of `libggml-cpu-haswell.so`, haswell; of a library without a kind it was compiled for one processor. */
export function variantOf(library: string): string {
  return /^(?:lib)?ggml-cpu-([\w.-]+?)\.(?:so|dylib|dll)$/u.exec(basename(library))?.[1] ?? 'native';
}
