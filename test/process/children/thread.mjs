// A worker_threads Worker that answers once, or is at work until it is ended.
import { parentPort, workerData } from 'node:worker_threads';

import { draftUpdate, open, prompts, rosi, slowPlan } from './common.mjs';

const { work, source, output } = workerData;
const underWay = (stage) => (tick) => tick.stage === stage && tick.done > 0.01 && parentPort.postMessage('under way');

if (work === 'answer') {
  const session = await open();
  const { texts } = await session.generate(prompts(session, 20), { maxTokens: 16 });
  session.close();
  parentPort.postMessage(texts);
} else if (work === 'generate') {
  const session = await open({ onProgress: underWay('generate') });
  await session.generate(prompts(session, 2000), { maxTokens: 32 });
} else if (work === 'update') {
  await rosi.applyUpdate(source, await slowPlan(source), { output, onProgress: underWay('update') });
} else if (work === 'draft') {
  globalThis.draft = await draftUpdate(source, await slowPlan(source), { output });
  parentPort.postMessage('under way');
  setInterval(() => {}, 1000);
} else if (work === 'exit') {
  const session = await open({ onProgress: ({ stage }) => stage === 'generate' && process.exit(3) });
  await session.generate(prompts(session, 2000), { maxTokens: 32 });
}
