// Ends an operation that is well under way: `operation.mjs NAME abort|exit [SOURCE OUTPUT]`.
import {
  adapterFactors,
  draftUpdate,
  native,
  open,
  outcome,
  prompts,
  rosi,
  runTask,
  say,
  slowPlan,
  tinyChat,
} from './common.mjs';

const [name, how, source, output] = process.argv.slice(2);
const controller = new AbortController();
const { signal } = controller;
let asked;

function end() {
  if (asked !== undefined) return;
  asked = performance.now();
  say('under way');
  if (how === 'abort') controller.abort();
  else process.exit(0);
}

/** Ends it at the first tick of a stage beyond a share. */
const options = (stage, share, note) => ({
  signal,
  threads: 1,
  onProgress: (tick) =>
    tick.stage === stage && (note === undefined || tick.note === note) && tick.done > share && tick.done < 1 && end(),
});

const operations = {
  load: () => {
    const opening = open({ signal });
    end(); // a tiny model is loaded before a tick could arrive here
    return opening;
  },
  capture: async () => {
    const session = await open(options('capture', 0.05));
    return session.capture(prompts(session, 2000), { streams: true, writers: [adapterFactors[0].name] });
  },
  logits: async () => {
    const session = await open(options('logits', 0.05));
    return session.nextTokenLogits(prompts(session, 2000));
  },
  generate: async () => {
    const session = await open(options('generate', 0.01));
    return session.generate(prompts(session, 2000), { maxTokens: 32 });
  },
  waiting: async () => {
    const session = await runTask(() => native.openSession(tinyChat, { threads: 1 }, () => {}));
    const tokens = Array.from({ length: 2000 }, (_, i) => Int32Array.of(3, i % 1000, 5));
    const first = await new Promise((resolve) => {
      const task = native.generate(session, { prompts: tokens, maxTokens: 32 }, () => resolve(task));
    });
    setTimeout(end, 100);
    try {
      await runTask(() => native.nextTokenLogits(session, { prompts: tokens }, () => {}), signal);
    } finally {
      first.cancel();
      await outcome(first.done);
    }
  },
  search: () => rosi.harden(tinyChat, undefined, { output, ...options('search', 0.1) }),
  /** Of the output, which is written by then. */
  evaluate: () =>
    rosi.harden(tinyChat, undefined, {
      output,
      overwrite: true,
      layer: 3,
      strength: 1,
      ...options('evaluate', 0, 'after'),
    }),
  update: async () => rosi.applyUpdate(source, await slowPlan(source), { output, ...options('update', 0.3) }),
  draft: async () => {
    await draftUpdate(source, await slowPlan(source), { output, threads: 4 });
    end();
  },
};

const result = await outcome(operations[name]());
say('result', { ...result, milliseconds: performance.now() - asked });
