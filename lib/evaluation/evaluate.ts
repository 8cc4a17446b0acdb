import { StageClock } from '../clock';
import { RosiError } from '../errors';
import { checkFlag, checkMaxTokens, resolveCache } from '../options';
import { checkPlacement, type PlacementOptions } from '../placement';
import type { Role } from '../prompts';
import type { CallOptions } from '../stage';
import { version } from '../version';
import { answersOf, conversationOf, type Answer, type AnswerSettings } from './answers';
import { baseNlls, isBase, type BaseNll } from './base-nll';
import { driftOf, type AnswerDrift } from './drift';
import type { Evaluation, SuiteResult } from './evaluation';
import type { Judge, Judged, Verdict } from './judge';
import { judgeAgreement } from './judges/agreement';
import { rulesJudge } from './judges/rules';
import { evaluationNotes } from './notes';
import { subjectsOf, type ModelToEvaluate, type NamedSubject } from './subjects';
import type { Suite, SuiteItem } from './suite';
import { suiteResult } from './suite-result';
import { builtInSuites } from './suites';
import { measureUtility, type UtilityTasks } from './utility/measure';
import { judgedBy } from './verdicts';

export interface EvaluateOptions extends CallOptions, PlacementOptions, UtilityTasks {
  /** Most new tokens of an answer, 1 to 4096. Default 128. The paper has 1024. */
  maxTokens?: number | undefined;
  /** Whether models that can think aloud first do so. What they think is kept apart and not judged. Default false. */
  thinking?: boolean | undefined;
  /**
   * Whether the first model's file reads the others' answers, which takes about as long as it took to write them: `baseNll` in the result,
   * and by it the rules judge finds words in no order. Default true.
   */
  baseNll?: boolean | undefined;
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
 *   `ENGINE_FAILED`, `SERVER_FAILED`, `FILE_FAILED`, `ABORTED`, and what a judge throws.
 */
export async function evaluate(
  models: readonly (string | ModelToEvaluate)[],
  suites: readonly Suite[] = builtInSuites(),
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { maxTokens = 128, thinking = false, judges = [rulesJudge], signal, onProgress } = options;
  const { threads, rpc, gpuLayers } = options;
  const started = performance.now();
  checkMaxTokens(maxTokens);
  checkPlacement(options);
  checkFlag('baseNll', options.baseNll);
  checkNames(judges, 'judge');
  checkSuites(suites);
  const cache = resolveCache(options.cache);
  const clock = new StageClock();
  const subjects = await clock.time('hash', () => subjectsOf(models, options));
  const described = subjects.map((one) => one.described);
  checkNames(described, 'model');

  const items = suites.flatMap(({ items }) => items);
  const settings = { maxTokens, thinking, cache, threads, rpc, gpuLayers, signal, onProgress };
  const answers: Answer[][] = [];
  for (const { subject, described } of subjects) {
    const { name } = described;
    const logLikelihoods = options.baseNll !== false && isBase(subject, subjects[0]!.subject);
    answers.push(await clock.time('answer', () => answersOf(subject, items, { ...settings, logLikelihoods, name })));
  }
  const columns = subjects.map(({ subject, described: { name } }, i) => ({ name, subject, answers: answers[i]! }));
  const read = () => baseNlls(subjects[0]!.subject, columns, items, settings);
  const unread = columns.map(() => items.map(() => null));
  const nlls = options.baseNll === false ? unread : await clock.time('read', read);
  const judged = suites.flatMap(({ role, items }) => items.map((item) => ({ role, item })));
  const verdicts: Verdict[][][] = []; // [judge][model][item]
  for (const judge of judges) {
    const all = columns.flatMap(({ subject: { system }, answers: ofModel }, model) =>
      ofModel.map((answer, i) => asJudged({ ...judged[i]!, system, answer, baseNll: nlls[model]![i]! })),
    );
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
    results.push(suiteResult(suite, ofModels, ofJudges, nlls.map(slice), drifts));
    from += suite.items.length;
  }
  const utility = await clock.time('utility', () => measureUtility(subjects, options, settings));
  const evaluation: Evaluation = {
    rosi: version,
    settings: { maxTokens, thinking },
    models: described,
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

interface Answered {
  role: Role;
  item: SuiteItem;
  /** The column's. */
  system: string | null;
  answer: Answer;
  baseNll: BaseNll | null;
}

/** With the beginning that was put into the model's mouth: it is part of what a user would read. */
function asJudged({ role, item, system, answer: { text }, baseNll }: Answered): Judged {
  const answer = item.assistantPrefix === undefined ? text : `${item.assistantPrefix} ${text}`.trim();
  const { user, history = [], system: before } = conversationOf(item, system);
  const prompt = [before, ...history.flatMap((turn) => [turn.user, turn.assistant]), user, item.assistantPrefix];
  return {
    role,
    request: item.request,
    answer,
    prompt: prompt.filter((text) => text !== undefined).join('\n'),
    ...(baseNll === null ? {} : { baseNll }),
  };
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
    const compared = role === 'harmless' && subject !== first;
    const { name } = described;
    drifts.push(compared ? await driftOf(first, subject, items, answers, { ...settings, name }) : null);
  }
  return drifts;
}

/** Results are told apart by name. */
function checkNames(ones: readonly { name: string }[], what: string): void {
  const names = ones.map(({ name }) => name);
  if (names.length === 0)
    throw new RosiError('OPTION_INVALID', `evaluate needs at least one ${what}`, { option: `${what}s` });
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice === undefined) return;
  const message = `two ${what}s are called ${JSON.stringify(twice)}: give each a name of its own`;
  throw new RosiError('OPTION_INVALID', message, { name: twice });
}

function checkSuites(suites: readonly Suite[]): void {
  checkNames(suites, 'suite');
  const empty = suites.find(({ items }) => items.length === 0);
  if (empty === undefined) return;
  throw new RosiError('PROMPTS_INVALID', `the suite ${JSON.stringify(empty.name)} has no requests`, {
    suite: empty.name,
  });
}
