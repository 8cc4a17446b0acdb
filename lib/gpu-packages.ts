import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** One of @node-llama-cpp's packages with a GPU backend of the engine. */
export interface GpuPackage {
  name: string;
  version: string;
  folder: string;
}

const systems: Record<string, string> = { linux: 'linux', darwin: 'mac', win32: 'win' };
const backend = /^(lib)?ggml-(cuda|vulkan|metal)\.(so|dylib|dll)$/u;

/** What the packages for this platform are called, up to the kind of GPU. */
export const gpuPackagePrefix = `@node-llama-cpp/${systems[process.platform] ?? process.platform}-${process.arch}-`;

/** GPU packages of this platform in the `node_modules` above these folders, each folder once. */
export function findGpuPackages(folders: readonly string[]): GpuPackage[] {
  const [scope, prefix] = gpuPackagePrefix.split('/') as [string, string];
  const scopes = new Set(folders.flatMap(above).map((folder) => join(folder, 'node_modules', scope)));
  return [...scopes].flatMap((scopeFolder) =>
    namesIn(scopeFolder)
      .filter((name) => name.startsWith(prefix) && existsSync(join(scopeFolder, name, 'package.json')))
      .map((name) => {
        const folder = join(scopeFolder, name);
        const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version?: unknown };
        return { name: `${scope}/${name}`, version: String(version), folder };
      }),
  );
}

/** Paths of a package's GPU backends: it has them in a folder of bins/. */
export function gpuLibraries({ folder }: GpuPackage): string[] {
  const bins = join(folder, 'bins');
  return namesIn(bins).flatMap((name) =>
    namesIn(join(bins, name))
      .filter((file) => backend.test(file))
      .map((file) => join(bins, name, file)),
  );
}

/** Versions of the engine and of the packages that its libraries come from; null where the package's record is missing. */
export function engineRecord(): { version: string; packages: string } | null {
  const path = join(dirname(__dirname), 'scripts', 'engine.json');
  if (!existsSync(path)) return null;
  const { version: engine, source } = JSON.parse(readFileSync(path, 'utf8')) as {
    version: string;
    source: { version: string };
  };
  return { version: engine, packages: source.version };
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

/** A folder and all that it is in. */
function above(folder: string): string[] {
  const parent = dirname(folder);
  return parent === folder ? [folder] : [folder, ...above(parent)];
}
