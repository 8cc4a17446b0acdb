// Opens and closes sessions, and tells after every 20 what memory the process holds.
import { adapterFactors, open, prompts, say } from './common.mjs';

const count = Number(process.argv[2]);

/** Bytes beyond V8's heap, whose size is V8's own choice. */
async function held() {
  for (let i = 0; i < 3; ++i) {
    globalThis.gc();
    await new Promise(setImmediate); // finalisers run here
  }
  const { rss, heapTotal } = process.memoryUsage();
  return rss - heapTotal;
}

for (let i = 1; i <= count; ++i) {
  const session = await open();
  const tokens = prompts(session, 2);
  if (i % 2 === 0) {
    const adapter = session.loadAdapter(adapterFactors);
    await session.generate(tokens, { maxTokens: 2, edit: { adapter, scale: 1 } });
  }
  if (i % 3 === 0) await session.capture(tokens, { streams: true, writers: [adapterFactors[0].name] });
  session.close();
  if (i % 5 === 0) session.close();
  if (i % 20 === 0) say(`held after ${i}`, await held());
}
