import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { gpuLibraries, type GpuPackage } from '../gpu-packages';
import { addonPath, type EngineDevice, type NativeEngineReport } from '../native';
import { oneLine } from '../text';

export interface GpuReport {
  packages: GpuPackage[];
  /** What the engine finds with them, and without. */
  devices: EngineDevice[];
  /** Why there is no device, or not each that one may expect; null: nothing to say. */
  note: string | null;
}

const milliseconds = 30_000;

/**
 * What GPUs the engine finds: `own`, the devices of the backends that rosi loads, and those of the packages, which a process
 * of its own asks for, since a backend stays loaded and a driver may end the process.
 *
 * @param expected - Version of the packages that the engine's libraries come from; those of another do not fit.
 */
export async function describeGpus(
  own: readonly EngineDevice[],
  packages: GpuPackage[],
  expected: string,
  ask: (libraries: string[]) => Promise<NativeEngineReport> = askInChild,
): Promise<GpuReport> {
  const gpus = (devices: readonly EngineDevice[]) => devices.filter(({ kind }) => kind !== 'cpu');
  const report = (devices: readonly EngineDevice[], note: string | null) => ({
    packages,
    devices: gpus(devices),
    note,
  });
  if (packages.length === 0)
    return report(own, gpus(own).length > 0 ? null : "none of @node-llama-cpp's GPU packages is installed");
  const fitting = packages.filter(({ version }) => version === expected);
  const others = packages.filter((one) => !fitting.includes(one));
  if (fitting.length === 0)
    return report(
      own,
      `${others.map(({ name, version }) => `${name} ${version}`).join(', ')} does not fit the engine, which is of ${expected}`,
    );
  const libraries = fitting.flatMap(gpuLibraries);
  try {
    const { devices, notLoaded } = await ask(libraries);
    const failed = notLoaded.map((path) => `${path} could not be loaded: is the GPU's driver installed?`);
    const none = failed.length === 0 && gpus(devices).length === 0 ? ['the engine finds no GPU with them'] : [];
    return report(devices, [...failed, ...none].join('\n') || null);
  } catch (error) {
    return report(own, `asking for GPUs failed: ${oneLine((error as Error).message, 300)}`);
  }
}

async function askInChild(libraries: string[]): Promise<NativeEngineReport> {
  const script =
    'require(process.argv[1]).engineReport(process.argv.slice(2)).done.then((found) => console.log(JSON.stringify(found)))';
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script, addonPath(), ...libraries], {
    timeout: milliseconds,
    windowsHide: true,
  });
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as NativeEngineReport;
}
