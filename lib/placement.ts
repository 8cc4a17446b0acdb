import { RosiError } from './errors';
import { engineRecord, findGpuPackages, gpuLibraries, gpuPackagePrefix, type GpuPackage } from './gpu-packages';
import type { NativePlacement } from './native';

/** Where a model computes besides this machine's processor; docs/devices.md. What is written to files is computed here. */
export interface PlacementOptions {
  /**
   * RPC servers of the engine, `host:port` each (llama.cpp's `rpc-server` of the engine's version): the model's blocks are
   * spread over them by their memory, so that one larger than this machine can be read. They are not authenticated and
   * nothing is encrypted: trusted networks only. `threads` are then all processors, unmeasured. Default: none.
   */
  rpc?: readonly string[] | undefined;
  /**
   * Blocks that run on the servers, or without any on this machine's GPUs, counted from the last, the output head as one;
   * 0: none. GPUs need one of @node-llama-cpp's packages beside rosi: `rosi doctor --gpu`. Default: all with `rpc`, else 0.
   */
  gpuLayers?: number | undefined;
}

const server = /^[^\s:/[\]]+:(\d{1,5})$/u;
// The engine's names for what it copies between devices begin with the server's and are cut at 63 characters: a longer one leaves
// too little to tell tensors by.
const longest = 32;

/** @throws RosiError `OPTION_INVALID`. */
export function checkPlacement({ rpc, gpuLayers }: PlacementOptions): void {
  const refuse = (option: string, message: string, value: unknown) => {
    throw new RosiError('OPTION_INVALID', `options.${option} must be ${message}; got ${JSON.stringify(value)}`, {
      option,
      value,
    });
  };
  if (rpc !== undefined && !Array.isArray(rpc)) refuse('rpc', 'a list of host:port', rpc);
  for (const one of rpc ?? []) {
    const port = typeof one === 'string' ? Number(server.exec(one)?.[1]) : NaN;
    if (!(port >= 1 && port <= 65_535)) refuse('rpc', 'host:port each, a name or IPv4 address and 1 to 65535', one);
    if ((one as string).length > longest)
      refuse('rpc', `host:port of at most ${longest} characters each; give the address or a short name for it`, one);
  }
  if (rpc !== undefined && new Set(rpc).size < rpc.length) refuse('rpc', 'different servers', rpc);
  if (gpuLayers !== undefined && !(Number.isInteger(gpuLayers) && gpuLayers >= 0 && gpuLayers <= 10_000))
    refuse('gpuLayers', 'a whole number, 0 to 10000', gpuLayers);
}

/**
 * What the engine is told.
 *
 * @param packages - GPU packages that are installed.
 * @throws RosiError `OPTION_INVALID`, `ENGINE_FAILED` where GPUs are asked for and no package fits.
 */
export function resolvePlacement(
  { rpc = [], gpuLayers }: PlacementOptions,
  packages: () => readonly GpuPackage[] = () => findGpuPackages([__dirname, process.cwd()]),
): NativePlacement {
  checkPlacement({ rpc, gpuLayers });
  if (rpc.length > 0) return { servers: [...rpc], gpuLibraries: [], gpuLayers: gpuLayers ?? -1 };
  if (gpuLayers === undefined || gpuLayers === 0) return { servers: [], gpuLibraries: [], gpuLayers: 0 };
  return { servers: [], gpuLibraries: librariesOf(packages()), gpuLayers };
}

function librariesOf(packages: readonly GpuPackage[]): string[] {
  // The packages for macOS have their GPU backend in the libraries that rosi ships.
  if (process.platform === 'darwin') return [];
  const expected = engineRecord()?.packages;
  const libraries = packages.filter(({ version }) => version === expected).flatMap(gpuLibraries);
  if (libraries.length > 0) return libraries;
  const found = packages.map(({ name, version }) => `${name} ${version}`).join(', ');
  throw new RosiError(
    'ENGINE_FAILED',
    `options.gpuLayers needs a GPU package of the engine's version, ${expected ?? 'unknown'}: ` +
      `${found === '' ? 'none is installed' : `found ${found}`}. ` +
      `Install one, e.g.: npm install ${gpuPackagePrefix}cuda@${expected ?? 'VERSION'}, or ${gpuPackagePrefix}vulkan`,
    { expected, found: packages },
  );
}
