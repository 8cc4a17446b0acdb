import { freemem } from 'node:os';
import { join } from 'node:path';

import { cacheFolder } from './cache-folder';
import type { NativeReadingCopy } from './native';

/**
 * Whether the engine reads a copy of the model: `ROSI_READING_COPY` 0 never, 1 always where there are weights that a copy
 * changes, else where this processor has a matrix unit. docs/devices.md
 */
export function readingCopy(env: NodeJS.ProcessEnv = process.env): NativeReadingCopy | undefined {
  if (env.ROSI_READING_COPY === '0') return undefined;
  return {
    folder: join(cacheFolder(env), 'reading'),
    // Its matrices are held in memory that the system can't take back, as those of a mapped file could be.
    maxBytes: Math.floor(freemem() / 2),
    always: env.ROSI_READING_COPY === '1',
  };
}
