import { rmSync } from 'node:fs';

import { captureActivations } from './capture';
import { StageClock } from './clock';
import { directionAt } from './direction';
import { toRosiError } from './errors';
import { behaviour, Screen } from './evaluate';
import { rightFactorsOf } from './factors';
import { native, runTask, type Inspection, type VerifyResult } from './native';
import { checkLayers, checkMaxTokens, resolveOptions, type HardenOptions, type Settings } from './options';
import { scaled, unitUpdate, type Edit } from './plan';
import { splitPrompts, type PromptSet, type SplitPrompts } from './prompts';
import { makeReport, type HardenReport } from './report';
import { searchEdit, type SearchResult } from './search';
import { ModelSession, ticker, type CallOptions } from './session';
import { version } from './version';
import { findWriters } from './writers';

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
  checkOutput(model, given);
  const clock = new StageClock();
  const sample = splitPrompts(prompts, { seed: given.seed });
  const file = await clock.time('inspect', () => inspect(model));
  const writers = findWriters(file);
  const session = await clock.time('load', () => ModelSession.open(model, { ...given, threads: options.threads }));
  const settings = { ...given, threads: session.threads };
  try {
    checkLayers(settings, session.info.nLayer);
    const activations = await clock.time('capture', () =>
      captureActivations(session, sample.fit, writers, { seed: settings.seed, system: settings.system ?? undefined }),
    );
    const factors = await clock.time('factors', () => rightFactorsOf(model, activations, writers, settings));
    const search: SearchResult | null =
      settings.strength !== null && settings.layer !== null
        ? null
        : await clock.time('search', () => searchEdit(session, activations, factors, sample.validation, settings));
    const edit: Edit = search?.edit ?? {
      layer: settings.layer!,
      schedule: settings.schedule,
      layers: settings.layers ?? [0, session.info.nLayer - 1],
      strength: settings.strength!,
    };
    const direction = directionAt(activations, edit.layer);
    const updates = scaled(unitUpdate(activations, direction, factors, settings.rightFactor, edit), edit.strength);
    const plan = JSON.stringify({ rightFactor: settings.rightFactor, rho: settings.rho, ...edit, seed: settings.seed });
    const before = settings.evaluate
      ? await clock.time('evaluate', () =>
          behaviour(session, sample.test, { maxTokens: settings.maxTokens, stage: 'evaluate', note: 'before' }),
        )
      : null;
    const written = await clock.time('update', () =>
      runTask(
        () =>
          native.update(
            {
              source: model,
              output: settings.output,
              overwrite: settings.overwrite,
              threads: settings.threads,
              tensors: updates,
              metadata: { 'rosi.version': version, 'rosi.plan': plan, 'rosi.prompts.sha256': sample.summary.sha256 },
            },
            ticker(settings, 'update', updates.length, 'tensors'),
          ),
        settings.signal,
      ),
    );
    try {
      const screen = settings.evaluate ? await clock.time('evaluate', () => Screen.open(session, sample.test)) : null;
      session.close();
      const after =
        screen === null
          ? null
          : await clock.time('evaluate', () => evaluateFile(settings.output, sample.test, settings, screen));
      const verified = await clock.time('verify', () => verifyUpdate(model, settings.output, settings));
      const { info } = session;
      return makeReport({
        model,
        settings,
        info,
        sample,
        search,
        edit,
        direction,
        written,
        before,
        after,
        verified,
        clock,
      });
    } catch (error) {
      rmSync(settings.output, { force: true }); // an output without its report is not what was promised
      throw error;
    }
  } finally {
    session.close();
  }
}

/** Refuses an output that could not be written, before the work that leads to it. */
function checkOutput(model: string, { output, overwrite }: Settings): void {
  try {
    native.checkOutput(model, output, overwrite);
  } catch (error) {
    throw toRosiError(error);
  }
}

async function evaluateFile(
  output: string,
  prompts: Parameters<typeof behaviour>[1],
  settings: Settings,
  screen: Screen,
) {
  const hardened = await ModelSession.open(output, settings);
  try {
    const answers = await behaviour(hardened, prompts, {
      maxTokens: settings.maxTokens,
      stage: 'evaluate',
      note: 'after',
    });
    return { ...answers, screening: await screen.compare(hardened), baseline: screen.baseline };
  } finally {
    hardened.close();
  }
}

/** What is in a GGUF file: metadata and tensors, checked. No model is loaded. */
export function inspect(path: string): Promise<Inspection> {
  return runTask(() => native.inspect(path));
}

/**
 * Checks a hardened file: its own checksum, and with `source` that it differs from it in the planned tensors and the
 * `rosi.*` keys alone.
 */
export function verifyUpdate(
  source: string | undefined,
  output: string,
  options: CallOptions = {},
): Promise<VerifyResult> {
  return runTask(() => native.verify({ source, output }, ticker(options, 'verify')), options.signal);
}

/**
 * Greedy answers of a model, in its own chat template; with `raw` it goes on with the prompts as they are.
 *
 * @param options.maxTokens - Most new tokens of an answer. Default 128.
 */
export async function generate(
  model: string,
  prompts: string[],
  options: CallOptions & {
    system?: string | undefined;
    raw?: boolean | undefined;
    maxTokens?: number | undefined;
    threads?: number | undefined;
  } = {},
): Promise<{ prompt: string; text: string }[]> {
  checkMaxTokens(options.maxTokens);
  const session = await ModelSession.open(model, options);
  try {
    const tokens = prompts.map((prompt) =>
      options.raw ? session.encodeText(prompt, session.info.addsBos) : session.encode(prompt, options.system),
    );
    const texts = await session.generate(tokens, options.maxTokens ?? 128);
    return prompts.map((prompt, i) => ({ prompt, text: texts[i]! }));
  } finally {
    session.close();
  }
}
