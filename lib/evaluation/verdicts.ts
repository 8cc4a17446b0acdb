import { answerLabels } from '../refusal';
import { ticker, type CallOptions } from '../stage';
import type { Judge, Judged, Verdict } from './judge';
import { ResultStore, sha256 } from '../result-store';

// A judge is a model or a service: what a stopped run loses of its work.
const atOnce = 32;

/** A judge's verdicts; those that an earlier run stored are not asked for again, and of equal answers one is. */
export async function judgedBy(
  judge: Judge,
  items: readonly Judged[],
  options: CallOptions & { cache: string | null },
): Promise<Verdict[]> {
  if (judge.identity === null) return judge.judge(items, options);
  const store = ResultStore.open(options.cache, 'verdicts', judge.identity, isVerdict);
  const keys = items.map(({ role, request, answer }) => sha256(JSON.stringify([role, request, answer])));
  const missing = store.missing(items, keys);
  const tick = ticker(options, 'judge', missing.length, 'answers', judge.name);
  const { signal } = options;
  await store.fill(missing, { atOnce, signal }, async (batch, { to, total }) => {
    const verdicts = await judge.judge(batch, { signal });
    tick(to / total);
    return verdicts;
  });
  return keys.map((key) => store.get(key)!);
}

function isVerdict(value: unknown): value is Verdict {
  if (typeof value !== 'object' || value === null) return false;
  const { label, harmful, reason } = value as Partial<Record<keyof Verdict, unknown>>;
  return (
    (label === null || answerLabels.some((known) => known === label)) &&
    (harmful === null || typeof harmful === 'boolean') &&
    typeof reason === 'string'
  );
}
