// `threads.mjs together|alone|terminate|exit|exit-main WORK SOURCE OUTPUT`: what happens to workers, and to the main thread after.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

const [scenario, work, source, output] = process.argv.slice(2);
const start = (what) =>
  new Worker(new URL('./thread.mjs', import.meta.url), { workerData: { work: what, source, output } });
const message = async (worker) => (await once(worker, 'message'))[0];

/** Not imported before: it loads the addon, and scenarios differ in who does so first. */
const common = () => import('./common.mjs');
async function answer() {
  const { open, prompts } = await common();
  const session = await open();
  const { texts } = await session.generate(prompts(session, 20), { maxTokens: 16 });
  session.close();
  return texts;
}

if (scenario === 'together') {
  const workers = [start('answer'), start('answer')];
  const answers = await Promise.all([...workers.map(message), answer()]);
  (await common()).say('answers', answers);
} else if (scenario === 'alone') {
  const worker = start('answer');
  const answers = [await message(worker)];
  await once(worker, 'exit');
  answers.push(await answer());
  (await common()).say('answers', answers);
} else if (scenario === 'exit-main') {
  const worker = start(work);
  await message(worker);
  (await common()).say('under way');
  process.exit(0);
} else {
  const before = await answer();
  const worker = start(work);
  if (scenario === 'terminate') await message(worker);
  const asked = performance.now();
  const code = scenario === 'terminate' ? await worker.terminate() : (await once(worker, 'exit'))[0];
  const milliseconds = performance.now() - asked;
  const { say } = await common();
  say('worker ended', { code, milliseconds });
  say('answers', [before, await answer()]);
}
