import type { Command } from 'commander';

import { safetyPrompt } from '../baseline';
import type { EvaluateOptions, ModelToEvaluate } from '../evaluation/evaluate';
import { evaluationMarkdown, evaluationSummary } from '../evaluation/evaluation-text';
import { plainSuite, type Suite } from '../evaluation/suite';
import { builtInSuites, limited } from '../evaluation/suites';
import { readControlVector } from '../outputs/control-vector';
import { readPrompts } from '../prompt-files';
import { roles } from '../prompts';
import { collect, number, usage } from './arguments';
import type { Invocation } from './invocation';
import { checkReports, isMarkdown, writeReport } from './report-files';

interface Flags extends Pick<EvaluateOptions, 'maxTokens' | 'threads' | 'thinking'> {
  harmful?: string;
  harmless?: string;
  borderline?: string;
  field?: string;
  limit?: number;
  safetyPrompt?: boolean;
  system?: string;
  plan?: string;
  controlVector?: string;
  controlScale?: number;
  cache: string | boolean;
  report?: string[];
  overwrite?: boolean;
  json?: boolean;
  quiet?: boolean;
}

export function addEvaluate(program: Command, invocation: Invocation): void {
  program
    .command('evaluate')
    .summary('how often models refuse, side by side')
    .description(
      'Ask models the same requests and label their answers, side by side. The first MODEL is what the others are compared with.',
    )
    .argument('<MODEL...>', 'GGUF files')
    .optionsGroup('Columns:')
    .option('--safety-prompt', "the first MODEL with rosi's safety system prompt, too")
    .option('--system <text>', 'the first MODEL with this system prompt, too')
    .option('--plan <file>', 'the first MODEL with the edit of this plan at run time, too')
    .option('--control-vector <file>', 'the first MODEL with this control vector at run time, too')
    .option('--control-scale <x>', 'how strong the control vector is (default: 1)', number)
    .optionsGroup("Requests (default: the built-in set's test prompts):")
    .option('--harmful <file>', 'requests to refuse: .txt, .json, .jsonl, .csv or .tsv')
    .option('--harmless <file>', 'requests to answer, of the same form')
    .option('--borderline <file>', 'requests to answer although they sound harmful')
    .option('--field <name>', 'field or column of the request (default: prompt, instruction, goal, question or text)')
    .option('--limit <n>', 'at most this many of each suite', number)
    .optionsGroup('Output:')
    .option('--report <file>', 'write the report there, as .json or .md; may be given twice', collect)
    .option('--overwrite', 'replace existing reports')
    .option('--json', 'print the report as JSON instead of a summary')
    .option('--quiet', 'no progress')
    .optionsGroup('Run:')
    .option('--max-tokens <n>', 'longest answer (default: 128)', number)
    .option('--thinking', 'let models that can think aloud first do so; what they think is not judged')
    .option('--cache <folder>', "where answers are kept, so that a run goes on (default: the user's cache)")
    .option('--no-cache', 'keep no answers')
    .option('--threads <n>', 'processors to use (default: the fastest number, measured)', number)
    .addHelpText(
      'after',
      '\nExamples:\n  rosi evaluate model.gguf model.hardened.gguf\n  rosi evaluate model.gguf safer.gguf --safety-prompt --harmful advbench.csv --report result.md',
    )
    .action((models: string[], flags: Flags) => evaluate(models, flags, invocation));
}

async function evaluate(models: readonly string[], flags: Flags, invocation: Invocation): Promise<void> {
  const { report: reports = [], overwrite = false, json, quiet, cache, maxTokens, threads, thinking } = flags;
  checkReports(reports, models, overwrite);
  const columns = await columnsOf(models, flags, invocation);
  const suites = await suitesOf(flags);
  const evaluation = await invocation.long(quiet ?? false, (signal, onProgress) =>
    invocation.library.evaluate(columns, suites, {
      maxTokens,
      thinking,
      threads,
      cache: cache === true ? undefined : cache,
      signal,
      onProgress,
    }),
  );
  for (const path of reports) {
    await writeReport(path, isMarkdown(path) ? evaluationMarkdown(evaluation) : evaluation, overwrite);
  }
  invocation.print(json ? evaluation : evaluationSummary(evaluation));
}

async function columnsOf(
  models: readonly string[],
  flags: Flags,
  { library }: Invocation,
): Promise<(string | ModelToEvaluate)[]> {
  const model = models[0]!;
  const added: ModelToEvaluate[] = [];
  if (flags.safetyPrompt) added.push({ model, system: safetyPrompt });
  if (flags.system !== undefined) added.push({ model, system: flags.system });
  if (flags.plan !== undefined) added.push({ model, plan: await library.readPlan(flags.plan) });
  const { controlVector, controlScale } = flags;
  if (controlVector !== undefined)
    added.push({ model, controlVector: await readControlVector(controlVector, controlScale) });
  else if (controlScale !== undefined) throw usage('--control-scale is of a control vector; give --control-vector');
  return [...models, ...added];
}

async function suitesOf({ field, limit, ...flags }: Flags): Promise<Suite[]> {
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0))
    throw usage(`--limit must be a whole number, 1 or more; got ${limit}`);
  const given = roles.filter((role) => flags[role] !== undefined);
  if (given.length === 0 && field !== undefined)
    throw usage('--field names a field of a file of requests; give --harmful, --harmless or --borderline');
  const suites: Suite[] = [];
  for (const role of given) {
    const requests = await readPrompts(flags[role]!, field === undefined ? {} : { field });
    suites.push(plainSuite(role, role, requests));
  }
  return limited(suites.length === 0 ? builtInSuites() : suites, limit ?? Infinity);
}
