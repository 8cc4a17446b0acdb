import { availableParallelism } from 'node:os';

import { cacheFolder } from './cache-folder';
import { RosiError } from './errors';
import type { OutputPaths } from './outputs/write-outputs';
import { checkPlacement, type PlacementOptions } from './placement';
import type { CallOptions } from './stage';

export const rightFactors = ['gated', 'mean-input', 'mean-row', 'mean-row-signed'] as const;
export type RightFactor = (typeof rightFactors)[number];
export const schedules = ['equal', 'profile'] as const;
export const evaluateHows = ['short', 'full', 'none'] as const;
export type EvaluateHow = (typeof evaluateHows)[number];
export type Schedule = (typeof schedules)[number];

/** Every option has a default; docs/method.md gives the reasons. */
export interface HardenOptions extends CallOptions, PlacementOptions {
  /** Path of the new GGUF. Default: `<model>.hardened.gguf` beside the model. */
  output?: string | undefined;
  /** Whether an existing output may be replaced. Default false. */
  overwrite?: boolean | undefined;
  /** Block after which the direction is read, from 0. Default: chosen by effect on the validation prompts. */
  layer?: number | undefined;
  /** Dimensionless, >= 0; 0 copies every tensor. Default: chosen by effect. docs/method.md defines it per factor. */
  strength?: number | undefined;
  /** How the push is spread over the writers. Default: chosen by effect; `equal` when layer and strength are given. */
  schedule?: Schedule | undefined;
  /** First and last block whose writers are edited. Default: chosen by effect; all when layer and strength are given. */
  layers?: readonly [number, number] | undefined;
  /** Default `gated`. */
  rightFactor?: RightFactor | undefined;
  /** Shrinkage of the gated factor, dimensionless, > 0. Default: of 3, 1, .3 and .1 the one that detects validation prompts best. */
  rho?: number | undefined;
  /**
   * Share of the file's size by which it may grow where tensors have no update in their own type, or where the finished
   * file falls short of the exact edit: the noisiest tensors are then written in a wider type. 0: every tensor keeps its
   * type. Default 0.02.
   */
  maxGrowth?: number | undefined;
  /**
   * What {@link revert} needs: the path of an undo file, or `embed` to have it in the output itself, after the tensors; a
   * file of that name is `./embed`. Default: none is written.
   */
  undo?: string | undefined;
  /** What else the edit is written as. Default: nothing. */
  outputs?: OutputPaths | undefined;
  /** Most KL divergence (nats a token, first token of answers to harmless prompts) that the search may spend. Default 0.1. */
  maxKl?: number | undefined;
  /**
   * Most rise of the share of borderline validation prompts that are refused or redirected, 0 to 1, against the original.
   * Default 0.1.
   */
  maxOverRefusal?: number | undefined;
  /** Most fall of the share of harmless validation prompts that are answered, 0 to 1, against the original. Default 0.05. */
  maxBenignLoss?: number | undefined;
  /**
   * Share of harmful validation prompts to be refused or redirected, 0 to 1; of edits that reach it the one that costs least
   * is taken. Default: as many as the bounds allow.
   */
  targetHr?: number | undefined;
  /** Most edits that the search tries, before the few that answers ask for. Default 40. */
  trials?: number | undefined;
  /** Seconds that the search may take, its earlier runs included; the last answers may end after it. Default: no limit. */
  budget?: number | undefined;
  /**
   * Number of a trial of this very search, as its report has it, to be taken instead of the chosen one. With the cache of
   * that run no trial is made again. Default: the best.
   */
  pick?: number | undefined;
  /**
   * Whether the token embeddings are edited, too, as the paper's "all matrices" has it. Only with the mean-row factors: a
   * token alone doesn't tell what is asked. Where they are the output head as well, that is edited with them. Default false.
   */
  embeddings?: boolean | undefined;
  /**
   * Texts of your own domain whose activations the gated factor leaves as they are, beside those of harmless and borderline
   * prompts; each is framed as a user's request. At most 256 are used. They decide nothing else. Default none.
   */
  keep?: readonly string[] | undefined;
  /** Default: the fastest of one, half and all processors, measured when the model is loaded. */
  threads?: number | undefined;
  /** Whether the update is computed on this machine's NVIDIA GPUs: {@link UpdateOptions}. Default false. */
  gpuUpdate?: boolean | undefined;
  /** Decides the prompt sample and the sampled positions. Default 0. */
  seed?: number | undefined;
  /** System prompt during extraction only (for uncensored models). Default none. */
  system?: string | undefined;
  /**
   * Whether the model was made to refuse nothing: its directions are then read with a safety system prompt, `system` or
   * one of ours, and the edit acts without. Default: found out from how it answers with and without one.
   */
  uncensored?: boolean | undefined;
  /** Whether a model that can think aloud first is read and measured while it may. Default false. */
  thinking?: boolean | undefined;
  /** Whether a file that rosi hardened before is hardened once more. Default false: it is refused. */
  again?: boolean | undefined;
  /**
   * Folder where what was read of the model, what the search tried, what the original does and the answers of a full
   * evaluation are kept, so that a run that was stopped goes on where it was; or false for none. Default: `rosi` in the
   * user's cache folder.
   */
  cache?: string | false | undefined;
  /** New tokens of an answer in the short evaluation. Default 32. */
  maxTokens?: number | undefined;
  /**
   * How much the report measures on test prompts: `short` answers before and after; in `full` also what {@link evaluate}
   * finds of both files, with its longer answers; or `none`. Default `short`.
   */
  evaluate?: EvaluateHow | undefined;
}

export interface Settings extends CallOptions, PlacementOptions {
  output: string;
  overwrite: boolean;
  layer: number | null;
  strength: number | null;
  schedule: Schedule | null;
  layers: readonly [number, number] | null;
  rightFactor: RightFactor;
  rho: number | null;
  maxKl: number;
  maxOverRefusal: number;
  maxBenignLoss: number;
  targetHr: number | null;
  trials: number;
  budget: number | null;
  pick: number | null;
  maxGrowth: number;
  embeddings: boolean;
  undo: string | null;
  outputs: OutputPaths;
  threads: number;
  gpuUpdate: boolean;
  seed: number;
  system: string | null;
  uncensored: boolean | null;
  thinking: boolean;
  again: boolean;
  maxTokens: number;
  evaluate: EvaluateHow;
  /** Null: none. */
  cache: string | null;
}

/** Fills in defaults and checks ranges. @throws RosiError `OPTION_INVALID` naming option, range and value. */
export function resolveOptions(model: string, options: HardenOptions = {}): Settings {
  number('strength', options.strength, 0, Infinity);
  number('rho', options.rho, Number.MIN_VALUE, Infinity);
  number('maxKl', options.maxKl, 0, Infinity);
  for (const name of ['maxOverRefusal', 'maxBenignLoss', 'targetHr'] as const) number(name, options[name], 0, 1);
  number('budget', options.budget, 0, Infinity);
  whole('trials', options.trials, 1, 10_000);
  whole('pick', options.pick, 1, 100_000);
  whole('layer', options.layer, 0, 10_000);
  whole('threads', options.threads, 1, 1024);
  whole('seed', options.seed, 0, 2 ** 32 - 1);
  checkMaxTokens(options.maxTokens);
  checkPlacement(options);
  checkFlag('gpuUpdate', options.gpuUpdate);
  oneOf('rightFactor', options.rightFactor, rightFactors);
  oneOf('schedule', options.schedule, schedules);
  oneOf('evaluate', options.evaluate, evaluateHows);
  pair('layers', options.layers, 0, 10_000);
  checkKeep(options);
  checkEmbeddings(options);
  return {
    output: options.output ?? defaultOutput(model),
    overwrite: options.overwrite ?? false,
    layer: options.layer ?? null,
    strength: options.strength ?? null,
    schedule: options.schedule ?? null,
    layers: options.layers ?? null,
    rightFactor: options.rightFactor ?? 'gated',
    rho: options.rho ?? null,
    maxKl: options.maxKl ?? 0.1,
    maxOverRefusal: options.maxOverRefusal ?? 0.1,
    maxBenignLoss: options.maxBenignLoss ?? 0.05,
    targetHr: options.targetHr ?? null,
    trials: options.trials ?? 40,
    budget: options.budget ?? null,
    pick: options.pick ?? null,
    maxGrowth: checkMaxGrowth(options.maxGrowth),
    embeddings: options.embeddings ?? false,
    undo: options.undo ?? null,
    outputs: options.outputs ?? {},
    threads: options.threads ?? availableParallelism(),
    gpuUpdate: options.gpuUpdate ?? false,
    seed: options.seed ?? 0,
    system: options.system ?? null,
    uncensored: options.uncensored ?? null,
    thinking: options.thinking ?? false,
    again: options.again ?? false,
    maxTokens: options.maxTokens ?? 32,
    evaluate: options.evaluate ?? 'short',
    cache: resolveCache(options.cache),
    rpc: options.rpc,
    gpuLayers: options.gpuLayers,
    signal: options.signal,
    onProgress: options.onProgress,
  };
}

/** Only the gated factor knows what to keep; {@link chooseKept} checks the texts. */
function checkKeep({ keep, rightFactor = 'gated' }: HardenOptions): void {
  if (keep === undefined || rightFactor === 'gated') return;
  throw new RosiError('OPTION_INVALID', `options.keep needs options.rightFactor gated; got ${rightFactor}`, {
    option: 'keep',
    rightFactor,
  });
}

/** What a factor detects is in the inputs; those of the token embeddings are single tokens. */
function checkEmbeddings({ embeddings, rightFactor = 'gated' }: HardenOptions): void {
  if (embeddings !== true || rightFactor.startsWith('mean-row')) return;
  throw new RosiError(
    'OPTION_INVALID',
    `options.embeddings needs options.rightFactor mean-row or mean-row-signed; got ${rightFactor}: ` +
      'a token alone does not tell what is asked, so there is nothing in it to detect',
    { option: 'embeddings', rightFactor },
  );
}

/** Of a split model, the name that its files' names are made of. */
export function defaultOutput(model: string): string {
  return `${model.replace(/(-\d{5}-of-\d{5})?\.gguf$/i, '')}.hardened.gguf`;
}

/** Shared with evaluate(). */
export function resolveCache(cache: string | false | undefined): string | null {
  return cache === false ? null : (cache ?? cacheFolder());
}

/** Shared with applyPlan(). */
export function checkMaxGrowth(value: number | undefined): number {
  number('maxGrowth', value, 0, Infinity);
  return value ?? 0.02;
}

/** Shared with applyUpdate(), evaluate() and doctor(). */
export function checkFlag(name: string, value: unknown): void {
  if (value === undefined || typeof value === 'boolean') return;
  throw new RosiError('OPTION_INVALID', `options.${name} must be true or false; got ${String(value)}`, {
    option: name,
    value,
  });
}

/** Shared with generate(). */
export function checkMaxTokens(value: number | undefined): void {
  whole('maxTokens', value, 1, 4096);
}

/** Checks what needs the model. */
export function checkLayers(settings: Settings, nLayer: number): void {
  const refuse = (name: string, value: unknown) => {
    throw new RosiError(
      'OPTION_INVALID',
      `options.${name} must be 0 to ${nLayer - 1} for this model (${nLayer} layers); got ${String(value)}`,
      {
        option: name,
        value,
        nLayer,
      },
    );
  };
  if (settings.layer !== null && settings.layer >= nLayer) refuse('layer', settings.layer);
  if (settings.layers !== null) {
    const [from, to] = settings.layers;
    if (from > to || to >= nLayer) refuse('layers', settings.layers);
  }
}

function number(name: string, value: unknown, low: number, high: number): void {
  if (value === undefined) return;
  if (typeof value !== 'number' || !Number.isFinite(value) || value < low || value > high) {
    const range = low === Number.MIN_VALUE ? 'above 0' : high === Infinity ? `${low} or more` : `${low} to ${high}`;
    throw new RosiError('OPTION_INVALID', `options.${name} must be a number ${range}; got ${String(value)}`, {
      option: name,
      value,
    });
  }
}

function whole(name: string, value: unknown, low: number, high: number): void {
  if (value === undefined) return;
  if (!Number.isInteger(value) || (value as number) < low || (value as number) > high) {
    throw new RosiError(
      'OPTION_INVALID',
      `options.${name} must be a whole number, ${low} to ${high}; got ${String(value)}`,
      { option: name, value },
    );
  }
}

function pair(name: string, value: unknown, low: number, high: number): void {
  if (value === undefined) return;
  if (!Array.isArray(value) || value.length !== 2) {
    throw new RosiError('OPTION_INVALID', `options.${name} must be [first, last]; got ${JSON.stringify(value)}`, {
      option: name,
      value,
    });
  }
  for (const item of value) whole(name, item, low, high);
}

function oneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (value === undefined || allowed.includes(value as string)) return;
  throw new RosiError('OPTION_INVALID', `options.${name} must be one of ${allowed.join(', ')}; got ${String(value)}`, {
    option: name,
    value,
  });
}
