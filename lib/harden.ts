import { captureActivations, type Streams } from './capture';
import { StageClock } from './clock';
import { chooseDirection, type Direction } from './direction';
import { RosiError } from './errors';
import { Evaluator } from './evaluate';
import { rightFactorsOf } from './factors';
import { inspect } from './inspect';
import { native } from './native';
import { checkLayers, resolveOptions, type HardenOptions, type Settings } from './options';
import { planUpdate, type UpdatePlan } from './plan';
import { splitPrompts, type PromptSet, type SplitPrompts, type SplitSample } from './prompts';
import { pushesOf, type Push } from './push';
import { makeReport, type HardenReport } from './report';
import { searchEdit, type SearchResult } from './search';
import { ModelSession } from './session';
import { draftUpdate } from './update';
import { verifyUpdate } from './verify';
import { findWriters, requireEditableTypes, type ModelWriters } from './writers';

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
 * @param model - Path of a single-file GGUF.
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
  native.checkOutput(model, given.output, given.overwrite); // before the work that leads to it
  const clock = new StageClock();
  const sample = splitPrompts(prompts, { seed: given.seed });
  const file = await clock.time('inspect', () => inspect(model));
  const session = await clock.time('load', () => ModelSession.open(model, { ...given, threads: options.threads }));
  const settings = { ...given, threads: session.threads };
  try {
    const found = await findWriters(session);
    requireEditableTypes(file, found.writers);
    checkLayers(settings, await session.depth());
    const { pushes, activations } = await read(session, sample.fit, found, settings, clock);
    const { search, direction, plan } = await decide(session, activations, pushes, sample.validation, settings, clock);
    const evaluator = settings.evaluate ? new Evaluator(session, sample.test) : null;
    const run = { maxTokens: settings.maxTokens, stage: 'evaluate' };
    const before =
      evaluator && (await clock.time('evaluate', () => evaluator.answer(session, { ...run, note: 'before' })));
    session.close();
    const draft = await clock.time('update', () =>
      draftUpdate(model, plan, { ...settings, metadata: provenance(settings, sample.summary.sha256) }),
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
      const parts = {
        model,
        settings,
        info,
        sample,
        found,
        pushes,
        search,
        plan,
        direction,
        written,
        before,
        after,
        verified,
        clock,
      };
      const report = makeReport(parts);
      draft.publish();
      return report;
    } finally {
      draft.discard(); // an output without its report is not what was promised
    }
  } finally {
    session.close();
  }
}

/** Pushes and streams; the writers' inputs, by far the most of what is captured, end here. */
async function read(
  session: ModelSession,
  prompts: SplitSample['fit'],
  { writers }: ModelWriters,
  settings: Settings,
  clock: StageClock,
): Promise<{ pushes: Push[]; activations: Streams }> {
  const { seed, system } = settings;
  const activations = await clock.time('capture', () =>
    captureActivations(session, prompts, writers, { seed, system: system ?? undefined }),
  );
  const factors = await clock.time('factors', () => rightFactorsOf(session.path, activations, writers, settings));
  const harmful = prompts.harmful.map((prompt) => session.encode(prompt));
  const pushes = await clock.time('reach', () => pushesOf(session, activations, factors, harmful, settings));
  const { nLayer, dModel, streams } = activations;
  return { pushes, activations: { nLayer, dModel, streams } };
}

/** The plan, of an edit that is given or searched. */
async function decide(
  session: ModelSession,
  activations: Streams,
  pushes: readonly Push[],
  prompts: SplitSample['validation'],
  settings: Settings,
  clock: StageClock,
): Promise<{ search: SearchResult | null; direction: Direction; plan: UpdatePlan }> {
  const { layer, layers, strength, schedule, rightFactor } = settings;
  const given =
    layer === null || strength === null
      ? null
      : { layer, schedule, layers: layers ?? ([0, activations.nLayer - 1] as const), strength };
  const search = given
    ? null
    : await clock.time('search', () => searchEdit(session, activations, pushes, prompts, settings));
  const edit = given ?? search!.edit;
  const direction = chooseDirection(activations, edit.layer);
  const plan = planUpdate(activations, direction, pushes, { ...edit, rightFactor });
  if (plan.tensors.length === 0) {
    throw new RosiError(
      'OPTION_INVALID',
      `the classes separate no further in blocks ${edit.layers.join(' to ')}, so the profile schedule has nothing to share there: choose other layers, or equal`,
      { option: 'layers', value: edit.layers },
    );
  }
  return { search, direction, plan };
}

/** What decided the edit beside the plan itself, for the file's own `rosi.*` keys. */
function provenance({ seed, rho, maxKl, system }: Settings, promptsSha256: string): Record<string, string> {
  return { 'rosi.prompts.sha256': promptsSha256, 'rosi.settings': JSON.stringify({ seed, rho, maxKl, system }) };
}

async function withModel<T>(path: string, settings: Settings, use: (session: ModelSession) => Promise<T>): Promise<T> {
  const session = await ModelSession.open(path, settings);
  try {
    return await use(session);
  } finally {
    session.close();
  }
}
