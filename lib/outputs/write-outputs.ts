import { resolve } from 'node:path';

import { RosiError } from '../errors';
import type { PlannedTensor } from '../native';
import { adapterOf } from '../push';
import { ModelSession } from '../session';
import { controlPushes, writeControlVector } from './control-vector';
import { writeLoraAdapter } from './lora';
import { type ModelfileInfo, writeModelfile } from './modelfile';
import { checkPeftFolder, peftModule, writePeftAdapter } from './peft';
import { savePlan } from './plan-file';
import type { SavedPlan } from './saved-plan';
import { checkFile, type FileOptions } from './whole-file';

/** What one plan can be written as, beside the edited GGUF. */
export interface OutputPaths {
  /** The plan as JSON. */
  plan?: string | undefined;
  /** LoRA adapter for llama.cpp. */
  lora?: string | undefined;
  /** Folder of a PEFT adapter. */
  peft?: string | undefined;
  /** Control vector for llama.cpp. */
  controlVector?: string | undefined;
  /** Modelfile for Ollama. */
  modelfile?: string | undefined;
}

export interface WriteOutputsOptions extends FileOptions {
  /** The GGUF that the Modelfile names; needed for one. */
  gguf?: string | undefined;
  /** Of that GGUF. Default: it is loaded for them. */
  info?: ModelfileInfo | undefined;
  /** Hears of each path once it is written. */
  onWritten?: ((path: string) => void) | undefined;
  /** System text of the Modelfile. */
  system?: string | undefined;
}

/** Throws what {@link writeOutputs} would throw about its paths, before the work that leads to it. */
export function checkOutputs(paths: OutputPaths, options: FileOptions = {}): void {
  // By name too: an input may be another output that is not there yet.
  const seen = new Map((options.inputs ?? []).map((input) => [resolve(input), 'the inputs']));
  for (const [kind, path] of given(paths)) {
    if (kind === 'peft') checkPeftFolder(path, options);
    else checkFile(path, options);
    const other = seen.get(resolve(path));
    if (other !== undefined) {
      throw new RosiError('OPTION_INVALID', `options.${kind} names the same file as ${other}: ${path}`, {
        option: kind,
        path,
      });
    }
    seen.set(resolve(path), `options.${kind}`);
  }
}

/**
 * Throws what {@link writeOutputs} would throw about the kinds of its outputs, when the tensors to be edited are known.
 *
 * @param tensors - Those that an edit may have; `adapter` null: the engine ignores an adapter of it.
 */
export function checkKinds(
  paths: OutputPaths,
  architecture: string,
  tensors: readonly Pick<PlannedTensor, 'name' | 'adapter'>[],
): void {
  if (paths.peft !== undefined) for (const { name } of tensors) peftModule(architecture, name);
  const ignored = tensors.find(({ adapter }) => adapter === null);
  if (paths.lora === undefined || ignored === undefined) return;
  throw new RosiError(
    'MODEL_UNSUPPORTED',
    `the engine has no LoRA adapter of ${ignored.name} in this model of the ${architecture} architecture: write the GGUF itself`,
    { architecture, tensor: ignored.name },
  );
}

/**
 * Writes what `paths` names, each whole or absent.
 *
 * @returns The paths, in the order in which they were written.
 * @throws RosiError as the functions for each kind. What was written before stays.
 */
export async function writeOutputs(
  paths: OutputPaths,
  { plan, provenance }: SavedPlan,
  options: WriteOutputsOptions = {},
): Promise<string[]> {
  const { overwrite, inputs, gguf, info, system } = options;
  const files = { overwrite, inputs };
  const { architecture } = provenance.source;
  checkOutputs(paths, files);
  checkKinds(paths, architecture, plan.tensors); // what can be refused without writing is, before anything is written
  const adapter = adapterOf(plan.tensors);
  if (paths.modelfile !== undefined && gguf === undefined) {
    throw new RosiError('OPTION_INVALID', 'options.modelfile needs the GGUF that it is to name: give options.gguf', {
      option: 'gguf',
    });
  }
  const write: Record<keyof OutputPaths, (path: string) => Promise<void>> = {
    plan: (path) => savePlan(path, plan, provenance, files),
    lora: (path) => writeLoraAdapter(path, architecture, adapter!, files),
    peft: (path) => writePeftAdapter(path, { architecture }, plan.tensors, files),
    controlVector: (path) => writeControlVector(path, architecture, controlPushes(plan, provenance.direction), files),
    modelfile: async (path) => writeModelfile(path, gguf!, info ?? (await infoOf(gguf!)), { ...files, system }),
  };
  const written: string[] = [];
  for (const [kind, path] of given(paths)) {
    await write[kind](path);
    written.push(path);
    options.onWritten?.(path);
  }
  return written;
}

function given(paths: OutputPaths): [keyof OutputPaths, string][] {
  return (['plan', 'lora', 'peft', 'controlVector', 'modelfile'] as const).flatMap((kind) => {
    const path = paths[kind];
    return path === undefined ? [] : [[kind, path] as [keyof OutputPaths, string]];
  });
}

async function infoOf(gguf: string): Promise<ModelfileInfo> {
  const session = await ModelSession.open(gguf, { threads: 1, readingCopy: false });
  session.close();
  return session.info;
}
