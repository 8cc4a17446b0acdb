// Closes a session as soon as an operation on it has begun, and tells what became of it.
import { adapterFactors, open, outcome, prompts, say } from './common.mjs';

const begin = {
  generate: (session, tokens) => session.generate(tokens, { maxTokens: 16 }),
  capture: (session, tokens) => session.capture(tokens, { streams: true, writers: [adapterFactors[0].name] }),
  logits: (session, tokens) => session.nextTokenLogits(tokens),
  adapter: (session, tokens) =>
    session.nextTokenLogits(tokens, { adapter: session.loadAdapter(adapterFactors), scale: 1 }),
}[process.argv[2]];

let busy = () => {};
const session = await open({ onProgress: ({ stage }) => stage !== 'load' && busy() });
const tokens = prompts(session, 100);
const ticked = new Promise((resolve) => (busy = resolve));
const running = begin(session, tokens).then((value) => {
  const numbers = value.streams ?? value;
  return { count: numbers.length ?? 0, finite: numbers.every?.(Number.isFinite) ?? false };
});
await ticked;
session.close();
globalThis.gc();
const result = await outcome(running);
say('result', result.code === 'FULFILLED' ? { ...result, ...(await running) } : result);
say('afterwards', await outcome((async () => session.encode('Hello'))()));
say('again', await outcome(session.nextTokenLogits([Int32Array.of(1)])));
