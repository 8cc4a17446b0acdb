import { join } from 'node:path';

import { cacheFolder } from './cache-folder';
import type { NativeReadingCopy } from './native';

/**
 * Where and how large a copy of the model may be that the engine reads in its place: `ROSI_READING_COPY` 0 none, 1 wherever there are
 * weights that it changes, else where this processor has AMX. docs/devices.md
 *
 * @param available - Memory of the process, bytes: of the machine or of its container.
 */
export function readingCopy(
  env: NodeJS.ProcessEnv = process.env,
  available: number = process.availableMemory(),
  platform: string = process.platform,
): NativeReadingCopy | undefined {
  // Windows removes no file that is mapped: each copy would stay.
  if (env.ROSI_READING_COPY === '0' || platform === 'win32') return undefined;
  return {
    folder: join(cacheFolder(env), 'reading'),
    // Its matrices are held in memory that the system can't take back, as those of a mapped file could be.
    maxBytes: Math.floor(available / 2),
    always: env.ROSI_READING_COPY === '1',
  };
}
