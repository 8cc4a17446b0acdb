import { keptBaseline, measureBaseline, safetyPrompt, type Baseline } from './baseline';
import { buildIdentity } from './build-identity';
import type { Streams } from './capture';
import type { StageClock } from './clock';
import { chooseDirection, projectionsOf, separationOf, type Direction } from './direction';
import { effectStability, type EffectStability } from './effect-stability';
import { RosiError } from './errors';
import { keptReading } from './kept-reading';
import { modelFiles } from './model-files';
import { native, type Inspection, type Tick } from './native';
import { checkKinds } from './outputs/write-outputs';
import { checkLayers, type Settings } from './options';
import { planUpdate, type UpdatePlan } from './plan';
import { affordableRanges } from './precision';
import { checkPrompts } from './prompt-checks';
import { roles, type Role, type SplitSample } from './prompts';
import { adapterWay, type Push } from './push';
import { readModel, type ReadParts } from './reading';
import type { ChosenFactors } from './rho';
import { sha256 } from './result-store';
import { openJournal, type Journal } from './search/journal';
import { searchEdit, type SearchResult } from './search/search';
import { rangesOf } from './search/space';
import type { ModelSession } from './session';
import { runStage } from './stage';
import { directionStability, type Stability } from './stability';
import { findWriters, type ModelWriters, type Writer } from './writers';

/** An edit of a model, and what led to it. */
export interface FoundEdit {
  /** How the model refuses before it is edited; null when the baseline was not measured. */
  baseline: Baseline | null;
  /** System prompt with which the directions were read; null: none. */
  system: string | null;
  writers: ModelWriters;
  pushes: Push[];
  /** Shrinkage of the gated factor. */
  rho: number;
  /** AUROC of the summed response on validation prompts, .5 to 1, for each rho that was tried. */
  detection: ChosenFactors['detection'];
  /** Null when layer and strength were given. */
  search: SearchResult | null;
  direction: Direction;
  /** Of the direction, over prompts drawn again. */
  stability: Stability & { effect: EffectStability | null };
  /** Of each layer's own direction. */
  separation: Omit<Direction, 'vector'>[];
  /** Of the fitting prompts on the direction, in units of the distance of the classes' means. */
  projections: Record<Role, number[]>;
  plan: UpdatePlan;
  /** What a reader of the numbers should know of the prompts. */
  notes: string[];
}

/** From a model and prompts to a plan. */
export async function findEdit(
  session: ModelSession,
  file: Inspection,
  sample: SplitSample,
  settings: Settings,
  clock: StageClock,
): Promise<FoundEdit> {
  const writers = await clock.time('inspect', () => findWriters(session));
  const depth = await session.depth();
  checkLayers(settings, depth);
  const embeddings = embeddingsOf(writers, settings);
  const editable = [...embeddings, ...writers.writers];
  const ranges = affordableRanges(file, editable, rangesOf(depth, settings), settings.maxGrowth);
  const adaptable = editable.map((writer) => ({ name: writer.name, ...adapterWay(writer, null) }));
  checkKinds(settings.outputs, writers.architecture, adaptable);
  const notes = checkPrompts(sample.fit);
  const kept = keptOf(session, settings, clock);
  const { baseline, system } = await chooseSystem(session, sample.fit, settings, kept, clock);
  const parts = { sample, writers: writers.writers, embeddings };
  const read = () => readModel(session, parts, { ...settings, system }, clock);
  const {
    pushes,
    streams: activations,
    chosen,
  } = await (kept === null
    ? read()
    : keptReading(kept.cache, await readingIdentity(session, parts, { ...settings, system }, kept), read));
  const leftOut = [...writers.leftOut, ...pushes.filter(({ reach }) => reach === 0).map(unableNote)];
  const edits = { ...settings, ranges };
  const journal = kept === null ? undefined : await journalOf(kept, sample, { ...settings, system, rho: chosen.rho });
  const searched = { ...edits, journal };
  const { search, direction, plan } = await decide(session, activations, pushes, sample.validation, searched, clock);
  const stability = directionStability(activations, direction, settings.seed);
  const edited = { activations, pushes, plan, direction };
  const effect =
    settings.evaluate === 'full' && plan.edit.strength > 0
      ? await clock.time('stability', () => effectStability(session, edited, sample.validation, settings))
      : null;
  const found = { baseline, system, writers: { ...writers, leftOut }, pushes, ...chosen };
  const seen = { separation: separationOf(activations), projections: projectionsOf(activations, direction) };
  return { ...found, ...seen, search, direction, stability: { ...stability, effect }, plan, notes };
}

/** The token embeddings where they are to be edited; otherwise none. */
function embeddingsOf({ architecture, embedding }: ModelWriters, { embeddings }: Settings): Writer[] {
  if (!embeddings) return [];
  if (embedding !== null) return [embedding];
  throw new RosiError(
    'MODEL_UNSUPPORTED',
    `options.embeddings: the residual stream of the ${architecture} architecture does not begin with a row of a token embedding`,
    { option: 'embeddings', architecture },
  );
}

/** An uncensored model shows its direction only when it is told to be safe. */
async function chooseSystem(
  session: ModelSession,
  prompts: SplitSample['fit'],
  settings: Settings,
  kept: KeptResults | null,
  clock: StageClock,
): Promise<{ baseline: Baseline | null; system: string | null }> {
  const { system, uncensored } = settings;
  if (uncensored === false) return { baseline: null, system };
  const given = system ?? safetyPrompt;
  if (uncensored === true) return { baseline: null, system: given };
  // A few tokens of a model that thinks aloud first hold no answer.
  if (settings.thinking) return { baseline: null, system };
  const store = kept && { cache: kept.cache, model: await kept.model() };
  const baseline = await clock.time('baseline', () =>
    store === null ? measureBaseline(session, prompts, given) : keptBaseline(session, prompts, given, store),
  );
  return { baseline, system: system ?? (baseline.uncensored ? given : null) };
}

function unableNote({ writer: { name, layer } }: Push): ModelWriters['leftOut'][number] {
  return { name, layer, why: 'what an update does at the stream is nothing on harmful prompts, or can not be told' };
}

/** Where what is found of a model is kept. */
interface KeptResults {
  /** Folder. */
  cache: string;
  /** Hash of the model's file: it takes a while of a large one, so it is made when it is first asked for. */
  model: () => Promise<string>;
}

function keptOf(
  { path }: ModelSession,
  { cache, signal, onProgress }: Settings,
  clock: StageClock,
): KeptResults | null {
  if (cache === null) return null;
  const hash = (tick: Tick) => native.sha256(modelFiles(path), tick);
  let found: Promise<string> | undefined;
  const model = () => (found ??= clock.time('hash', () => runStage({ signal, onProgress }, { stage: 'hash' }, hash)));
  return { cache, model };
}

/** Everything that decides what is read of a model. The tokens say what template, thinking and the day make of prompts. */
async function readingIdentity(
  session: ModelSession,
  { sample: { fit, validation, kept: keep }, writers, embeddings }: ReadParts,
  { seed, system, rightFactor, rho }: Settings,
  kept: KeptResults,
): Promise<string> {
  const texts = [...roles.flatMap((role) => [...fit[role], ...validation[role]]), ...keep];
  const prompted = system === null ? [] : [...fit.harmful, ...fit.harmless];
  const tokens = [
    ...texts.map((text) => session.encode(text)),
    ...prompted.map((text) => session.encode(text, system!)),
  ].map((prompt) => [...prompt]);
  const counts = [fit, validation].map((prompts) => roles.map((role) => prompts[role].length));
  const names = [...writers, ...embeddings].map(({ name }) => name);
  const decided = { seed, system, rightFactor, rho, counts, names, tokens: sha256(JSON.stringify(tokens)) };
  return JSON.stringify({ build: buildIdentity(), model: await kept.model(), ...decided });
}

/** The trials of this very search; none where there is no search. */
async function journalOf(
  kept: KeptResults,
  { summary, validation }: SplitSample,
  { layer, strength, rightFactor, rho, seed, system, thinking, embeddings }: Settings,
): Promise<Journal | undefined> {
  if (layer !== null && strength !== null) return undefined;
  // The original's answers are kept in the order of the prompts, of which the summary's hash says nothing.
  const inOrder = sha256(JSON.stringify(validation));
  const prompts = [summary.sha256, inOrder, summary.kept?.sha256 ?? null];
  const decided = { rightFactor, rho, seed, system, thinking, embeddings };
  const identity = { build: buildIdentity(), model: await kept.model(), prompts, ...decided };
  return openJournal(kept.cache, JSON.stringify(identity));
}

/** The plan, of an edit that is given or searched. */
async function decide(
  session: ModelSession,
  activations: Streams,
  pushes: readonly Push[],
  prompts: SplitSample['validation'],
  settings: Settings & { ranges: readonly (readonly [number, number])[]; journal: Journal | undefined },
  clock: StageClock,
): Promise<{ search: SearchResult | null; direction: Direction; plan: UpdatePlan }> {
  const { layer, ranges, strength, schedule, rightFactor } = settings;
  const given =
    layer === null || strength === null
      ? null
      : { layer, schedule: schedule ?? ('equal' as const), layers: ranges[0]!, strength };
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
