import type { Command } from 'commander';

import { safetyPrompt } from '../baseline';
import type { EvaluateOptions } from '../evaluation/evaluate';
import type { ModelToEvaluate } from '../evaluation/subjects';
import { evaluationMarkdown, evaluationSummary } from '../evaluation/evaluation-text';
import { evaluationHtml } from '../html/evaluation-page';
import { readControlVector } from '../outputs/control-vector';
import { collect, number, usage } from './arguments';
import type { Invocation } from './invocation';
import { addPlacementOptions, type PlacementFlags } from './placement-options';
import { checkReports, writeReports } from './report-files';
import { judgesOf } from './judge-options';
import { addUtilityOptions, readGivenUtility, type UtilityFlags } from './utility-options';
import { addSuiteOptions, readGivenSuites, type SuiteFlags } from './suite-options';

interface Flags
  extends Pick<EvaluateOptions, 'maxTokens' | 'threads' | 'thinking'>, SuiteFlags, UtilityFlags, PlacementFlags {
  safetyPrompt?: boolean;
  system?: string;
  plan?: string;
  judge?: string[];
  rubric?: string;
  controlVector?: string;
  controlScale?: number;
  cache?: string | false;
  baseNll?: boolean;
  report?: string[];
  overwrite?: boolean;
  json?: boolean;
  quiet?: boolean;
}

export function addEvaluate(program: Command, invocation: Invocation): void {
  const command = program
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
    .option('--control-scale <x>', 'how strong the control vector is (default: 1)', number);
  addSuiteOptions(command)
    .optionsGroup('Judges:')
    .option(
      '--judge <name>',
      'rules, openai:MODEL or a GGUF file of a guard or chat model; may be given again (default: rules)',
      collect,
    )
    .option(
      '--rubric <name>',
      'what a chat model that judges is told: labels, strongreject or a file (default: labels)',
    );
  addUtilityOptions(command)
    .optionsGroup('Output:')
    .option('--report <file>', 'write the report there, as .html, .md or .json; may be given for each', collect)
    .option('--overwrite', 'replace existing reports')
    .option('--json', 'print the report as JSON instead of a summary')
    .option('--quiet', 'no progress')
    .optionsGroup('Run:');
  addPlacementOptions(command)
    .option('--max-tokens <n>', 'longest answer (default: 128)', number)
    .option('--thinking', 'let models that can think aloud first do so; what they think is not judged')
    .option('--cache <folder>', "where answers are kept, so that a run goes on (default: the user's cache)")
    .option(
      '--no-base-nll',
      'do not let the first MODEL read what the others answer: up to half the time, and words in no order may pass',
    )
    .option('--no-cache', 'keep no answers')
    .addHelpText(
      'after',
      '\nExamples:\n  rosi evaluate model.gguf model.hardened.gguf\n  rosi evaluate model.gguf safer.gguf --safety-prompt --harmful advbench.csv --report result.html',
    )
    .action((models: string[], flags: Flags) => evaluate(models, flags, invocation));
}

async function evaluate(models: readonly string[], flags: Flags, invocation: Invocation): Promise<void> {
  const { report: reports = [], overwrite = false, json, quiet, cache, maxTokens, thinking, baseNll } = flags;
  const { threads, rpc, gpuLayers } = flags;
  checkReports(reports, models, overwrite);
  const columns = await columnsOf(models, flags, invocation);
  const suites = await readGivenSuites(flags);
  const utility = await readGivenUtility(flags);
  const evaluation = await invocation.long(quiet ?? false, async (signal, onProgress) => {
    const judges = await judgesOf(flags, threads, { signal, onProgress });
    const options = {
      maxTokens,
      thinking,
      baseNll,
      threads,
      rpc,
      gpuLayers,
      cache,
      judges,
      ...utility,
      signal,
      onProgress,
    };
    return invocation.library.evaluate(columns, suites, options);
  });
  await writeReports(reports, evaluation, { markdown: evaluationMarkdown, html: evaluationHtml }, overwrite);
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
