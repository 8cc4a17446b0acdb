import { RosiError, throwIfAborted, toRosiError } from '../errors';

/** Whether a part of the installation does what it must. */
export interface SelfTest {
  name: string;
  result: 'ok' | 'failed' | 'not run';
  /** What was tried; of the others, why. */
  detail: string;
}

/**
 * Runs a self-test, which returns what it has tried or throws why it failed.
 *
 * @throws RosiError `ABORTED`: a test that was stopped has not failed.
 */
export async function selfTest(
  name: string,
  test: () => string | Promise<string>,
  signal?: AbortSignal,
): Promise<SelfTest> {
  throwIfAborted(signal);
  try {
    return { name, result: 'ok', detail: await test() };
  } catch (thrown) {
    const error = toRosiError(thrown);
    if (error instanceof RosiError && error.code === 'ABORTED') throw error;
    return { name, result: 'failed', detail: error.message };
  }
}

export function notRun(name: string, why: string): SelfTest {
  return { name, result: 'not run', detail: why };
}
