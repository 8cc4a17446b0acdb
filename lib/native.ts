import { toRosiError, throwIfAborted } from './errors';
import { loadAddon } from './load-addon';
import type { NativeWriterReport } from './native-writers';

export { addonPath } from './load-addon';
export type { NativeWriter, NativeWriterReport, PathStep } from './native-writers';

/** A long call in progress. */
export interface Task<T> {
  done: Promise<T>;
  cancel(): void;
}

declare const handleKind: unique symbol;
/** Opaque handles of the addon; {@link NativeAddon.closeHandle} frees what they hold. */
export type SessionHandle = { [handleKind]: 'session' };
export type AdapterHandle = { [handleKind]: 'adapter' };
/** A complete output under a temporary name. It is gone with the handle, also when the process exits. */
export type DraftHandle = { [handleKind]: 'draft' };

export type Tick = (done: number) => void;

export interface NativeModelInfo {
  architecture: string;
  description: string;
  nLayer: number;
  dModel: number;
  nVocab: number;
  nContext: number;
  nParameters: number;
  chatTemplate: string | null;
  bosText: string;
  eosText: string;
  addsBos: boolean;
  /** Most answers that are generated side by side. */
  answersAtOnce: number;
  /** Whether the engine holds a copy with the same weights in wider types. docs/devices.md */
  readsCopy: boolean;
  /** Texts of the tokens that the tokeniser makes only where it parses special tokens. */
  controlTokens: string[];
}

/** How the model runs: with a run-time adapter at a scale, or as it is. */
export interface NativeRun {
  adapter?: AdapterHandle | undefined;
  scale?: number | undefined;
  /** Default: as many as the session was opened with. */
  threads?: number | undefined;
}

export interface NativeCaptureRequest extends NativeRun {
  prompts: Int32Array[];
  /** Nodes that hold the stream. */
  streams: string[];
  /** Matrices, and how many products the graph has with each; the inputs of the last one are kept. */
  writers: { name: string; uses: number }[];
  last?: boolean;
  positions?: number[][];
  /** Of the token that follows each prompt. */
  logits?: boolean;
}

export interface NativeCapture {
  dModel: number;
  nRows: number;
  /** [prompts, streams, dModel]; of parallel streams the mean. */
  streams: Float32Array;
  /** [prompts, nVocab]; null unless asked for. */
  logits: Float32Array | null;
  /**
   * rows: [nRows, nUsed, dIn], last tokens first, then the sampled positions. nUsed: experts in use at a position;
   * experts: which, [nRows, nUsed]; null for a matrix that is no expert's.
   */
  inputs: { writer: string; dIn: number; nUsed: number; rows: Float32Array; experts: Int32Array | null }[];
}

export interface NativeAnswers {
  /** Tokens of each answer, without the one that ended it. */
  answers: Int32Array[];
  /** [prompts, nVocab] of the answers' first tokens; null unless asked for. */
  firstLogits: Float32Array | null;
  /** Of each answer's tokens after its prompt, nats; null unless asked for. */
  logLikelihoods: Float64Array | null;
}

/** Of every token of all options, group by group. */
export interface NativeScores {
  /** Nats, given the prefix and the option's tokens before it. */
  logLikelihoods: Float64Array;
  /** 1 where the model holds no other token for more likely. */
  greedy: Uint8Array;
}

/** Of every compared token of all texts. */
export interface NativeDrift {
  /** KL(base || other), nats. */
  kl: Float64Array;
  /** 1 where both hold the same token for the most likely. */
  sameTop: Uint8Array;
}

/** W += left * rightᵀ, for each expert of a stack [nIn, nOut, nExperts]. */
export interface RankOneFactors {
  name: string;
  /** [nExperts, nOut] */
  left: Float32Array;
  /** [nExperts, nIn] */
  right: Float32Array;
  /** Default 1. */
  nExperts?: number;
}

/** What the tensor's inputs are like when the model runs. */
export interface InputStatistics {
  /** E[x_j²], [nIn] or [nExperts, nIn]. */
  meanSquares: Float32Array;
  /** Root mean square of right·x over the same inputs; positive. */
  responseRms: number;
}

/** Types that a tensor of any type can be written in, spelled as {@link inspect} spells types. */
export const promotionTypes = ['Q8_0', 'F16', 'BF16', 'F32'] as const;
export type PromotionType = (typeof promotionTypes)[number];

/** The left factor of a run-time adapter is the edit's times `ratio`, and times each expert's element of `expertScale`. */
export interface AdapterWay {
  ratio: number;
  /** [nExperts]; null: none. */
  expertScale: Float32Array | null;
}

/** A tensor to be updated in a file. */
export interface PlannedTensor extends RankOneFactors {
  /** The type to write it in. Default: its own. */
  type?: PromotionType;
  /** For {@link RealisedUpdate.noiseToSignal}, and for less of it: flips go where inputs are quiet. */
  inputs?: InputStatistics;
  /**
   * [nOut]: what follows the matrix uses its output along this, so that rounding keeps each column's sum along it. Default:
   * along left.
   */
  readout?: Float32Array;
  /** Its part of the whole push, 0 to 1. */
  share?: number;
  /** How the same edit is made as a run-time adapter; null: the engine ignores one. Default: with the same factors. */
  adapter?: AdapterWay | null;
}

/**
 * What a tensor changed by after rounding; native/kernels/rank_one.h defines each number, experts.h what it is of a stack
 * of experts.
 */
export interface RealisedUpdate {
  mode: 'copy' | 'add' | 'code-flips' | 'refit' | 'promote';
  relativeChange: number;
  gain: number;
  worstGain: number;
  offDirection: number;
  columnError: number;
  worstGroup: number;
  collateral: number;
  stepRatio: number;
  flipped: number;
  saturated: number;
  /** Null without {@link PlannedTensor.inputs}, and where nothing was asked for. */
  noiseToSignal: number | null;
}

/** What an update would do. */
export interface UpdateTrial {
  sourceBytes: number;
  outputBytes: number;
  /** `type` and `sha256` are those in the output. */
  tensors: { name: string; type: string; sha256: string; realised: RealisedUpdate }[];
}

export interface NativeUpdateResult extends UpdateTrial {
  /** Of a split model: of its files, one after the other. */
  sourceSha256: string;
  /** Path of the new GGUF; of a split model, of its first file. */
  output: string;
  /** When it was asked for. */
  draft?: { path: string; handle: DraftHandle };
}

export interface NativeTrialRequest {
  source: string;
  /** Everything is computed and nothing written. */
  trial: true;
  threads: number;
  /** Path of the library whose GPUs flip codes and promote. Default: none. */
  gpuLibrary?: string | undefined;
  tensors: PlannedTensor[];
  metadata: Record<string, string>;
}

export interface NativeUpdateRequest extends Omit<NativeTrialRequest, 'trial'> {
  output: string;
  overwrite: boolean;
  /** Whether the output is left under a temporary name until {@link NativeAddon.publish}. Default false. */
  draft?: boolean;
}

/** How two files differ; see {@link verifyUpdate}. */
export interface NativeVerifyResult {
  ok: boolean;
  checksumOk: boolean;
  sourceMatches: boolean | null;
  /** `changedBytes`: all of them where the tensor has another type than in the source. */
  tensors: { name: string; sha256Ok: boolean; changedBytes: number | null }[];
  /** `part`: the file of a split model, from 1. */
  unplannedDifferences: { where: string; firstOffset: number; bytes: number; part?: number }[];
}

export interface Inspection {
  version: number;
  alignment: number;
  /** Of all files of a split model. */
  fileBytes: number;
  /** Where the descriptions of the tensors begin, in the first file: the metadata ends there. */
  infosOffset: number;
  /** In the first file. */
  dataOffset: number;
  /** Of the first file. */
  metadata: Record<string, unknown>;
  /** `canUpdate`: whether a rank-one update can be written in the tensor's own type. */
  tensors: {
    name: string;
    type: string;
    shape: number[];
    /** From the start of the file that it is in. */
    offset: number;
    bytes: number;
    canUpdate: boolean;
    /** Of a split model: which of `parts` that is. */
    part?: number;
  }[];
  /** The files of a split model, in order. */
  parts?: { path: string; fileBytes: number; infosOffset: number; dataOffset: number }[];
}

/** Something that the engine can compute on. */
export interface EngineDevice {
  /** As the engine calls it: `CPU`, `CUDA0`. */
  name: string;
  /** Of the hardware, by its driver. */
  description: string;
  kind: 'cpu' | 'gpu' | 'igpu' | 'accel' | 'meta' | 'unknown';
  backend: string;
  /** Path of the file that the backend was loaded from. */
  library: string;
  /** Of the backend, such as `AVX2`. */
  features: string[];
  /** Null where the backend does not tell. */
  freeBytes: number | null;
  totalBytes: number | null;
}

export interface NativeEngineReport {
  /** Of ggml, the engine's tensor library. */
  version: string;
  commit: string;
  devices: EngineDevice[];
  /** Of the libraries asked for. */
  notLoaded: string[];
}

/** A GPU as the library with the kernels for it sees it. */
export interface GpuDevice {
  name: string;
  /** Such as `9.0`. */
  computeCapability: string;
  /** 0: not told, as the next ones. */
  totalBytes: number;
  freeBytes: number;
  /** Of its memory, at most. */
  bytesPerSecond: number;
}

/** Where a model computes besides this machine's processor. */
export interface NativePlacement {
  /** RPC servers, `host:port`; none: this machine's GPUs. */
  servers: string[];
  /** Paths of GPU backends. */
  gpuLibraries: string[];
  /** Blocks placed there, from the last, the head as one; -1: all. */
  gpuLayers: number;
}

/** Room for a copy that the engine reads in place of a model. native/reading_copy.h */
export interface NativeReadingCopy {
  folder: string;
  maxBytes: number;
  /** Also where the engine is no faster by it. */
  always: boolean;
}

/** Everything that crosses between JavaScript and C++. */
export interface NativeAddon {
  openSession(
    path: string,
    how: { threads: number; readingCopy?: NativeReadingCopy | undefined } & Partial<NativePlacement>,
    onProgress: Tick,
  ): Task<SessionHandle>;
  closeHandle(handle: SessionHandle | AdapterHandle): void;
  sessionInfo(session: SessionHandle): NativeModelInfo;
  tokenize(session: SessionHandle, segments: { text: string; parseSpecial: boolean }[], addBos: boolean): Int32Array;
  detokenize(session: SessionHandle, tokens: Int32Array): string;
  loadAdapter(session: SessionHandle, factors: RankOneFactors[]): AdapterHandle;
  /** A control vector: each vector [dModel] is added to the stream after its block, from 1, on every token. */
  loadPushes(session: SessionHandle, pushes: { layer: number; vector: Float32Array }[]): AdapterHandle;
  capture(session: SessionHandle, request: NativeCaptureRequest, onProgress: Tick): Task<NativeCapture>;
  nextTokenLogits(
    session: SessionHandle,
    request: NativeRun & { prompts: Int32Array[] },
    onProgress: Tick,
  ): Task<Float32Array>;
  generate(
    session: SessionHandle,
    request: NativeRun & {
      prompts: Int32Array[];
      maxTokens: number;
      /** Most answers generated at once; default `answersAtOnce`. */
      parallel?: number;
      /** Most tokens held for them at once. */
      cells?: number;
      firstLogits?: boolean;
      logLikelihoods?: boolean;
    },
    onProgress: Tick,
  ): Task<NativeAnswers>;
  /** `options`: of each prefix. */
  score(
    session: SessionHandle,
    request: NativeRun & { prefixes: Int32Array[]; options: Int32Array[][] },
    onProgress: Tick,
  ): Task<NativeScores>;
  /** `from`: of each text, the first token that is compared. The sessions may be one and the same. */
  drift(
    base: SessionHandle,
    other: SessionHandle,
    request: { texts: Int32Array[]; from: number[]; base: NativeRun; other: NativeRun },
    onProgress: Tick,
  ): Task<NativeDrift>;
  /** A factor for each rho. */
  gatedFactors(
    request: { kept: Float32Array; keptCount: number; mean: Float32Array; rhos: number[]; threads: number },
    onProgress?: Tick,
  ): Task<Float32Array[]>;
  /** Of matrices of any type. */
  meanRows(path: string, names: string[], onProgress?: Tick): Task<Float32Array[]>;
  /** The mean of each row. */
  rowMeans(path: string, names: string[], onProgress?: Tick): Task<Float32Array[]>;
  /** Throws what update() would throw about its output. */
  checkOutput(source: string, output: string, overwrite: boolean): void;
  /**
   * The files of `output` when it is split as `model` is; of a model named twice, its own. By names alone. Throws
   * OPTION_INVALID when `model` is a later part, or `output` the name of a part that does not fit.
   */
  outputPaths(model: string, output: string): string[];
  /** Gives a draft its output's name, in one step. Without `overwrite` an existing file is never replaced. */
  publish(draft: DraftHandle, overwrite: boolean): void;
  /** Removes a draft that is not published. Any number of calls. */
  discard(draft: DraftHandle): void;
  /**
   * Records that the last `undoBytes` of a draft's first file, appended to it since, are an undo delta: in the value of
   * `rosi.undo`, which has 16 characters, and in the checksum. A draft for which this fails is gone.
   */
  seal(draft: DraftHandle, undoBytes: number, onProgress: Tick): Task<void>;
  update(request: NativeUpdateRequest, onProgress: Tick): Task<NativeUpdateResult>;
  update(request: NativeTrialRequest, onProgress: Tick): Task<UpdateTrial>;
  verify(
    request: { source?: string | undefined; output: string; threads?: number | undefined },
    onProgress: Tick,
  ): Task<NativeVerifyResult>;
  inspect(path: string): Task<Inspection>;
  /** Of the files one after the other. */
  sha256(paths: string[], onProgress: Tick): Task<string>;
  /** The file is whole or absent, and never one of `inputs`. */
  writeFile(request: { output: string; parts: Uint8Array[]; overwrite: boolean; inputs: string[] }): Task<void>;
  /** From the engine's graph, which is built but not run. */
  findWriters(session: SessionHandle, onProgress?: Tick): Task<NativeWriterReport>;
  /**
   * For each writer, how far its push comes along `direction` at the stream, the mean over the prompts' last tokens; null
   * where a step on its way is not understood. native/engine/push_reach.h
   */
  measureReach(
    session: SessionHandle,
    request: { prompts: Int32Array[]; direction: Float32Array; writers: RankOneFactors[]; threads: number },
    onProgress?: Tick,
  ): Task<(number | null)[]>;
  /** Numbers of F32, F16 or BF16 vectors. */
  readVectors(path: string, names: string[]): Task<Float32Array[]>;
  /** The same without loading the model's weights. */
  findWritersInFile(path: string): Task<NativeWriterReport>;
  /**
   * What the engine can compute on. Backends of `libraries`, paths, are loaded for the life of the process, and models
   * opened later may use them: give some only in a process that does nothing else.
   */
  engineReport(libraries: string[]): Task<NativeEngineReport>;
  /** The devices of the library with the kernels for GPUs, at least one. It stays loaded. */
  gpuDevices(library: string): Task<GpuDevice[]>;
}

let loaded: NativeAddon | undefined;

/** The addon, loaded at the first use, so that importing the library never fails. What it throws is a RosiError. */
export const native: NativeAddon = new Proxy({} as NativeAddon, {
  get: (_, name) => (loaded ??= withTypedErrors(loadAddon() as NativeAddon))[name as keyof NativeAddon],
});

function withTypedErrors(addon: NativeAddon): NativeAddon {
  const typed = Object.entries(addon).map(([name, value]: [string, unknown]) => {
    if (typeof value !== 'function') return [name, value];
    const call = (...args: unknown[]): unknown => {
      try {
        return value(...args) as unknown;
      } catch (error) {
        throw toRosiError(error);
      }
    };
    return [name, call];
  });
  return Object.fromEntries(typed) as NativeAddon;
}

/** Waits for a task; the signal cancels it. */
export async function runTask<T>(start: () => Task<T>, signal?: AbortSignal): Promise<T> {
  throwIfAborted(signal);
  const task = start();
  const cancel = () => task.cancel();
  signal?.addEventListener('abort', cancel);
  try {
    return await task.done;
  } catch (error) {
    throw toRosiError(error);
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}
