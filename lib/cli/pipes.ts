import type { EventEmitter } from 'node:events';

/**
 * What happens when a reader goes away early, as in `rosi ... | head`. Without results there is nothing left to do and
 * nothing has failed. Progress that nobody reads is no reason to stop.
 */
export function tolerateClosedPipes(stdout: EventEmitter, stderr: EventEmitter, exit: (code: number) => void): void {
  const closed = (error: NodeJS.ErrnoException) => error.code === 'EPIPE';
  stdout.on('error', (error: NodeJS.ErrnoException) => exit(closed(error) ? 0 : 1));
  stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (!closed(error)) exit(1);
  });
}
