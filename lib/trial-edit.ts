import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { inspect } from './inspect';
import type { PlannedTensor } from './native';
import type { UpdatePlan } from './plan';
import { adapterOf } from './push';
import { ModelSession, type RunTimeEdit } from './session';
import type { CallOptions } from './stage';
import { draftUpdate } from './update';

/**
 * Lends a model with the planned update in force: as a run-time adapter, or, where the engine ignores the adapter of one
 * of the matrices, as an edited copy in the temporary folder, gone afterwards. Its edited matrices are floats, so that it
 * is what the file is to be compared with, and has no type that can't be edited.
 */
export async function withEdit<T>(
  session: ModelSession,
  plan: UpdatePlan,
  options: CallOptions,
  use: (edited: ModelSession, edit?: RunTimeEdit) => Promise<T>,
): Promise<T> {
  const factors = adapterOf(plan.tensors);
  if (factors === null) return withCopy(session, plan, options, use);
  const adapter = session.loadAdapter(factors);
  try {
    return await use(session, { adapter, scale: 1 });
  } finally {
    session.closeAdapter(adapter);
  }
}

async function nearlyExact(model: string, tensors: readonly PlannedTensor[]): Promise<PlannedTensor[]> {
  const types = new Map((await inspect(model)).tensors.map(({ name, type }) => [name, type]));
  const floats = ['F32', 'F16', 'BF16'];
  return tensors.map((tensor) => (floats.includes(types.get(tensor.name)!) ? tensor : { ...tensor, type: 'F16' }));
}

async function withCopy<T>(
  session: ModelSession,
  plan: UpdatePlan,
  options: CallOptions,
  use: (edited: ModelSession) => Promise<T>,
): Promise<T> {
  const { signal } = options;
  const { threads } = session;
  const folder = mkdtempSync(join(tmpdir(), 'rosi-'));
  try {
    const tensors = await nearlyExact(session.path, plan.tensors);
    const output = join(folder, 'trial.gguf');
    const draft = await draftUpdate(session.path, { ...plan, tensors }, { output, threads, signal });
    const edited = await ModelSession.open(draft.path, { ...session.where, signal });
    try {
      return await use(edited);
    } finally {
      edited.close();
      draft.discard();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
