export { harden } from './harden';
export { makePlan, type PlanOptions } from './make-plan';
export { applyPlan, type AppliedPlan, type ApplyOptions } from './apply-plan';
export { captureActivations, type Activations, type Streams } from './capture';
export { chooseDirection, type Direction } from './direction';
export { rightFactorsOf, type WriterFactor } from './factors';
export { pushesOf, type Push } from './push';
export { searchEdit, type SearchResult, type SearchSettings } from './search/search';
export type { Trial } from './search/trial';
export { captureTokens } from './capture';
export { planUpdate, type Edit, type UpdatePlan } from './plan';
export { applyUpdate, trialUpdate, type TrialOptions, type UpdateOptions } from './update';
export { verifyUpdate, type Recomputed, type VerifyOptions, type VerifyResult } from './verify';
export { evaluate, type EvaluateOptions } from './evaluation/evaluate';
export type { ModelToEvaluate } from './evaluation/subjects';
export type { AnswerRow, Evaluation, EvaluatedModel, ModelResult, SuiteResult } from './evaluation/evaluation';
export { evaluationMarkdown, evaluationSummary } from './evaluation/evaluation-text';
export { evaluationHtml } from './html/evaluation-page';
export { builtInSuites, limited } from './evaluation/suites';
export { Evaluator, type Behaviour } from './evaluator';
export { generate, type GenerateOptions } from './generate';
export { revert, type RevertOptions } from './undo/revert';
export { writeUndo, type UndoOptions } from './undo/write-undo';
export { checkOutputs, writeOutputs, type OutputPaths, type WriteOutputsOptions } from './outputs/write-outputs';
export { readPlan, savePlan } from './outputs/plan-file';
export type { PlanProvenance, SavedPlan } from './outputs/saved-plan';
export { writeLoraAdapter } from './outputs/lora';
export { writePeftAdapter, type PeftModel } from './outputs/peft';
export { controlPushes, readControlVector, writeControlVector, type LayerPush } from './outputs/control-vector';
export { writeModelfile, type ModelfileInfo, type ModelfileOptions } from './outputs/modelfile';
export type { FileOptions } from './outputs/whole-file';
export { inspect } from './inspect';
export { doctor, type DoctorOptions, type DoctorReport } from './doctor/doctor';
export type { GpuReport } from './doctor/gpu';
export type { GpuPackage } from './gpu-packages';
export type { PlacementOptions } from './placement';
export type { Machine } from './doctor/machine';
export type { SelfTest } from './doctor/self-test';
export { ModelSession, type RunTimeEdit } from './session';
export {
  multipleChoice,
  type MetricValue,
  type MultipleChoiceOptions,
  type MultipleChoiceResult,
  type QuestionResult,
} from './evaluation/utility/multiple-choice';
export {
  choiceTaskNames,
  type ChoiceMetric,
  type ChoiceQuestion,
  type ChoiceTask,
  type ChoiceTaskName,
} from './evaluation/utility/question';
export type { NamedText, UtilityReport, UtilityResult, UtilityTasks } from './evaluation/utility/measure';
export { readChoiceTask, type ReadTaskOptions } from './evaluation/utility/tasks';
export type { ContinuationGroup, ContinuationScore, Drift, DriftText, Perplexity, PerplexityOptions } from './score';
export type { CallOptions } from './stage';
export { findWriters, findWritersInFile, type ModelWriters, type Writer } from './writers';
export {
  builtInPrompts,
  hashPrompts,
  splitPrompts,
  type PromptSet,
  type Role,
  type SplitPrompts,
  type SplitSample,
} from './prompts';
export { readPrompts, readPromptSet } from './prompt-files';
export {
  jailbreakNames,
  jailbreaks,
  jailbreaksInTurn,
  jailbreakSuite,
  type Jailbreak,
  type JailbreakName,
} from './evaluation/jailbreaks';
export { readSuites, type SuiteFileOptions } from './evaluation/public-sets';
export { setNames, type SetName } from './evaluation/set-layouts';
export { plainSuite, type Suite, type SuiteItem } from './evaluation/suite';
export { promptText, renderPrompt, type Conversation, type Exchange, type RenderedPrompt } from './template';
export { reportMarkdown, reportSummary, type HardenReport } from './report';
export { reportHtml } from './html/harden-page';
export { answerLabels, declines, labelAnswer, meets, type AnswerLabel } from './refusal';
export type { Judge, Judged, Verdict } from './evaluation/judge';
export type { BaseNll } from './evaluation/base-nll';
export { judgeAgreement, type Agreement, type JudgeAgreement } from './evaluation/judges/agreement';
export { ggufJudge, type GgufJudge, type GgufJudgeOptions } from './evaluation/judges/gguf';
export type { GuardName } from './evaluation/judges/guards';
export { openAiJudge, type OpenAiJudgeOptions } from './evaluation/judges/openai';
export type { Rubric } from './evaluation/judges/rubric';
export { readRubric, rubricFromText } from './evaluation/judges/rubric-file';
export { rubrics, type RubricName } from './evaluation/judges/rubrics';
export type { ShieldGemmaPolicy } from './evaluation/judges/shieldgemma';
export { rulesJudge } from './evaluation/judges/rules';
export { RosiError, exitCodes, type RosiErrorCode } from './errors';
export type { HardenOptions, RightFactor, Schedule } from './options';
export type { Progress } from './progress';
export type {
  EngineDevice,
  InputStatistics,
  Inspection,
  PlannedTensor,
  PromotionType,
  RealisedUpdate,
  RankOneFactors,
  UpdateTrial,
} from './native';
export { version } from './version';
