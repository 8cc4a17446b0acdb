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
import { renderPrompt } from './template';

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

/** A model in memory. Close it when done; closing twice is harmless. */
export class ModelSession {
  private constructor(
    readonly path: string,
    readonly info: NativeModelInfo,
    private readonly handle: SessionHandle,
    private readonly options: CallOptions,
  ) {}

  /** @throws RosiError `GGUF_INVALID`, `MODEL_UNSUPPORTED`, `ENGINE_FAILED`, `FILE_FAILED`, `ABORTED`. */
  static async open(path: string, options: CallOptions & { threads?: number | undefined } = {}): Promise<ModelSession> {
    const tick = ticker(options, 'load');
    const threads = options.threads ?? availableParallelism();
    const handle = await runTask(() => native.openSession(path, threads, tick), options.signal);
    return new ModelSession(path, native.sessionInfo(handle), handle, options);
  }

  close(): void {
    native.closeHandle(this.handle);
  }

  /** Tokens of a prompt in the model's own chat template, up to where the assistant's turn begins. */
  encode(user: string, system?: string, assistantPrefix?: string): Int32Array {
    const { bosText: bosToken, eosText: eosToken, chatTemplate, addsBos } = this.info;
    const { segments, addBos } = renderPrompt(chatTemplate, { user, system, assistantPrefix }, { bosToken, eosToken });
    return native.tokenize(this.handle, segments, addBos && addsBos);
  }

  encodeText(text: string): Int32Array {
    return native.tokenize(this.handle, [{ text, parseSpecial: false }], false);
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
          { prompts, ...request, ...edit },
          ticker(this.options, stage, prompts.length, 'prompts'),
        ),
      this.options.signal,
    );
  }

  /** Logits [prompts, nVocab] of the token that follows each prompt. */
  nextTokenLogits(prompts: Int32Array[], edit?: RunTimeEdit, stage = 'logits', note?: string): Promise<Float32Array> {
    const tick = ticker(this.options, stage, prompts.length, 'prompts', note);
    return runTask(() => native.nextTokenLogits(this.handle, { prompts, ...edit }, tick), this.options.signal);
  }

  /** Greedy answers as text, one a prompt. */
  async generate(
    prompts: Int32Array[],
    maxTokens: number,
    edit?: RunTimeEdit,
    stage = 'generate',
    note?: string,
  ): Promise<string[]> {
    const tick = ticker(this.options, stage, prompts.length, 'prompts', note);
    const answers = await runTask(
      () => native.generate(this.handle, { prompts, maxTokens, parallel: 24, ...edit }, tick),
      this.options.signal,
    );
    return answers.map((tokens) => this.decode(tokens).trim());
  }
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
