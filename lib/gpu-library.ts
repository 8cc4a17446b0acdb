import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { RosiError } from './errors';
import { addonPath, native, runTask, type GpuDevice } from './native';

const name = { win32: 'rosi-cuda.dll' }[process.platform as string] ?? 'librosi-cuda.so';

/** Where the library with the kernels for GPUs is: `ROSI_GPU_LIBRARY`, beside the addon, or where a checkout builds it; null: nowhere. */
export function findGpuLibrary(given: string | undefined = process.env.ROSI_GPU_LIBRARY): string | null {
  if (given !== undefined && given !== '') return given;
  const beside = dirname(addonPath());
  return [join(beside, name), join(dirname(beside), 'cuda', name)].find((path) => existsSync(path)) ?? null;
}

export interface GpuLibrary {
  path: string;
  /** At least one. */
  devices: GpuDevice[];
}

/**
 * The library, once it has found a GPU.
 *
 * @throws RosiError `GPU_FAILED` with what is missing; `ABORTED`.
 */
export async function openGpuLibrary(signal?: AbortSignal): Promise<GpuLibrary> {
  const path = findGpuLibrary();
  if (path !== null) return { path, devices: await runTask(() => native.gpuDevices(path), signal) };
  const folder = dirname(addonPath());
  throw new RosiError('GPU_FAILED', `no ${name} in ${folder}: docs/devices.md says how to build it`, {
    expected: name,
    folder,
  });
}

/** {@link openGpuLibrary} where options.gpuUpdate asks for it. */
export async function requireGpuLibrary(signal?: AbortSignal): Promise<GpuLibrary> {
  try {
    return await openGpuLibrary(signal);
  } catch (error) {
    const { code, message, details } = error as RosiError;
    if (code !== 'GPU_FAILED') throw error;
    const what = `options.gpuUpdate: ${message}. Without it the processor writes the same file`;
    throw new RosiError(code, what, details, { cause: error });
  }
}
