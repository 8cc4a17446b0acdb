// Finds and loads the native addon: build/Release of a checkout, else prebuilds/. Only lib/native.ts loads it.
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { RosiError } from './errors';

/** What we use of node-gyp-build, which has no types. */
interface NodeGypBuild {
  path(packageFolder: string): string;
}

/** Where the addon is; throws when there is none. */
export function addonPath(packageFolder: string = dirname(__dirname)): string {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return (require('node-gyp-build') as NodeGypBuild).path(packageFolder);
}

/**
 * The addon's exports, not yet typed.
 *
 * @param packageFolder - Folder of package.json.
 * @throws {@link RosiError} `ADDON_MISSING`: its message says what was looked for, what was found and what mends it.
 */
export function loadAddon(packageFolder: string = dirname(__dirname)): unknown {
  let file: string | undefined;
  try {
    file = addonPath(packageFolder);
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    return require(file);
  } catch (cause) {
    throw addonMissing(packageFolder, file, cause);
  }
}

function addonMissing(packageFolder: string, file: string | undefined, cause: unknown): RosiError {
  const target = `${process.platform}-${process.arch}`;
  const libc = libcName();
  const reason = cause instanceof Error ? cause.message.trim().split('\n')[0] : String(cause);
  const command = packageFolder.includes(`${sep}node_modules${sep}`) ? 'npm rebuild rosi' : 'npm run build:addon';
  const looked = [join(packageFolder, 'build', 'Release'), join(packageFolder, 'prebuilds', target)];
  const message = [
    `rosi's native addon could not be loaded on ${target}${libc && ` with ${libc}`}, Node ${process.versions.node}.`,
    'Looked for a .node file in:',
    ...looked.map((folder) => `  ${folder}: ${describe(folder)}`),
    ...(file ? [`Loading ${file} failed: ${reason}`] : otherPrebuilds(packageFolder)),
    `To mend it, run: ${command}   (in ${packageFolder}; needs CMake 3.21 or later and a C++20 compiler)`,
  ].join('\n');
  return new RosiError('ADDON_MISSING', message, { target, libc, looked, file, reason, command }, { cause });
}

function describe(folder: string): string {
  if (!existsSync(folder)) return 'no such folder';
  const names = readdirSync(folder);
  const addons = names.filter((name) => name.endsWith('.node'));
  if (addons.length > 0) return `has ${addons.join(', ')} and ${names.length - addons.length} other files`;
  return names.length > 0 ? `has no .node file, only ${names.slice(0, 5).join(', ')}` : 'empty';
}

/** A package made for another platform is the usual reason, so name what it was made for. */
function otherPrebuilds(packageFolder: string): string[] {
  const folder = join(packageFolder, 'prebuilds');
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names.length > 0 ? [`This package has binaries for: ${names.join(', ')}`] : [];
}

function libcName(): string {
  if (process.platform !== 'linux') return '';
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  const version = report.header?.glibcVersionRuntime;
  return version ? `glibc ${version}` : 'musl';
}
