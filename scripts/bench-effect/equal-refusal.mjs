// Strengths at which methods refuse as many harmful validation prompts as another one does.
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { root } from '../lay-out-engine.mjs';

const load = (name) => createRequire(import.meta.url)(join(root, 'dist', `${name}.js`));
const { ModelSession, readControlVector } = load('index');
const { Evaluator, firstOf } = load('evaluator');
const { withSubject } = load('evaluation/answers');
const { ResultStore } = load('result-store');
const { buildIdentity } = load('build-identity');

const factor = 1.6;
const mostSteps = 8;
const halvings = 2;

/** A plan with `times` the strength. */
export function scaledPlan(saved, times) {
  const scaled = (tensor) => ({ ...tensor, left: tensor.left.map((value) => value * times) });
  const { edit, tensors } = saved.plan;
  return { ...saved, plan: { edit: { ...edit, strength: edit.strength * times }, tensors: tensors.map(scaled) } };
}

/**
 * `at(name, refused, start, target)` finds the least strength from `start` on, by factors of 1.6 and halvings of the last, at
 * which answers of 24 tokens to 32 harmful validation prompts are declined as often as `target`, and the drift there; null when
 * eight factors, or answers that degenerate, do not lead there. What was answered is kept in `folder`.
 */
export async function withEqualRefusal(model, { summary, validation }, { folder, threads, log }, use) {
  const session = await ModelSession.open(model, { threads });
  try {
    const evaluator = new Evaluator(session, firstOf(validation, { harmful: 32, harmless: 12, borderline: 0 }));
    const run = { maxTokens: 24, stage: 'search' };
    await evaluator.answer(session, run);
    const answer = (plan, controlVector) =>
      withSubject(session, { plan, controlVector }, {}, (asked, edit) => evaluator.answer(asked, { ...run, edit }));
    const identity = JSON.stringify({ build: buildIdentity(), model, prompts: summary.sha256 });
    const kept = ResultStore.open(folder, 'equal-refusal', identity, (value) => typeof value.kl === 'number');
    const refusals = (what, edit) => async (strength) => {
      const key = JSON.stringify([what, strength]);
      if (kept.get(key) === undefined) {
        const { refused, degenerate, screening } = await answer(...(await edit(strength)));
        kept.add([[key, { harmful: refused.harmful.share, degenerate: degenerate.share, kl: screening.kl }]]);
      }
      return kept.get(key);
    };
    const refusedBy = {
      plan: (saved) => refusals(saved.plan.edit, (strength) => [scaledPlan(saved, strength), null]),
      controlVector: (path) => refusals(path, async (strength) => [null, await readControlVector(path, strength)]),
    };
    const at = async (name, refused, start, target) => {
      const reaches = async (strength) => {
        const { harmful, degenerate, kl } = await refused(strength);
        log(
          `  ${name}, ${strength.toPrecision(3)}: refuses ${harmful.toFixed(3)} of harmful, wanted ${target.toFixed(3)}`,
        );
        return { yes: harmful >= target, broken: degenerate > 0.5, kl };
      };
      let [below, above, drift] = [0, start, 0];
      for (let step = 0; ; ++step) {
        const { yes, broken, kl } = await reaches(above);
        drift = kl;
        if (yes) break;
        if (broken || step === mostSteps) return null;
        [below, above] = [above, above * factor];
      }
      for (let i = 0; i < halvings && below !== 0; ++i) {
        const middle = Math.sign(above) * Math.sqrt(below * above);
        const { yes, kl } = await reaches(middle);
        if (yes) [above, drift] = [middle, kl];
        else below = middle;
      }
      return { strength: Number(above.toPrecision(3)), kl: drift };
    };
    return await use(at, refusedBy);
  } finally {
    session.close();
  }
}
