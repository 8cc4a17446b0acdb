import type { EventEmitter } from 'node:events';
import type { Readable, Writable } from 'node:stream';

import type { ApplyOptions, AppliedPlan } from '../apply-plan';
import type { DoctorOptions, DoctorReport } from '../doctor/doctor';
import type { EvaluateOptions } from '../evaluation/evaluate';
import type { ModelToEvaluate } from '../evaluation/subjects';
import type { Evaluation } from '../evaluation/evaluation';
import type { Suite } from '../evaluation/suite';
import type { PlanOptions } from '../make-plan';
import type { HardenOptions } from '../options';
import type { SavedPlan } from '../outputs/saved-plan';
import type { OutputPaths, WriteOutputsOptions } from '../outputs/write-outputs';
import type { Inspection } from '../native';
import type { PromptSet, SplitPrompts } from '../prompts';
import type { HardenReport } from '../report';
import type { CallOptions } from '../stage';
import type { RevertOptions } from '../undo/revert';
import type { VerifyOptions, VerifyResult } from '../verify';
import type { ModelWriters } from '../writers';

/** What the command needs of the library; a test gives its own. */
export interface Library {
  version: string;
  harden(model: string, prompts: PromptSet | SplitPrompts | undefined, options: HardenOptions): Promise<HardenReport>;
  makePlan(model: string, prompts: PromptSet | SplitPrompts | undefined, options: PlanOptions): Promise<SavedPlan>;
  readPlan(path: string): Promise<SavedPlan>;
  applyPlan(saved: SavedPlan, model: string, options: ApplyOptions): Promise<AppliedPlan>;
  writeOutputs(paths: OutputPaths, saved: SavedPlan, options: WriteOutputsOptions): Promise<string[]>;
  evaluate(
    models: readonly (string | ModelToEvaluate)[],
    suites: readonly Suite[],
    options: EvaluateOptions,
  ): Promise<Evaluation>;
  inspect(path: string): Promise<Inspection>;
  findWritersInFile(path: string): Promise<ModelWriters>;
  verifyUpdate(source: string | undefined, output: string, options: VerifyOptions): Promise<VerifyResult>;
  revert(hardened: string, options: RevertOptions): Promise<{ sha256: string; bytes: number; output: string }>;
  doctor(options: DoctorOptions): Promise<DoctorReport>;
  generate(model: string, prompts: string[], options: GenerateOptions): Promise<{ prompt: string; text: string }[]>;
}

export interface GenerateOptions extends CallOptions {
  system?: string | undefined;
  maxTokens?: number | undefined;
  threads?: number | undefined;
  thinking?: boolean | undefined;
  /** Prompts are continued as they are, without the model's chat template. */
  raw?: boolean | undefined;
}

/** The world around a run of the command. */
export interface Streams {
  stdin: Readable;
  /** Results, and nothing else. */
  stdout: Writable & { isTTY?: boolean | undefined };
  /** Progress, messages and errors. */
  stderr: Writable & { isTTY?: boolean | undefined; columns?: number | undefined };
  /** Emits SIGINT and SIGTERM. */
  signals: EventEmitter;
  /** Ends the process at once. */
  exit(code: number): void;
}

/** Exit status beside those of lib/errors.ts. */
export const exitStatus = { done: 0, bug: 1, selfTest: 1, usage: 2, notVerified: 9 } as const;
