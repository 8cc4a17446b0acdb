import { availableParallelism } from 'node:os';

import {
  native,
  runTask,
  type AdapterHandle,
  type NativeCapture,
  type NativeModelInfo,
  type RankOneFactors,
  type SessionHandle,
} from './native';
import type { Progress } from './progress';
import { renderPrompt, type RenderedPrompt } from './template';

/** What long calls share. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** Rank-one updates that act while the model runs, at a scale. */
export interface RunTimeEdit {
  adapter: AdapterHandle;
  /** Dimensionless factor on every update. */
  scale: number;
}

export interface Answers {
  /** One a prompt, white space at both ends removed. */
  texts: string[];
  /** [prompts, nVocab]; null unless asked for. */
  firstLogits: Float32Array | null;
}

/** A model in memory. Close it when done; closing twice is harmless. */
export class ModelSession {
  private constructor(
    readonly path: string,
    readonly info: NativeModelInfo,
    /** Processors that the engine uses. */
    readonly threads: number,
    private readonly handle: SessionHandle,
    private readonly options: CallOptions,
  ) {}

  /**
   * @param options.threads - Default: the fastest of one, half and all processors, measured on a short text.
   * @throws RosiError `GGUF_INVALID`, `MODEL_UNSUPPORTED`, `ENGINE_FAILED`, `FILE_FAILED`, `ABORTED`.
   */
  static async open(path: string, options: CallOptions & { threads?: number | undefined } = {}): Promise<ModelSession> {
    const most = options.threads ?? availableParallelism();
    const handle = await runTask(() => native.openSession(path, most, ticker(options, 'load')), options.signal);
    try {
      const threads = options.threads ?? (await fastestThreads(handle, most, options.signal));
      return new ModelSession(path, native.sessionInfo(handle), threads, handle, options);
    } catch (error) {
      native.closeHandle(handle);
      throw error;
    }
  }

  close(): void {
    native.closeHandle(this.handle);
  }

  /** Tokens of a prompt in the model's own chat template, up to where the assistant's turn begins. */
  encode(user: string, system?: string, assistantPrefix?: string): Int32Array {
    const { segments, addBos } = this.render(user, system, assistantPrefix);
    return native.tokenize(this.handle, segments, addBos && this.info.addsBos);
  }

  /** A prompt in the model's own chat template, not yet tokenised. @throws RosiError `TEMPLATE_FAILED` */
  render(user: string, system?: string, assistantPrefix?: string): RenderedPrompt {
    const { bosText: bosToken, eosText: eosToken, chatTemplate, controlTokens } = this.info;
    return renderPrompt(chatTemplate, { user, system, assistantPrefix }, { bosToken, eosToken, controlTokens });
  }

  /** Tokens of a text as it is; control tokens spelled out in it stay text. */
  encodeText(text: string, addBos = false): Int32Array {
    return native.tokenize(this.handle, [{ text, parseSpecial: false }], addBos);
  }

  decode(tokens: Int32Array): string {
    return native.detokenize(this.handle, tokens);
  }

  loadAdapter(factors: RankOneFactors[]): AdapterHandle {
    return native.loadAdapter(this.handle, factors);
  }

  capture(
    prompts: Int32Array[],
    what: { streams: boolean; writers: string[]; last?: boolean; positions?: number[][]; edit?: RunTimeEdit },
    stage = 'capture',
  ): Promise<NativeCapture> {
    const { edit, ...request } = what;
    return runTask(
      () =>
        native.capture(
          this.handle,
          { prompts, ...request, ...edit, threads: this.threads },
          ticker(this.options, stage, prompts.length, 'prompts'),
        ),
      this.options.signal,
    );
  }

  /** Logits [prompts, nVocab] of the token that follows each prompt. */
  nextTokenLogits(prompts: Int32Array[], edit?: RunTimeEdit, stage = 'logits', note?: string): Promise<Float32Array> {
    const tick = ticker(this.options, stage, prompts.length, 'prompts', note);
    return runTask(
      () => native.nextTokenLogits(this.handle, { prompts, ...edit, threads: this.threads }, tick),
      this.options.signal,
    );
  }

  /** Greedy answers. */
  async generate(
    prompts: Int32Array[],
    options: {
      /** Most new tokens of an answer. */
      maxTokens: number;
      /** Whether the logits of the answers' first tokens are wanted: [prompts, nVocab], so a few hundred MB of a thousand prompts. */
      firstLogits?: boolean;
      edit?: RunTimeEdit | undefined;
      stage?: string;
      note?: string | undefined;
    },
  ): Promise<Answers> {
    const { maxTokens, firstLogits = false, edit, stage = 'generate', note } = options;
    const tick = ticker(this.options, stage, prompts.length, 'prompts', note);
    const request = { prompts, maxTokens, firstLogits, parallel: 24, ...edit, threads: this.threads };
    const { answers, firstLogits: logits } = await runTask(
      () => native.generate(this.handle, request, tick),
      this.options.signal,
    );
    return { texts: answers.map((tokens) => this.decode(tokens).trim()), firstLogits: logits };
  }
}

// A smaller gain does not pay for the risk that processors get busy later.
const worthwhile = 1.25;

/**
 * The engine's threads wait for each other by spinning. Where processors are shared, with other programs or with other
 * machines on the same host, one thread can be many times faster than two; nothing but a measurement tells.
 */
async function fastestThreads(session: SessionHandle, most: number, signal: AbortSignal | undefined): Promise<number> {
  const text = 'The quick brown fox jumps over the lazy dog.';
  const prompts = [native.tokenize(session, [{ text, parseSpecial: false }], false)];
  const seconds = async (threads: number) => {
    const start = performance.now();
    await runTask(() => native.generate(session, { prompts, maxTokens: 4, threads }, () => {}), signal);
    return performance.now() - start;
  };
  await seconds(1); // reads the weights from the disk
  let best = { threads: 1, time: await seconds(1) };
  for (const threads of new Set([Math.ceil(most / 2), most])) {
    if (threads === 1) continue;
    const time = await seconds(threads);
    if (time * worthwhile < best.time) best = { threads, time };
  }
  return best.threads;
}

/** Turns native ticks into progress of a stage. */
export function ticker(options: CallOptions, stage: string, total?: number, unit?: string, note?: string) {
  return (done: number) =>
    options.onProgress?.({
      stage,
      done,
      ...(total === undefined ? {} : { total }),
      ...(unit === undefined ? {} : { unit }),
      ...(note === undefined ? {} : { note }),
    });
}
