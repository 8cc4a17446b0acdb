import { StageClock } from './clock';
import { Evaluator } from './evaluate';
import { findEdit } from './find-edit';
import { inspect } from './inspect';
import { checkCopy } from './model-files';
import { resolveOptions, type HardenOptions, type Settings } from './options';
import { splitPrompts, type PromptSet, type SplitPrompts } from './prompts';
import { provenanceKeys } from './outputs/saved-plan';
import { makeReport, type HardenReport } from './report';
import { ModelSession } from './session';
import { draftUpdate } from './update';
import { verifyUpdate } from './verify';

/**
 * Writes a copy of a GGUF model that refuses harmful requests more often. `model` is only read.
 *
 * Each matrix W that writes to the residual stream becomes `W + strength * left * rightᵀ`: `left` lies along the unit
 * vector from the mean harmless to the mean harmful activation, `right` is a detector of harmful inputs (`gated`) or
 * the paper's mean row. Layer and strength are chosen by effect on validation prompts unless given.
 *
 * Cost: a forward pass a fitting prompt, a few hundred for the search, two generations for the report, and one pass
 * over the file. Memory: the model, the captured inputs, and one tensor a thread.
 *
 * @param model - Path of a GGUF; of a split one, of its first file: the output is split in the same way.
 * @param prompts - At least 16 harmful and 16 harmless; the built-in set when undefined.
 * @returns What was changed and how it measured; the output exists only if the promise fulfils.
 * @throws RosiError with a code of {@link RosiErrorCode}.
 * @see arXiv:2508.20766 for the update; docs/method.md for what we chose where it leaves a choice.
 */
export async function harden(
  model: string,
  prompts?: PromptSet | SplitPrompts,
  options: HardenOptions = {},
): Promise<HardenReport> {
  const given = resolveOptions(model, options);
  given.output = checkCopy(model, given.output, given.overwrite)[0]!; // before the work that leads to it
  const clock = new StageClock();
  const sample = splitPrompts(prompts, { seed: given.seed });
  const file = await clock.time('inspect', () => inspect(model));
  const session = await clock.time('load', () => ModelSession.open(model, { ...given, threads: options.threads }));
  const settings = { ...given, threads: session.threads };
  try {
    const found = await findEdit(session, file, sample, settings, clock);
    const { plan } = found;
    const evaluator = settings.evaluate ? new Evaluator(session, sample.test) : null;
    const run = { maxTokens: settings.maxTokens, stage: 'evaluate' };
    const before =
      evaluator && (await clock.time('evaluate', () => evaluator.answer(session, { ...run, note: 'before' })));
    session.close();
    const draft = await clock.time('update', () =>
      draftUpdate(model, plan, {
        ...settings,
        metadata: provenanceKeys({ ...settings, system: found.system }, sample.summary.sha256),
      }),
    );
    try {
      const after =
        evaluator &&
        (await clock.time('evaluate', () =>
          withModel(draft.path, settings, (hardened) => evaluator.answer(hardened, { ...run, note: 'after' })),
        ));
      const verified = await clock.time('verify', () => verifyUpdate(model, draft.path, settings));
      const { info } = session;
      const { written } = draft;
      const report = makeReport({ model, settings, info, sample, found, written, before, after, verified, clock });
      draft.publish();
      return report;
    } finally {
      draft.discard(); // an output without its report is not what was promised
    }
  } finally {
    session.close();
  }
}

async function withModel<T>(path: string, settings: Settings, use: (session: ModelSession) => Promise<T>): Promise<T> {
  const session = await ModelSession.open(path, settings);
  try {
    return await use(session);
  } finally {
    session.close();
  }
}
