import { captureActivations, type Streams } from './capture';
import type { StageClock } from './clock';
import { embeddingFactor } from './factors';
import type { Settings } from './options';
import type { SplitSample } from './prompts';
import { pushesOf, type Push } from './push';
import { chooseFactors, choosesRho, type ChosenFactors } from './rho';
import type { ModelSession } from './session';
import type { Writer } from './writers';

/** What a model's activations say, and all that is asked of them later. */
export interface Reading {
  pushes: Push[];
  streams: Streams;
  chosen: Omit<ChosenFactors, 'factors'>;
}

export interface ReadParts {
  sample: SplitSample;
  writers: readonly Writer[];
  /** The token embeddings where they are to be edited. */
  embeddings: readonly Writer[];
}

/** Runs the prompts. The writers' inputs, by far the most of what is captured, end here. */
export async function readModel(
  session: ModelSession,
  { sample: { fit: prompts, validation, kept: keep }, writers, embeddings }: ReadParts,
  settings: Settings,
  clock: StageClock,
): Promise<Reading> {
  const { seed, system } = settings;
  const activations = await clock.time('capture', () =>
    captureActivations(session, prompts, writers, { seed, keep, system: system ?? undefined }),
  );
  const held = choosesRho(settings)
    ? await clock.time('capture', () =>
        captureActivations(session, validation, writers, { seed, nLayer: 0, positions: false }),
      )
    : null;
  const { factors, ...chosen } = await clock.time('factors', () =>
    chooseFactors(session.path, activations, held, writers, settings),
  );
  const harmful = prompts.harmful.map((prompt) => session.encode(prompt));
  for (const embedding of embeddings) factors.push(await embeddingFactor(session.path, embedding, harmful, settings));
  const pushes = await clock.time('reach', () => pushesOf(session, activations, factors, harmful, settings));
  const { nLayer, dModel, streams } = activations;
  return { pushes, streams: { nLayer, dModel, streams }, chosen };
}
