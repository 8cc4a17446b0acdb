// Strengths at which methods refuse as many harmful validation prompts as another one does.
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { root } from '../lay-out-engine.mjs';

const load = (name) => createRequire(import.meta.url)(join(root, 'dist', `${name}.js`));
const { ModelSession, readControlVector } = load('index');
const { Evaluator, firstOf } = load('evaluator');
const { withSubject } = load('evaluation/answers');

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
 * eight factors, or answers that degenerate, do not lead there.
 */
export async function withEqualRefusal(model, { validation }, { threads, log }, use) {
  const session = await ModelSession.open(model, { threads });
  try {
    const evaluator = new Evaluator(session, firstOf(validation, { harmful: 32, harmless: 12, borderline: 0 }));
    const run = { maxTokens: 24, stage: 'search' };
    await evaluator.answer(session, run);
    const answer = (plan, controlVector) =>
      withSubject(session, { plan, controlVector }, {}, (asked, edit) => evaluator.answer(asked, { ...run, edit }));
    const refusedBy = {
      plan: (saved) => (strength) => answer(scaledPlan(saved, strength), null),
      controlVector: (path) => async (strength) => answer(null, await readControlVector(path, strength)),
    };
    const at = async (name, refused, start, target) => {
      const reaches = async (strength) => {
        const { refused: shares, degenerate, screening } = await refused(strength);
        log(
          `  ${name}, ${strength.toPrecision(3)}: refuses ${shares.harmful.share.toFixed(3)} of harmful, wanted ${target.toFixed(3)}`,
        );
        return { yes: shares.harmful.share >= target, broken: degenerate.share > 0.5, kl: screening.kl };
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
