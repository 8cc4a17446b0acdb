import { rmSync } from 'node:fs';

import { requireFirst } from './already-hardened';
import { BeforeAfter } from './before-after';
import { StageClock } from './clock';
import { evaluateFully } from './evaluation/full';
import { findEdit } from './find-edit';
import { requireGpuLibrary } from './gpu-library';
import { inspect } from './inspect';
import { checkCopy, copyFiles, modelFiles } from './model-files';
import { resolveOptions, type HardenOptions, type Settings } from './options';
import { provenanceKeys, provenanceOf } from './outputs/saved-plan';
import { checkOutputs, writeOutputs } from './outputs/write-outputs';
import { splitPrompts, type PromptSet, type SplitPrompts } from './prompts';
import { makeReport, type HardenReport } from './report';
import { ModelSession } from './session';
import { checkUndo, undoFileOf, undoMetadata, writeUndoOf } from './undo/undo-option';
import { verifyUpdate } from './verify';
import { writeFaithfully } from './write-faithfully';

/**
 * Writes a copy of a GGUF model that refuses harmful requests more often. `model` is only read.
 *
 * Each matrix W that writes to the residual stream becomes `W + strength * left * rightᵀ`: `left` lies along the unit
 * vector from the mean harmless to the mean harmful activation, `right` is a detector of harmful inputs (`gated`) or
 * the paper's mean row. Layer and strength are chosen by effect on validation prompts unless given.
 *
 * Cost: a forward pass a fitting prompt, a few hundred for the search, two generations for the report, and one pass
 * over the file. Memory: the model, the captured inputs, and what {@link applyUpdate} takes.
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
  given.output = checkPaths(model, given); // before the work that leads to them
  const clock = new StageClock();
  const sample = splitPrompts(prompts, { seed: given.seed, keep: options.keep });
  const file = await clock.time('inspect', () => inspect(model));
  requireFirst(file, model, given.again);
  if (given.gpuUpdate) await requireGpuLibrary(given.signal); // it would be missed when all else is done
  const session = await clock.time('load', () => ModelSession.open(model, { ...given, threads: options.threads }));
  const settings = { ...given, threads: session.threads };
  const { info } = session;
  try {
    const found = await findEdit(session, file, sample, settings, clock);
    const observed = await BeforeAfter.begin(session, sample, found, settings, clock);
    session.close();
    const provenance = provenanceOf(found, settings, sample.summary);
    const metadata = { ...provenanceKeys(provenance), ...undoMetadata(settings.undo) };
    const { draft, ...finished } = await writeFaithfully(model, file, found.plan, observed, {
      settings,
      metadata,
      clock,
    });
    const beside: string[] = [];
    try {
      const after = await observed.after(draft.path);
      const { undoBytes, written } = await writeUndoOf(model, settings, draft, clock);
      const undoFile = undoFileOf(settings.undo);
      if (undoFile !== null) beside.push(undoFile);
      const full = () => evaluateFully(model, draft.path, sample.test, settings);
      const evaluation = settings.evaluate === 'full' ? await clock.time('evaluate', full) : null;
      const verified = await clock.time('verify', () => verifyUpdate(model, draft.path, settings));
      const { before } = observed;
      const parts = {
        model,
        settings,
        info,
        sample,
        found,
        ...finished,
        written,
        before,
        after,
        evaluation,
        undoBytes,
        verified,
      };
      const report = makeReport({ ...parts, clock });
      const source = { sha256: written.sourceSha256, architecture: info.architecture };
      const { output, overwrite } = settings;
      const inputs = [...modelFiles(model), ...copyFiles(model, output)];
      const files = { overwrite, inputs, gguf: output, info, onWritten: (path: string) => beside.push(path) };
      await writeOutputs(settings.outputs, { plan: found.plan, provenance: { ...provenance, source } }, files);
      draft.publish();
      return report;
    } catch (error) {
      // With overwrite they may have replaced others, which are not brought back by removing them.
      if (!settings.overwrite) for (const path of beside) rmSync(path, { recursive: true, force: true });
      throw error;
    } finally {
      draft.discard(); // an output without its report is not what was promised
    }
  } finally {
    session.close();
  }
}

/** @returns The path of the output, of a split model of its first file. */
function checkPaths(model: string, { output, undo, outputs, overwrite }: Settings): string {
  const written = checkCopy(model, output, overwrite);
  const inputs = [...modelFiles(model), ...written];
  checkUndo(model, undo, written, { overwrite, inputs });
  const undoFile = undoFileOf(undo);
  if (undoFile !== null) inputs.push(undoFile);
  checkOutputs(outputs, { overwrite, inputs });
  return written[0]!;
}
