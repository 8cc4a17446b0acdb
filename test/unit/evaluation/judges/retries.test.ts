import { askedPause, growingPause, withRetries } from '../../../../lib/evaluation/judges/retries';

const never = new AbortController().signal;

describe('withRetries', () => {
  test('gives what a later try gives, and counts tries from one', async () => {
    const counted: number[] = [];
    const pauseAfter = (_: unknown, tries: number) => (counted.push(tries), 0);
    let calls = 0;
    const attempt = () => (++calls < 4 ? Promise.reject(new Error(`try ${calls}`)) : Promise.resolve('done'));
    expect(await withRetries(attempt, { retries: 3, signal: never, pauseAfter })).toBe('done');
    expect(counted).toEqual([1, 2, 3]);
  });

  test.each([
    ['all tries failed', 2, 0, 3],
    ['another is not worth it', 2, null, 1],
    ['there are to be none', 0, 0, 1],
  ])('throws what the last try threw when %s', async (_, retries, pause, tries) => {
    let calls = 0;
    const attempt = () => Promise.reject(new Error(`try ${++calls}`));
    const trying = withRetries(attempt, { retries, signal: never, pauseAfter: () => pause });
    await expect(trying).rejects.toThrow(`try ${tries}`);
    expect(calls).toBe(tries);
  });

  test('a stop ends the pause, and nothing is tried after it', async () => {
    const controller = new AbortController();
    let calls = 0;
    const attempt = () => (++calls, Promise.reject(new Error('no')));
    const trying = withRetries(attempt, { retries: 9, signal: controller.signal, pauseAfter: () => 1e8 });
    setTimeout(() => controller.abort(), 10);
    await expect(trying).rejects.toMatchObject({ name: 'AbortError' });
    expect(calls).toBe(1);
  });
});

test('pauses double up to eight seconds, less up to a quarter', () => {
  for (const [tries, most] of [500, 1000, 2000, 4000, 8000, 8000].entries()) {
    const pause = growingPause(tries + 1);
    expect(pause).toBeGreaterThan(0.75 * most - 1);
    expect(pause).toBeLessThanOrEqual(most);
  }
});

describe('askedPause', () => {
  test.each([
    [{}, null],
    [{ 'retry-after': '2' }, 2000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after': '2', 'retry-after-ms': '70' }, 70],
    [{ 'retry-after': 'soon' }, null],
    [{ 'retry-after-ms': 'x', 'retry-after': '1' }, 1000],
    [{ 'retry-after': '-3' }, 0],
    [{ 'retry-after': '86400' }, 60_000],
    [{ 'retry-after': new Date(0).toUTCString() }, 0],
  ])('%j: %s ms', (headers: Record<string, string>, pause) => {
    expect(askedPause(new Headers(headers))).toBe(pause);
  });
  test('until a date', () => {
    const pause = askedPause(new Headers({ 'retry-after': new Date(Date.now() + 20_000).toUTCString() }))!;
    expect(pause).toBeGreaterThan(15_000);
    expect(pause).toBeLessThanOrEqual(20_000);
  });
  test('of a failure without headers', () => expect(askedPause(undefined)).toBeNull());
});
