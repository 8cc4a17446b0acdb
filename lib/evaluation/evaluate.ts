import { statSync } from 'node:fs';
import { basename } from 'node:path';

import { safetyPrompt } from '../baseline';
import { StageClock } from '../clock';
import { RosiError, toRosiError } from '../errors';
import { modelFiles } from '../model-files';
import { native, type Tick } from '../native';
import { checkMaxTokens, resolveCache } from '../options';
import type { LayerPush } from '../outputs/control-vector';
import type { Role } from '../prompts';
import type { SavedPlan } from '../outputs/saved-plan';
import { runStage, type CallOptions } from '../stage';
import { counted } from '../text';
import { version } from '../version';
import { answersOf, type Answer, type AnswerSettings, type Subject } from './answers';
import { driftOf, type AnswerDrift } from './drift';
import type { EvaluatedModel, Evaluation, SuiteResult } from './evaluation';
import type { Judge, Judged, Verdict } from './judge';
import { judgeAgreement } from './judges/agreement';
import { rulesJudge } from './judges/rules';
import { evaluationNotes } from './notes';
import { sha256 } from '../result-store';
import type { Suite, SuiteItem } from './suite';
import { builtInSuites } from './suites';
import { shift, tally } from './tally';
import { measureUtility, type UtilityTasks } from './utility/measure';
import { judgedBy } from './verdicts';

/** A model to be evaluated. */
export interface ModelToEvaluate {
  /** Path of a GGUF; of a split one, of its first file. */
  model: string;
  /** Default: the file's name, and what is added to it. */
  name?: string | undefined;
  /** Said before every request. Default none. */
  system?: string | undefined;
  /** An edit that acts at run time, exactly, without a file of its own. Default none. */
  plan?: SavedPlan | undefined;
  /** A control vector that acts at run time: `readControlVector`. Not together with a plan. Default none. */
  controlVector?: readonly LayerPush[] | undefined;
}

export interface EvaluateOptions extends CallOptions, UtilityTasks {
  /** Most new tokens of an answer, 1 to 4096. Default 128. The paper has 1024. */
  maxTokens?: number | undefined;
  /** Whether models that can think aloud first do so. What they think is kept apart and not judged. Default false. */
  thinking?: boolean | undefined;
  /** What labels the answers; tables show the first. Default: the rules of {@link rulesJudge}. */
  judges?: readonly Judge[] | undefined;
  /** Folder where answers and verdicts are kept, or false for none. Default: `rosi` in the user's cache folder. */
  cache?: string | false | undefined;
  /** Default: the fastest number, measured. */
  threads?: number | undefined;
}

/**
 * Asks models the same requests and labels their answers: how many harmful requests each refuses, and what that costs on
 * harmless ones and on those that only sound harmful. The first model is what the others are compared with.
 *
 * Answers are greedy, each on its own in the model's chat template, and kept on disk: a run that is stopped goes on where
 * it was, and another judge costs no generation.
 *
 * Cost: for each model and request that has no stored answer, a forward pass over the prompt and one for each token.
 *
 * @param models - Paths, or models with a system prompt or an edit. The same file may come several times.
 * @param suites - Default: {@link builtInSuites}.
 * @throws RosiError `OPTION_INVALID`, `PROMPTS_INVALID`, `GGUF_INVALID`, `MODEL_UNSUPPORTED`, `TEMPLATE_FAILED`,
 *   `ENGINE_FAILED`, `FILE_FAILED`, `ABORTED`, and what a judge throws.
 */
export async function evaluate(
  models: readonly (string | ModelToEvaluate)[],
  suites: readonly Suite[] = builtInSuites(),
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { maxTokens = 128, thinking = false, judges = [rulesJudge], threads, signal, onProgress } = options;
  const started = performance.now();
  checkMaxTokens(maxTokens);
  checkNames(
    judges.map(({ name }) => name),
    'judge',
  );
  checkSuites(suites);
  const cache = resolveCache(options.cache);
  const clock = new StageClock();
  const subjects = await clock.time('hash', () => subjectsOf(models, options));
  checkNames(
    subjects.map(({ described }) => described.name),
    'model',
  );

  const items = suites.flatMap(({ items }) => items);
  const settings = { maxTokens, thinking, cache, threads, signal, onProgress };
  const answers: Answer[][] = [];
  for (const { subject, described } of subjects) {
    const { name } = described;
    answers.push(await clock.time('answer', () => answersOf(subject, items, { ...settings, name })));
  }
  const judged = suites.flatMap(({ role, items }) => items.map((item) => ({ role, item })));
  const verdicts: Verdict[][][] = []; // [judge][model][item]
  for (const judge of judges) {
    const all = answers.flatMap((ofModel) => ofModel.map((answer, i) => asJudged(judged[i]!, answer)));
    const ask = () => judgedBy(judge, all, { cache, signal, onProgress });
    const flat = await clock.time('judge', ask).finally(() => judge.close?.());
    verdicts.push(answers.map((_, model) => flat.slice(model * items.length, (model + 1) * items.length)));
  }
  let from = 0;
  const results: SuiteResult[] = [];
  for (const suite of suites) {
    const slice = <T>(of: readonly T[]): T[] => of.slice(from, from + suite.items.length);
    const [ofModels, ofJudges] = [answers.map(slice), verdicts.map((ofJudge) => ofJudge.map(slice))];
    const drifts = await clock.time('drift', () => driftsOf(subjects, suite, ofModels[0]!, settings));
    results.push(suiteResult(suite, ofModels, ofJudges, drifts));
    from += suite.items.length;
  }
  const utility = await clock.time('utility', () => measureUtility(subjects, options, settings));
  const evaluation: Evaluation = {
    rosi: version,
    settings: { maxTokens, thinking },
    models: subjects.map(({ described }) => described),
    judges: judges.map(({ name }) => name),
    suites: results,
    agreement: agreements(judges, verdicts),
    utility,
    notes: [],
    stages: clock.stages,
    seconds: (performance.now() - started) / 1000,
  };
  return { ...evaluation, notes: evaluationNotes(evaluation) };
}

/** @param verdicts - [judge][model][item] */
function agreements(judges: readonly Judge[], verdicts: readonly Verdict[][][]): Evaluation['agreement'] {
  const flat = verdicts.map((ofJudge) => ofJudge.flat());
  return judges.flatMap((first, i) =>
    judges.slice(i + 1).map((second, k) => {
      const names: [string, string] = [first.name, second.name];
      return { judges: names, ...judgeAgreement(flat[i]!, flat[i + 1 + k]!) };
    }),
  );
}

/** With the beginning that was put into the model's mouth: it is part of what a user would read. */
function asJudged({ role, item }: { role: Role; item: SuiteItem }, { text }: Answer): Judged {
  const answer = item.assistantPrefix === undefined ? text : `${item.assistantPrefix} ${text}`.trim();
  return { role, request: item.request, answer };
}

/** Of each model on a harmless suite; on others drift is the purpose. */
async function driftsOf(
  subjects: readonly NamedSubject[],
  { role, items }: Suite,
  answers: readonly Answer[],
  settings: Omit<AnswerSettings, 'name'>,
): Promise<(AnswerDrift | null)[]> {
  const first = subjects[0]!.subject;
  const drifts: (AnswerDrift | null)[] = [];
  for (const { subject, described } of subjects) {
    const compared = role === 'harmless' && subject !== first && isAsItIs(first);
    const { name } = described;
    drifts.push(compared ? await driftOf(first, subject, items, answers, { ...settings, name }) : null);
  }
  return drifts;
}

function isAsItIs({ plan, controlVector }: Subject): boolean {
  return plan === null && controlVector === null;
}

/** @param verdicts - [judge][model][item] */
function suiteResult(
  suite: Suite,
  answers: Answer[][],
  verdicts: Verdict[][][],
  drifts: readonly (AnswerDrift | null)[],
): SuiteResult {
  const { name, role, items } = suite;
  const mean = (of: readonly number[]) => of.reduce((sum, n) => sum + n, 0) / of.length;
  const categories = [...new Set(items.flatMap(({ category }) => (category === undefined ? [] : [category])))].sort();
  return {
    name,
    role,
    sha256: sha256(
      JSON.stringify(
        items.map(({ request, user, history = [], system = null, assistantPrefix = null }) => [
          request,
          user,
          history,
          system,
          assistantPrefix,
        ]),
      ),
    ),
    prompts: items.length,
    results: answers.map((ofModel, model) => ({
      tallies: verdicts.map((ofJudge) => tally(ofJudge[model]!)),
      shifts: model === 0 ? null : verdicts.map((ofJudge) => shift(ofJudge[0]!, ofJudge[model]!)),
      tokens: { prompt: mean(ofModel.map((one) => one.promptTokens)), answer: mean(ofModel.map((one) => one.tokens)) },
      cut: ofModel.filter(({ cut }) => cut).length,
      drift: drifts[model]!,
    })),
    categories: categories.map((category) => {
      const inCategory = <T>(of: readonly T[]) => of.filter((_, i) => items[i]!.category === category);
      return {
        name: category,
        prompts: inCategory(items).length,
        tallies: verdicts[0]!.map((ofModel) => tally(inCategory(ofModel))),
      };
    }),
    rows: items.map(({ request, category = null }, i) => ({
      request,
      category,
      answers: answers.map((ofModel, model) => ({
        ...ofModel[i]!,
        verdicts: verdicts.map((ofJudge) => ofJudge[model]![i]!),
      })),
    })),
  };
}

interface NamedSubject {
  subject: Subject;
  described: EvaluatedModel;
}

async function subjectsOf(
  models: readonly (string | ModelToEvaluate)[],
  { signal, onProgress }: CallOptions,
): Promise<NamedSubject[]> {
  if (models.length === 0)
    throw new RosiError('OPTION_INVALID', 'evaluate needs at least one model', { option: 'models' });
  const hashes = new Map<string, string>();
  const subjects = [];
  for (const given of models) {
    const one: ModelToEvaluate = typeof given === 'string' ? { model: given } : given;
    const { model, system = null, plan = null, controlVector = null } = one;
    if (plan !== null && controlVector !== null)
      throw new RosiError('OPTION_INVALID', 'a model is evaluated with a plan or a control vector, not with both', {
        model,
      });
    const files = modelFiles(model);
    const note = basename(model);
    const hash = (tick: Tick) => native.sha256(files, tick);
    const known = hashes.get(model) ?? (await runStage({ signal, onProgress }, { stage: 'hash', note }, hash));
    hashes.set(model, known);
    const edit = plan !== null ? editText(plan) : controlVector !== null ? pushText(controlVector) : null;
    const name = one.name ?? defaultName(one);
    const bytes = files.reduce((sum, path) => sum + sizeOf(path), 0);
    subjects.push({
      subject: { model, sha256: known, system, plan, controlVector },
      described: { name, path: model, sha256: known, bytes, system, edit },
    });
  }
  return subjects;
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch (error) {
    throw toRosiError(error);
  }
}

function editText({ plan: { edit, tensors } }: SavedPlan): string {
  return `${edit.rightFactor} factor, layer ${edit.layer}, strength ${edit.strength}, ${tensors.length} tensors, at run time`;
}

function pushText(pushes: readonly LayerPush[]): string {
  const norm = (vector: Float32Array) => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  const size = pushes.reduce((sum, { vector }) => sum + norm(vector), 0);
  return `control vector of ${counted(pushes.length, 'block')}, ${size.toPrecision(3)} in all, on every token`;
}

function defaultName({ model, system, plan, controlVector }: ModelToEvaluate): string {
  const parts = [basename(model, '.gguf')];
  if (system !== undefined) parts.push(system === safetyPrompt ? 'safety prompt' : 'system prompt');
  if (plan !== undefined) parts.push('edit');
  if (controlVector !== undefined) parts.push('control vector');
  return parts.join(' + ');
}

/** Results are told apart by name. */
function checkNames(names: readonly string[], what: string): void {
  if (names.length === 0)
    throw new RosiError('OPTION_INVALID', `evaluate needs at least one ${what}`, { option: `${what}s` });
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice === undefined) return;
  throw new RosiError(
    'OPTION_INVALID',
    `two ${what}s are called ${JSON.stringify(twice)}: give each a name of its own`,
    { name: twice },
  );
}

function checkSuites(suites: readonly Suite[]): void {
  checkNames(
    suites.map(({ name }) => name),
    'suite',
  );
  for (const { name, items } of suites) {
    if (items.length > 0) continue;
    throw new RosiError('PROMPTS_INVALID', `the suite ${JSON.stringify(name)} has no requests`, { suite: name });
  }
}
