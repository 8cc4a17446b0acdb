import { lstat, readdir, statfs } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';

export interface Machine {
  /** Null where the system does not tell. */
  processor: string | null;
  /** Logical processors of the machine, and how many of them this process may use. */
  cores: number;
  usableCores: number;
  /** Bytes. `available`: to this process without swapping. `limit`: of its container or session; null: none. */
  memory: { total: number; available: number; limit: number | null };
}

export function describeMachine(): Machine {
  const processors = cpus();
  const total = totalmem();
  const limit = process.constrainedMemory();
  return {
    processor: processors[0]?.model.trim() ?? null,
    cores: processors.length,
    usableCores: availableParallelism(),
    // Without a limit systems say 0, or more than there is.
    memory: { total, available: process.availableMemory(), limit: limit > 0 && limit < total ? limit : null },
  };
}

/** Of a folder and all in it; of one that is not there, nothing. Files that go away meanwhile are not counted. */
export async function folderSize(folder: string): Promise<{ bytes: number; files: number }> {
  let [bytes, files] = [0, 0];
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      const inner = await folderSize(path);
      bytes += inner.bytes;
      files += inner.files;
    } else {
      const found = await lstat(path).catch(() => null);
      bytes += found?.size ?? 0;
      files += found === null ? 0 : 1;
    }
  }
  return { bytes, files };
}

/** Bytes that this user may write in a folder, or where it would be made; null where the system does not tell. */
export async function freeSpace(folder: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch (error) {
    const above = dirname(folder);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || above === folder) return null;
    return freeSpace(above);
  }
}
