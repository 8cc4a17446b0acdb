/** A stable word for what went wrong. Callers switch on it; messages may be reworded in any release. */
export type RosiErrorCode =
  | 'ABORTED'
  | 'ADDON_MISSING'
  | 'ALREADY_HARDENED'
  | 'ENGINE_FAILED'
  | 'FILE_FAILED'
  | 'GGUF_INVALID'
  | 'GPU_FAILED'
  | 'JUDGE_FAILED'
  | 'MODEL_UNSUPPORTED'
  | 'OPTION_INVALID'
  | 'OUTPUT_EXISTS'
  | 'PLAN_INVALID'
  | 'PROMPTS_INVALID'
  | 'PROMPTS_TOO_FEW'
  | 'RECORD_MISSING'
  | 'SERVER_FAILED'
  | 'STRENGTH_NOT_FOUND'
  | 'TARGET_NOT_MET'
  | 'TEMPLATE_FAILED'
  | 'TENSOR_UNSUPPORTED'
  | 'UNDO_INVALID'
  | 'UPDATE_LOST';

/** Exit status of the `rosi` command for each error; docs/cli.md has the table for people. */
export const exitCodes: Readonly<Record<RosiErrorCode, number>> = {
  OPTION_INVALID: 2,
  PROMPTS_INVALID: 3,
  PROMPTS_TOO_FEW: 3,
  GGUF_INVALID: 4,
  PLAN_INVALID: 4,
  MODEL_UNSUPPORTED: 5,
  TENSOR_UNSUPPORTED: 5,
  ALREADY_HARDENED: 5,
  TEMPLATE_FAILED: 5,
  FILE_FAILED: 6,
  OUTPUT_EXISTS: 6,
  ADDON_MISSING: 7,
  ENGINE_FAILED: 7,
  GPU_FAILED: 7,
  JUDGE_FAILED: 7,
  SERVER_FAILED: 7,
  STRENGTH_NOT_FOUND: 8,
  TARGET_NOT_MET: 8,
  RECORD_MISSING: 9, // the status of verify when a file does not verify
  UPDATE_LOST: 8,
  UNDO_INVALID: 9,
  ABORTED: 130, // 128 + SIGINT, what a shell shows for a program stopped by Ctrl-C
};

/** The names and numbers of an error's message, for programs. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** The one error type that this library throws on purpose. Anything else that leaves it is a bug in it. */
export class RosiError extends Error {
  override readonly name = 'RosiError';

  constructor(
    readonly code: RosiErrorCode,
    message: string,
    readonly details: ErrorDetails = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/**
 * Turns what native code, the file system or an AbortSignal threw into a {@link RosiError}, kept as its `cause`.
 * An error that says nothing about its kind is a bug and comes back as it is, so that its stack survives.
 */
export function toRosiError(error: unknown): Error {
  if (error instanceof RosiError) return error;
  if (!isObject(error)) return new Error(`something other than an Error was thrown: ${String(error)}`);
  const message = typeof error.message === 'string' ? error.message : String(error);
  if (isCode(error.code)) {
    return new RosiError(error.code, message, isObject(error.details) ? { ...error.details } : {}, { cause: error });
  }
  if (error.name === 'AbortError' || error.name === 'TimeoutError') {
    return new RosiError('ABORTED', 'stopped by the caller', {}, { cause: error });
  }
  if (typeof error.code === 'string' && typeof error.syscall === 'string') {
    const { code: reason, path, syscall } = error;
    return new RosiError('FILE_FAILED', message, { path, reason, syscall }, { cause: error });
  }
  return error instanceof Error ? error : new Error(message, { cause: error });
}

/** Throws `ABORTED` when the signal has fired, whatever reason it was given. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new RosiError('ABORTED', 'stopped by the caller', {}, { cause: signal.reason });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isCode(value: unknown): value is RosiErrorCode {
  return typeof value === 'string' && Object.hasOwn(exitCodes, value);
}
