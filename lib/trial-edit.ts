import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { UpdatePlan } from './plan';
import { adapterOf } from './push';
import { ModelSession, type RunTimeEdit } from './session';
import type { CallOptions } from './stage';
import { draftUpdate } from './update';

/**
 * Lends a model with the planned update in force: as a run-time adapter, or, where the engine ignores the adapter of one
 * of the matrices, as an edited copy in the temporary folder, which is as large as the model and gone afterwards.
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
    const draft = await draftUpdate(session.path, plan, { output: join(folder, 'trial.gguf'), threads, signal });
    const edited = await ModelSession.open(draft.path, { threads, signal });
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
