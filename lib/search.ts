import type { Activations } from './capture';
import { directionAt } from './direction';
import { RosiError } from './errors';
import { behaviour, Screen, type Behaviour, type Screening } from './evaluate';
import type { WriterFactor } from './factors';
import { native } from './native';
import type { Settings } from './options';
import { unitUpdate, type Edit } from './plan';
import type { Role } from './prompts';
import type { ModelSession } from './session';

/** An edit that was tried on the validation prompts. */
export interface Candidate extends Edit {
  screening: Screening;
  /** Higher is better: refusal of harmful prompts, less what harmless and borderline ones pay. */
  score: number;
  withinBound: boolean;
  /** Short whole answers, for the best few. */
  validated?: { refused: Record<Role, number>; degenerate: number; score: number };
}

export interface SearchResult {
  edit: Edit;
  candidates: Candidate[];
  baseline: Screening;
  why: string;
}

/** What varies besides the strength. */
type Shape = Omit<Edit, 'strength'>;

// Strengths: the first one tried, and where to go from it. Climbing ends when the KL bound is passed.
const gatedLadder = { probe: 1.2, weaker: [0.4, 0.8], stronger: [2, 3, 4.5] };
const meanRowLadder = { probe: 30, weaker: [5, 15], stronger: [60, 100, 160] };
const ladders = {
  gated: gatedLadder,
  'mean-input': { probe: 0.5, weaker: [0.12, 0.25], stronger: [1, 2] },
  'mean-row': meanRowLadder,
  'mean-row-signed': meanRowLadder,
};
const climbed = 4;
const screened = { harmful: 32, harmless: 32, borderline: 24 };
const validated = { harmful: 24, harmless: 12, borderline: 16 };
const finalists = 3;
const answerTokens = 24;

/**
 * Chooses layer, schedule, layers and strength by effect: each candidate is applied at run time and screened on the
 * validation prompts' first tokens; short whole answers of the best few decide.
 *
 * @throws RosiError `STRENGTH_NOT_FOUND` when no candidate stays within the KL bound.
 */
export async function searchEdit(
  session: ModelSession,
  activations: Activations,
  factors: readonly WriterFactor[],
  prompts: Record<Role, string[]>,
  settings: Settings,
): Promise<SearchResult> {
  const screen = await Screen.open(session, take(prompts, screened));
  const { baseline } = screen;
  const candidates: Candidate[] = [];
  const tryOut = async (shape: Shape, strengths: readonly number[]): Promise<void> => {
    await withAdapter(session, activations, factors, settings, shape, async (adapter) => {
      for (const strength of strengths) {
        const note = `layer ${shape.layer}, blocks ${shape.layers.join('-')}, ${shape.schedule}, strength ${strength}`;
        const screening = await screen.run({ adapter, scale: strength }, note);
        const withinBound = screening.kl <= settings.maxKl;
        candidates.push({ ...shape, strength, screening, score: screeningScore(screening, baseline), withinBound });
        if (!withinBound) break;
      }
    });
  };
  const all = shapes(activations, settings);
  if (settings.strength !== null) {
    for (const shape of all) await tryOut(shape, [settings.strength]);
  } else {
    // Every shape at one strength; then the promising ones up and down the ladder.
    const { probe, weaker, stronger } = ladders[settings.rightFactor];
    for (const shape of all) await tryOut(shape, [probe]);
    const promising = [...candidates].sort((a, b) => merit(b, settings) - merit(a, settings)).slice(0, climbed);
    for (const shape of promising) await tryOut(shape, shape.withinBound ? stronger : weaker);
  }
  const allowed = candidates.filter((candidate) => candidate.withinBound).sort((a, b) => b.score - a.score);
  if (allowed.length === 0) {
    const least = Math.min(...candidates.map((candidate) => candidate.screening.kl));
    throw new RosiError(
      'STRENGTH_NOT_FOUND',
      `no edit stays within a KL of ${settings.maxKl} nats on harmless prompts; the least tried has ${least.toFixed(3)}. Raise maxKl or give a strength`,
      { maxKl: settings.maxKl, least },
    );
  }
  const best = allowed.slice(0, finalists);
  const sample = take(prompts, validated);
  const before = await behaviour(session, sample, { maxTokens: answerTokens, stage: 'validate', note: 'the original' });
  for (const candidate of best) {
    await withAdapter(session, activations, factors, settings, candidate, async (adapter) => {
      const edit = { adapter, scale: candidate.strength };
      const after = await behaviour(session, sample, {
        maxTokens: answerTokens,
        edit,
        stage: 'validate',
        note: `layer ${candidate.layer}, strength ${candidate.strength}`,
      });
      candidate.validated = {
        refused: {
          harmful: after.refused.harmful.share,
          harmless: after.refused.harmless.share,
          borderline: after.refused.borderline.share,
        },
        degenerate: after.degenerate.share,
        score: answerScore(after, before),
      };
    });
  }
  best.sort((a, b) => b.validated!.score - a.validated!.score);
  const { layer, schedule, layers, strength } = best[0]!;
  return {
    edit: { layer, schedule, layers, strength },
    candidates,
    baseline,
    why:
      `best whole answers among the ${best.length} best of ${candidates.length} candidates by first token, ` +
      `KL at most ${settings.maxKl}`,
  };
}

function screeningScore({ refusal }: Screening, baseline: Screening): number {
  const rise = (role: Role) => Math.max(0, refusal[role] - baseline.refusal[role]);
  return refusal.harmful - rise('borderline') - 2 * rise('harmless');
}

/** Score at the first strength, less what it spent of the KL bound: what can still be climbed counts. */
function merit({ score, screening }: Candidate, { maxKl }: Settings): number {
  return score - (0.1 * screening.kl) / Math.max(maxKl, 1e-6);
}

function answerScore(after: Behaviour, before: Behaviour): number {
  const rise = (role: Role) => Math.max(0, after.refused[role].share - before.refused[role].share);
  return (
    after.refused.harmful.share -
    rise('borderline') -
    2 * rise('harmless') -
    2 * Math.max(0, after.degenerate.share - before.degenerate.share)
  );
}

/** What is tried besides the strength; options that were given are not varied. */
function shapes({ nLayer }: Activations, settings: Settings): Shape[] {
  const at = (share: number) => Math.min(nLayer - 1, Math.round(share * (nLayer - 1)));
  const layers = settings.layer === null ? [...new Set([at(0.5), at(0.62), at(0.78)])] : [settings.layer];
  const ranges: (readonly [number, number])[] =
    settings.layers === null
      ? [
          [0, nLayer - 1],
          [at(0.17), at(0.7)],
          [at(0.55), nLayer - 1],
        ]
      : [settings.layers];
  const { schedule } = settings;
  return layers.flatMap((layer) => ranges.map((range) => ({ layer, schedule, layers: range })));
}

async function withAdapter(
  session: ModelSession,
  activations: Activations,
  factors: readonly WriterFactor[],
  settings: Settings,
  shape: Shape,
  use: (adapter: ReturnType<ModelSession['loadAdapter']>) => Promise<void>,
): Promise<void> {
  const update = unitUpdate(activations, directionAt(activations, shape.layer), factors, settings.rightFactor, shape);
  const adapter = session.loadAdapter(update);
  try {
    await use(adapter);
  } finally {
    native.closeHandle(adapter);
  }
}

function take(prompts: Record<Role, string[]>, counts: Record<Role, number>): Record<Role, string[]> {
  return {
    harmful: prompts.harmful.slice(0, counts.harmful),
    harmless: prompts.harmless.slice(0, counts.harmless),
    borderline: prompts.borderline.slice(0, counts.borderline),
  };
}
