import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { exitCodes, RosiError, throwIfAborted, toRosiError } from '../../lib/errors';

/** As native/bindings/promise_worker.cpp makes it. */
function nativeError(message: string, code?: string, details?: object): Error {
  return Object.assign(new Error(message), { ...(code ? { code } : {}), ...(details ? { details } : {}) });
}

describe('RosiError', () => {
  test('is an Error with a code, details and a cause', () => {
    const cause = new Error('why');
    const error = new RosiError('GGUF_INVALID', 'bad', { tensor: 't' }, { cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'RosiError',
      message: 'bad',
      code: 'GGUF_INVALID',
      details: { tensor: 't' },
      cause,
    });
    expect(new RosiError('ABORTED', 'stopped').details).toEqual({});
  });
});

describe('toRosiError', () => {
  test('keeps code, message and details of a native error', () => {
    const native = nativeError('blk.0 is truncated', 'GGUF_INVALID', { tensor: 'blk.0', end: 12 });
    const error = toRosiError(native);
    expect(error).toBeInstanceOf(RosiError);
    expect(error).toMatchObject({
      code: 'GGUF_INVALID',
      message: 'blk.0 is truncated',
      details: { tensor: 'blk.0', end: 12 },
    });
    expect(error.cause).toBe(native);
  });
  test('returns a RosiError as it is', () => {
    const error = new RosiError('ABORTED', 'stopped');
    expect(toRosiError(error)).toBe(error);
  });
  test('leaves an error without a known code alone: it is a bug and its stack says where', () => {
    const bug = nativeError('std::bad_alloc');
    expect(toRosiError(bug)).toBe(bug);
    const other = nativeError('toString is no code of ours', 'toString');
    expect(toRosiError(other)).toBe(other);
  });
  test('knows what an AbortSignal throws', () => {
    const controller = new AbortController();
    controller.abort();
    expect(toRosiError(controller.signal.reason)).toMatchObject({ code: 'ABORTED' });
  });
  test('knows what the file system throws', async () => {
    const path = join(__dirname, 'no-such-file');
    const thrown: unknown = await readFile(path).catch((error: unknown) => error);
    expect(toRosiError(thrown)).toMatchObject({ code: 'FILE_FAILED', details: { path, reason: 'ENOENT' } });
  });
  test.each([['text'], [undefined], [null], [7]])('makes an Error of a thrown %p', (thrown) => {
    expect(toRosiError(thrown).message).toContain(String(thrown));
  });
});

describe('throwIfAborted', () => {
  test('throws ABORTED once the signal has fired', () => {
    const controller = new AbortController();
    expect(() => throwIfAborted(undefined)).not.toThrow();
    expect(() => throwIfAborted(controller.signal)).not.toThrow();
    controller.abort(new Error('enough'));
    expect(() => throwIfAborted(controller.signal)).toThrow(expect.objectContaining({ code: 'ABORTED' }));
  });
});

describe('error codes', () => {
  test('are those of native/core/error.h and those that only lib/ throws', () => {
    const header = readFileSync(join(__dirname, '../../native/core/error.h'), 'utf8');
    const native = [...header.matchAll(/return "([A-Z_]+)"/gu)].map((match) => match[1]);
    expect(native.length).toBeGreaterThan(7);
    for (const code of native) expect(exitCodes).toHaveProperty(code as string);
  });
  test('each have an exit code that no shell uses for its own purposes', () => {
    for (const code of Object.values(exitCodes)) expect(code === 130 || (code >= 2 && code < 64)).toBe(true);
  });
  test('are all in docs/cli.md with their exit code', () => {
    const page = readFileSync(join(__dirname, '../../docs/cli.md'), 'utf8');
    for (const [code, exit] of Object.entries(exitCodes))
      expect(page).toMatch(new RegExp(`\\| ${exit} \\|.*${code}`, 'u'));
  });
});
