import { availableParallelism } from 'node:os';

import { RosiError } from './errors';
import {
  native,
  runTask,
  type AdapterHandle,
  type NativeCapture,
  type NativeModelInfo,
  type NativeScores,
  type NativeWriterReport,
  type RankOneFactors,
  type SessionHandle,
  type Task,
  type Tick,
} from './native';
import {
  foldDrift,
  foldPerplexity,
  foldScores,
  perplexityChunks,
  type ContinuationGroup,
  type ContinuationScore,
  type Drift,
  type DriftText,
  type Perplexity,
  type PerplexityOptions,
} from './score';
import { readingCopy } from './reading-copy';
import { runStage, type CallOptions } from './stage';
import { resolvePlacement, type PlacementOptions } from './placement';
import type { LayerPush } from './outputs/control-vector';
import { type Piece, toSegments } from './segments';
import { renderPrompt, type Conversation, type RenderedPrompt } from './template';
import { oneLine } from './text';
import { fastestThreads } from './threads';

/** Rank-one updates that act while the model runs, at a scale. */
export interface RunTimeEdit {
  adapter: AdapterHandle;
  /** Dimensionless factor on every update. */
  scale: number;
}

export interface Answers {
  /** One a prompt. */
  texts: string[];
  /** Of each, without the one that ended it. */
  tokens: Int32Array[];
  /** How many. */
  counts: number[];
  /** [prompts, nVocab]; null unless asked for. */
  firstLogits: Float32Array | null;
  /** Of all tokens of each after its prompt, nats, by the model as it answered; null unless asked for. */
  logLikelihoods: Float64Array | null;
}

export interface SessionOptions extends CallOptions, PlacementOptions {
  /** Default: the fastest of one, half and all processors, measured on a short prompt. */
  threads?: number | undefined;
  /**
   * Whether the engine may read a temporary copy with the same weights in types that it multiplies faster; docs/devices.md.
   * Default true: it does where that helps and there is room.
   */
  readingCopy?: boolean | undefined;
  /** Whether a model that can think aloud before it answers is let. Default false: a reasoning block is closed. */
  thinking?: boolean | undefined;
}

/** A model in memory. Close it when done; closing twice is harmless. */
export class ModelSession {
  /** What was encoded, for messages about it. */
  private readonly texts = new WeakMap<Int32Array, string>();
  private readonly adapters = new Set<AdapterHandle>();
  private found: NativeWriterReport | undefined;

  private constructor(
    readonly path: string,
    readonly info: NativeModelInfo,
    /** Processors that the engine uses. */
    readonly threads: number,
    private readonly handle: SessionHandle,
    private readonly options: SessionOptions,
  ) {}

  /**
   * @throws RosiError `OPTION_INVALID`, `GGUF_INVALID`, `MODEL_UNSUPPORTED`, `ENGINE_FAILED`, `SERVER_FAILED`, `FILE_FAILED`,
   *   `ABORTED`; its calls throw `SERVER_FAILED`, too, where a server is lost.
   */
  static async open(path: string, options: SessionOptions = {}): Promise<ModelSession> {
    const most = options.threads ?? availableParallelism();
    const how = {
      threads: most,
      readingCopy: options.readingCopy === false ? undefined : readingCopy(),
      ...resolvePlacement(options),
    };
    const handle = await runStage(options, { stage: 'load' }, (tick) => native.openSession(path, how, tick));
    try {
      const measured = options.threads === undefined && how.gpuLayers === 0;
      const threads = measured ? await fastestThreads(handle, most, options) : most;
      return new ModelSession(path, native.sessionInfo(handle), threads, handle, options);
    } catch (error) {
      native.closeHandle(handle);
      throw error;
    }
  }

  /** How another model is opened to compute where this one does. */
  get where(): Pick<SessionOptions, 'threads' | 'rpc' | 'gpuLayers' | 'readingCopy'> {
    const { rpc, gpuLayers } = this.options;
    return { threads: this.threads, rpc, gpuLayers, readingCopy: this.info.readsCopy };
  }

  /** What runs goes on to its end and keeps the model as long. */
  close(): void {
    for (const adapter of this.adapters) this.closeAdapter(adapter);
    native.closeHandle(this.handle);
  }

  /** Tokens of a prompt in the model's own chat template, up to where the assistant's turn begins. */
  encode(user: string, system?: string, assistantPrefix?: string): Int32Array {
    return this.encodeConversation({ user, system, assistantPrefix });
  }

  /** The same of a conversation that may have earlier turns. @throws RosiError `TEMPLATE_FAILED` */
  encodeConversation(conversation: Conversation): Int32Array {
    const { segments, addBos } = this.render(conversation);
    return this.tokenize(segments, addBos && this.info.addsBos, conversation.user);
  }

  /** A prompt in the model's own chat template, not yet tokenised. @throws RosiError `TEMPLATE_FAILED` */
  render(conversation: Conversation): RenderedPrompt {
    const { bosText: bosToken, eosText: eosToken, chatTemplate, controlTokens } = this.info;
    const { thinking = false } = this.options;
    return renderPrompt(chatTemplate, conversation, { bosToken, eosToken, controlTokens }, thinking);
  }

  /** Tokens of a prompt in another form than the model's chat template. `name`: what messages call it. */
  encodePieces(pieces: readonly Piece[], name: string): Int32Array {
    const { bosText, controlTokens, addsBos } = this.info;
    const begins = bosText !== '' && pieces[0]?.data === false && pieces[0].text.startsWith(bosText);
    return this.tokenize(toSegments(pieces, controlTokens), addsBos && !begins, name);
  }

  /** Tokens of a text as it is; control tokens spelled out in it stay text. */
  encodeText(text: string, addBos = false): Int32Array {
    return this.tokenize([{ text, parseSpecial: false }], addBos, text);
  }

  /**
   * The first token of a text that is not white space alone. Some vocabularies put a space before every text, which may
   * become a token of its own: it says nothing about the text.
   */
  firstToken(text: string): number | undefined {
    return this.encodeText(text).find((token) => this.decode(Int32Array.of(token)).trim() !== '');
  }

  /** The text exactly as the tokens spell it; control tokens spell nothing. */
  decode(tokens: Int32Array): string {
    return native.detokenize(this.handle, tokens);
  }

  /**
   * Lasts as long as the session, or until {@link closeAdapter}.
   *
   * @throws RosiError `OPTION_INVALID`, `ENGINE_FAILED`, `FILE_FAILED`: the engine reads it from a temporary file.
   */
  loadAdapter(factors: RankOneFactors[]): AdapterHandle {
    return this.keep(native.loadAdapter(this.handle, factors));
  }

  /** A control vector as an adapter: pushes of the stream on every token. @throws RosiError `OPTION_INVALID` */
  loadPushes(pushes: readonly LayerPush[]): AdapterHandle {
    return this.keep(native.loadPushes(this.handle, [...pushes]));
  }

  closeAdapter(adapter: AdapterHandle): void {
    native.closeHandle(adapter);
    this.adapters.delete(adapter);
  }

  /** What the engine's graph says of this model's writers and its stream; {@link findWriters} reads it. Found once. */
  async graph(): Promise<NativeWriterReport> {
    return (this.found ??= await runTask(() => native.findWriters(this.handle), this.options.signal));
  }

  /** Blocks that are run: a file may hold more, for multi-token prediction. */
  async depth(): Promise<number> {
    const { layers } = await this.graph();
    return layers.reduce((depth, { stream }, i) => (stream === null ? depth : i + 1), 0);
  }

  /**
   * For each writer the mean over the prompts' last tokens of the change of the stream along `direction`, of a small
   * update; null where that can't be told.
   */
  reach(prompts: Int32Array[], direction: Float32Array, writers: RankOneFactors[]): Promise<(number | null)[]> {
    return this.run(prompts, 0, 'reach', undefined, (tick) =>
      native.measureReach(this.handle, { prompts, direction, writers, threads: this.threads }, tick),
    );
  }

  /**
   * The residual stream after each block at the last token, and the inputs of writers at the last token and at
   * `positions`. What comes after the last that is asked for is not run.
   *
   * @throws RosiError `MODEL_UNSUPPORTED` when the engine's graph has no place for the stream after one of the blocks.
   */
  async capture(
    prompts: Int32Array[],
    what: {
      streams: boolean;
      /** Of how many blocks the streams are read, from the first. Default all. */
      nLayer?: number | undefined;
      /** Names. */
      writers: string[];
      last?: boolean;
      positions?: number[][];
      /** Whether those of the token that follows each prompt are wanted: then all blocks are run. */
      logits?: boolean;
      edit?: RunTimeEdit;
    },
    stage = 'capture',
  ): Promise<NativeCapture> {
    const { edit, streams, nLayer, writers, ...rest } = what;
    const uses = new Map((await this.graph()).writers.map((writer) => [writer.name, writer.uses]));
    const request = {
      prompts,
      streams: streams ? await this.streamNodes(nLayer ?? (await this.depth())) : [],
      writers: writers.map((name) => ({ name, uses: uses.get(name) ?? 1 })),
      ...rest,
      ...edit,
      threads: this.threads,
    };
    return this.run(prompts, 0, stage, undefined, (tick) => native.capture(this.handle, request, tick));
  }

  /** Logits [prompts, nVocab] of the token that follows each prompt. */
  nextTokenLogits(prompts: Int32Array[], edit?: RunTimeEdit, stage = 'logits', note?: string): Promise<Float32Array> {
    const request = { prompts, ...edit, threads: this.threads };
    return this.run(prompts, 0, stage, note, (tick) => native.nextTokenLogits(this.handle, request, tick));
  }

  /** Greedy answers. */
  async generate(
    prompts: Int32Array[],
    options: {
      /** Most new tokens of an answer. */
      maxTokens: number;
      /** Whether the logits of the answers' first tokens are wanted: [prompts, nVocab], so a few hundred MB of a thousand prompts. */
      firstLogits?: boolean;
      logLikelihoods?: boolean;
      /** Whether white space at both ends of a text stays. Default false. */
      exact?: boolean;
      edit?: RunTimeEdit | undefined;
      stage?: string;
      note?: string | undefined;
    },
  ): Promise<Answers> {
    const { maxTokens, firstLogits = false, logLikelihoods = false, exact = false, edit } = options;
    const { stage = 'generate', note } = options;
    const request = { prompts, maxTokens, firstLogits, logLikelihoods, ...edit, threads: this.threads };
    const { answers, ...measured } = await this.run(prompts, maxTokens, stage, note, (tick) =>
      native.generate(this.handle, request, tick),
    );
    const texts = answers.map((tokens) => this.decode(tokens));
    const counts = answers.map(({ length }) => length);
    return { texts: exact ? texts : texts.map((text) => text.trim()), tokens: answers, counts, ...measured };
  }

  private keep(adapter: AdapterHandle): AdapterHandle {
    this.adapters.add(adapter); // each keeps the model in memory
    return adapter;
  }

  /**
   * How likely the model finds each option after its group's prefix. A prefix is run once for all of its options, and what
   * many groups in a row begin with once for them all.
   *
   * @throws RosiError `OPTION_INVALID` with `group` for tokens that are none, or more than the model's context.
   */
  async scoreContinuations(
    groups: readonly ContinuationGroup[],
    edit?: RunTimeEdit,
    stage = 'score',
    note?: string,
  ): Promise<ContinuationScore[][]> {
    return foldScores(groups, await this.score(groups, 'groups', edit, stage, note));
  }

  /**
   * Perplexity of a text, computed as the engine's llama-perplexity does: in chunks of `context` tokens, of which the first
   * half is context alone; each chunk begins with BOS where the vocabulary adds one, and so does the text for that tool:
   * `encodeText(text, session.info.addsBos)`. What is left over at the end is not counted.
   *
   * @throws RosiError `PROMPTS_INVALID` for a text shorter than a chunk, `OPTION_INVALID`.
   */
  async perplexity(
    tokens: Int32Array,
    options: PerplexityOptions = {},
    edit?: RunTimeEdit,
    stage = 'perplexity',
    note?: string,
  ): Promise<Perplexity> {
    const bos = this.info.addsBos ? this.encodeText('', true)[0] : undefined;
    const chunks = perplexityChunks(tokens, options, this.info.nContext, bos);
    return foldPerplexity(await this.score(chunks, 'chunks', edit, stage, note));
  }

  /**
   * How far another run is from this model as it is, on given texts, such as this model's own answers: KL(this || other)
   * and how often both would go on with the same token. Texts are not generated, so both read the same tokens.
   *
   * @param other - This model with an edit, or a model of the same vocabulary. Both are in memory; beyond them it takes two
   *   batches' logits, 128 MB each at most.
   * @throws RosiError `OPTION_INVALID` with `text`, or when the vocabularies differ in size.
   */
  async drift(
    texts: readonly DriftText[],
    other: { session?: ModelSession; edit?: RunTimeEdit | undefined },
    stage = 'drift',
    note?: string,
  ): Promise<Drift> {
    const request = {
      texts: texts.map(({ tokens }) => tokens),
      from: texts.map(({ from }) => from),
      base: { threads: this.threads },
      other: { ...other.edit, threads: this.threads },
    };
    const differences = await runStage(this.options, { stage, total: texts.length, unit: 'texts', note }, (tick) =>
      native.drift(this.handle, (other.session ?? this).handle, request, tick),
    );
    return foldDrift(texts, differences);
  }

  private score(
    groups: readonly ContinuationGroup[],
    unit: string,
    edit: RunTimeEdit | undefined,
    stage: string,
    note: string | undefined,
  ): Promise<NativeScores> {
    const request = {
      prefixes: groups.map(({ prefix }) => prefix),
      options: groups.map(({ options }) => options),
      ...edit,
      threads: this.threads,
    };
    return runStage(this.options, { stage, total: groups.length, unit, note }, (tick) =>
      native.score(this.handle, request, tick),
    );
  }

  private async streamNodes(nLayer: number): Promise<string[]> {
    const depth = await this.depth();
    if (!Number.isInteger(nLayer) || nLayer < 0 || nLayer > depth) {
      throw new RosiError('OPTION_INVALID', `streams of ${nLayer} blocks were asked for; this model has ${depth}`, {
        nLayer,
        depth,
      });
    }
    const { architecture, layers } = await this.graph();
    return layers.slice(0, nLayer).map(({ layer, stream, stable }) => {
      if (stream !== null && stable) return stream;
      throw new RosiError(
        'MODEL_UNSUPPORTED',
        `the ${architecture} architecture is not supported: its graph has no node that is known to hold the stream after block ${layer}`,
        { architecture, layer },
      );
    });
  }

  private tokenize(segments: RenderedPrompt['segments'], addBos: boolean, text: string): Int32Array {
    const tokens = native.tokenize(this.handle, segments, addBos);
    this.texts.set(tokens, text);
    return tokens;
  }

  /** `room`: tokens that each prompt's answer may take. */
  private async run<T>(
    prompts: Int32Array[],
    room: number,
    stage: string,
    note: string | undefined,
    start: (tick: Tick) => Task<T>,
  ): Promise<T> {
    for (const tokens of prompts) this.checkLength(tokens, room);
    return runStage(this.options, { stage, total: prompts.length, unit: 'prompts', note }, start);
  }

  private checkLength(tokens: Int32Array, room: number): void {
    const { nContext } = this.info;
    if (tokens.length > 0 && tokens.length + room <= nContext) return;
    const text = this.texts.get(tokens) ?? this.decode(tokens.subarray(0, 100));
    const prompt = `the prompt "${oneLine(text.slice(0, 200), 60)}"`;
    const answer = room > 0 ? ` and ${room} for its answer` : '';
    const mend = `remove or shorten it${room > 0 ? ', or lower maxTokens' : ''}`;
    const message =
      tokens.length === 0
        ? `${prompt} has no tokens: remove it`
        : `${prompt} has ${tokens.length} tokens${answer}; this model's context is ${nContext}: ${mend}`;
    throw new RosiError('PROMPTS_INVALID', message, { prompt: text, tokens: tokens.length, room, nContext });
  }
}
