import { setTimeout as wait } from 'node:timers/promises';

export interface Retries {
  /** Most further tries. */
  retries: number;
  /** Ends a pause at once. */
  signal: AbortSignal;
  /** Milliseconds after which another try is worth it; null where none is. `tries`: how many there were. */
  pauseAfter(error: unknown, tries: number): number | null;
}

/**
 * What `attempt` gives, tried again after failures that may pass. Nothing is left running when it has ended.
 *
 * @throws What the last try threw; an AbortError when the signal ended a pause.
 */
export async function withRetries<T>(attempt: () => Promise<T>, { retries, signal, pauseAfter }: Retries): Promise<T> {
  for (let tries = 1; ; ++tries) {
    try {
      return await attempt();
    } catch (error) {
      const pause = tries > retries || signal.aborted ? null : pauseAfter(error, tries);
      if (pause === null) throw error;
      await wait(pause, undefined, { signal });
    }
  }
}

// Milliseconds.
const firstPause = 500;
const longestPause = 8000;
const longestAskedFor = 60_000;

/** A pause that doubles from try to try, less up to a quarter by chance, so that not all come back at once. */
export function growingPause(tries: number): number {
  return Math.min(firstPause * 2 ** (tries - 1), longestPause) * (1 - Math.random() / 4);
}

/**
 * The pause that an endpoint asks for in its headers, at most a minute; null where it asks for none.
 *
 * @see RFC 9110, 10.2.3: seconds or a date. `retry-after-ms` is not standard, and some services send it.
 */
export function askedPause(headers: Pick<Headers, 'get'> | undefined): number | null {
  const after = headers?.get('retry-after') ?? '';
  const seconds = Number.parseFloat(after);
  const candidates = [
    Number.parseFloat(headers?.get('retry-after-ms') ?? ''),
    Number.isNaN(seconds) ? Date.parse(after) - Date.now() : 1000 * seconds,
  ];
  const asked = candidates.find((milliseconds) => Number.isFinite(milliseconds));
  return asked === undefined ? null : Math.min(Math.max(asked, 0), longestAskedFor);
}
