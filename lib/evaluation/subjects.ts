import { statSync } from 'node:fs';
import { basename } from 'node:path';

import { safetyPrompt } from '../baseline';
import { RosiError, toRosiError } from '../errors';
import { modelFiles } from '../model-files';
import { native, type Tick } from '../native';
import type { LayerPush } from '../outputs/control-vector';
import type { SavedPlan } from '../outputs/saved-plan';
import { runStage, type CallOptions } from '../stage';
import { counted } from '../text';
import type { Subject } from './answers';
import type { EvaluatedModel } from './evaluation';

/** A model to be evaluated. */
export interface ModelToEvaluate {
  /** Path of a GGUF; of a split one, of its first file. */
  model: string;
  /** Default: the file's name, its path where names are the same, and what is added to it. */
  name?: string | undefined;
  /** Said before every request. Default none. */
  system?: string | undefined;
  /** An edit that acts at run time, exactly, without a file of its own. Default none. */
  plan?: SavedPlan | undefined;
  /** A control vector that acts at run time: `readControlVector`. Not together with a plan. Default none. */
  controlVector?: readonly LayerPush[] | undefined;
}

/** A model as it is asked, and as the report describes it. */
export interface NamedSubject {
  subject: Subject;
  described: EvaluatedModel;
}

/** @throws RosiError `OPTION_INVALID`, `FILE_FAILED`, `ABORTED`. */
export async function subjectsOf(
  models: readonly (string | ModelToEvaluate)[],
  { signal, onProgress }: CallOptions,
): Promise<NamedSubject[]> {
  const given = models.map((one): ModelToEvaluate => (typeof one === 'string' ? { model: one } : one));
  for (const one of given) refuseTwoEdits(one);
  const known = new Map<string, { sha256: string; bytes: number }>();
  for (const model of new Set(given.map((one) => one.model))) {
    const files = modelFiles(model);
    const hash = (tick: Tick) => native.sha256(files, tick);
    const sha256 = await runStage({ signal, onProgress }, { stage: 'hash', note: basename(model) }, hash);
    known.set(model, { sha256, bytes: files.reduce((sum, path) => sum + sizeOf(path), 0) });
  }
  const names = namesOf(given);
  return given.map(({ model, system = null, plan = null, controlVector = null }, i) => {
    const { sha256, bytes } = known.get(model)!;
    const edit = plan !== null ? editText(plan) : controlVector !== null ? pushText(controlVector) : null;
    return {
      subject: { model, sha256, system, plan, controlVector },
      described: { name: names[i]!, path: model, sha256, bytes, system, edit },
    };
  });
}

function refuseTwoEdits({ model, plan, controlVector }: ModelToEvaluate): void {
  if (plan === undefined || controlVector === undefined) return;
  const message = 'a model is evaluated with a plan or a control vector, not with both';
  throw new RosiError('OPTION_INVALID', message, { model });
}

/** File names; paths where those are the same. */
function namesOf(models: readonly ModelToEvaluate[]): string[] {
  const short = models.map((one) => one.name ?? defaultName(one, basename(one.model, '.gguf')));
  return models.map((one, i) => {
    const alone = short.filter((name) => name === short[i]).length === 1;
    return alone || one.name !== undefined ? short[i]! : defaultName(one, one.model);
  });
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch (error) {
    throw toRosiError(error);
  }
}

function editText({ plan: { edit, tensors } }: SavedPlan): string {
  return `${edit.rightFactor} factor, layer ${edit.layer}, strength ${edit.strength}, ${tensors.length} tensors, at run time`;
}

function pushText(pushes: readonly LayerPush[]): string {
  const norm = (vector: Float32Array) => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  const size = pushes.reduce((sum, { vector }) => sum + norm(vector), 0);
  return `control vector of ${counted(pushes.length, 'block')}, ${size.toPrecision(3)} in all, on every token`;
}

function defaultName({ system, plan, controlVector }: ModelToEvaluate, file: string): string {
  const parts = [file];
  if (system !== undefined) parts.push(system === safetyPrompt ? 'safety prompt' : 'system prompt');
  if (plan !== undefined) parts.push('edit');
  if (controlVector !== undefined) parts.push('control vector');
  return parts.join(' + ');
}
