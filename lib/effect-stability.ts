import type { Streams } from './capture';
import type { Direction } from './direction';
import { Evaluator, firstOf } from './evaluator';
import type { Screening } from './first-token';
import { planUpdate, type UpdatePlan } from './plan';
import { roles, type Role } from './prompts';
import type { Push } from './push';
import { seededRandom } from './random';
import type { ModelSession } from './session';
import { directionAgain } from './stability';
import type { CallOptions } from './stage';
import { mean } from './statistics';
import { withEdit } from './trial-edit';

/** What an edit does, with the direction of prompts drawn again in place of its own. First tokens of validation prompts. */
export interface EffectStability {
  /** Of the edit itself. */
  own: Screening;
  /** Over the resamples; `low` and `high` are the least and the most. */
  refusal: Record<Role, { mean: number; low: number; high: number }>;
  /** Nats, on harmless prompts. */
  kl: { mean: number; low: number; high: number };
  resamples: number;
}

const resamples = 8;
const most = { harmful: 32, harmless: 32, borderline: 32 };

/**
 * Bootstrap of an edit's effect: the direction is read from the fitting prompts drawn again with replacement, at the same
 * layer; right factors, blocks, schedule and strength stay. Costs nine passes over at most 32 prompts of each role.
 */
export async function effectStability(
  session: ModelSession,
  {
    activations,
    pushes,
    plan,
    direction,
  }: { activations: Streams; pushes: readonly Push[]; plan: UpdatePlan; direction: Direction },
  prompts: Record<Role, string[]>,
  { seed, signal, onProgress }: CallOptions & { seed: number },
): Promise<EffectStability> {
  const evaluator = new Evaluator(session, firstOf(prompts, most));
  await evaluator.screen(session, { stage: 'stability', note: 'the original' });
  const random = seededRandom(seed, 'effect');
  const effectOf = (along: Direction, note: string) =>
    withEdit(session, planUpdate(activations, along, pushes, plan.edit), { signal, onProgress }, (edited, edit) =>
      evaluator.screen(edited, { edit, stage: 'stability', note }),
    );
  const own = await effectOf(direction, 'the edit');
  const others: Screening[] = [];
  for (let i = 1; i <= resamples; ++i) {
    const { layer } = direction;
    others.push(
      await effectOf(directionAgain(activations, layer, random), `prompts drawn again, ${i} of ${resamples}`),
    );
  }
  const range = (values: number[]) => ({ mean: mean(values), low: Math.min(...values), high: Math.max(...values) });
  const refusal = Object.fromEntries(roles.map((role) => [role, range(others.map((one) => one.refusal[role]))]));
  return { own, refusal: refusal as EffectStability['refusal'], kl: range(others.map(({ kl }) => kl)), resamples };
}
