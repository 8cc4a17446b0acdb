import { RosiError } from './errors';
import { native, runTask, type SessionHandle } from './native';
import { ticker, type CallOptions } from './stage';

// A smaller gain does not pay for the risk that processors get busy later.
const worthwhile = 1.25;
// Tokens of the prompt that is measured: prompts are the load, and batches scale better than single tokens. A large
// model gets as many as one thread runs in about this time.
const tokens = { least: 4, most: 128 };
const milliseconds = 500;

/**
 * The fastest of one, half and all processors. The engine's threads wait for each other by spinning: where processors
 * are shared, with other programs or with other machines on the same host, one thread can be many times faster than two.
 * Nothing but a measurement tells.
 */
export async function fastestThreads(session: SessionHandle, most: number, options: CallOptions): Promise<number> {
  const { nContext, nVocab } = native.sessionInfo(session);
  const others = [...new Set([Math.ceil(most / 2), most])].filter((threads) => threads > 1);
  if (others.length === 0) return 1;
  const tick = ticker(options, 'threads');
  const measure = async (threads: number, count: number, limit?: number): Promise<number> => {
    const prompt = Int32Array.from({ length: Math.min(count, nContext) }, (_, i) => i % nVocab);
    const start = performance.now();
    await runPrompt(session, prompt, threads, limit, options.signal);
    return performance.now() - start;
  };
  tick(0);
  await measure(1, 1); // reads the weights from the disk
  const short = await measure(1, tokens.least);
  const fitting = Math.floor((milliseconds / short) * tokens.least);
  const count = Math.min(tokens.most, Math.max(tokens.least, fitting));
  let best = { threads: 1, time: count === tokens.least ? short : await measure(1, count) };
  for (const [i, threads] of others.entries()) {
    tick((1 + i) / (1 + others.length));
    const limit = best.time / worthwhile;
    const time = await measure(threads, count, limit);
    if (time < limit) best = { threads, time };
  }
  tick(1);
  return best.threads;
}

/** Cut off at `limit` milliseconds: what takes longer has lost already, and may take very much longer. */
async function runPrompt(
  session: SessionHandle,
  prompt: Int32Array,
  threads: number,
  limit: number | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await runTask(() => {
      const task = native.nextTokenLogits(session, { prompts: [prompt], threads }, () => {});
      if (limit !== undefined) timer = setTimeout(() => task.cancel(), limit);
      return task;
    }, signal);
  } catch (error) {
    const cutOff = error instanceof RosiError && error.code === 'ABORTED' && !signal?.aborted;
    if (!cutOff) throw error;
  } finally {
    clearTimeout(timer);
  }
}
