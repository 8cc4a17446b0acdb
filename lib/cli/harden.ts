import { type Command, Option } from 'commander';

import { defaultOutput, type HardenOptions, resolveOptions, rightFactors, schedules } from '../options';
import { readPrompts, readPromptSet } from '../prompt-files';
import type { PromptSet, SplitPrompts } from '../prompts';
import { reportSummary } from '../report';
import { collect, number, range, usage } from './arguments';
import { exitStatus } from './context';
import type { Invocation } from './invocation';
import { checkReports, writeReport } from './report-files';

interface Flags extends HardenOptions {
  harmful?: string;
  harmless?: string;
  borderline?: string;
  prompts?: string;
  field?: string;
  report?: string[];
  json?: boolean;
  quiet?: boolean;
}

export function addHarden(program: Command, invocation: Invocation): void {
  const defaults = resolveOptions('MODEL');
  program
    .command('harden')
    .summary('write a copy that refuses harmful requests more often')
    .description('Write a copy of MODEL that refuses harmful requests more often. MODEL is only read.')
    .argument('<MODEL>', 'GGUF file of a chat model')
    .optionsGroup('Output:')
    .option('-o, --output <file>', 'the new GGUF (default: MODEL.hardened.gguf beside MODEL)')
    .option('--overwrite', 'replace an existing output and existing reports')
    .option('--report <file>', 'write the report there too, as .json or .md; may be given twice', collect)
    .option('--json', 'print the report as JSON instead of a summary')
    .option('--quiet', 'no progress')
    .optionsGroup('Prompts (default: the built-in set):')
    .option('--harmful <file>', 'requests to refuse: .txt, .json, .jsonl, .csv or .tsv')
    .option('--harmless <file>', 'requests to answer, of the same form')
    .option('--borderline <file>', 'requests to answer although they sound harmful (default: built in)')
    .option('--prompts <file>', 'all of them in one file, with roles and perhaps splits')
    .option('--field <name>', 'field or column of the prompt (default: prompt, instruction, goal, question or text)')
    .option('--system <text>', 'system prompt while activations are read, for uncensored models')
    .option('--seed <n>', `decides which prompts are drawn (default: ${defaults.seed})`, number)
    .optionsGroup('Edit (default: chosen by its effect on validation prompts):')
    .option('--layer <n>', 'block after which the direction is read, from 0', number)
    .option('--layers <first-last>', 'blocks to edit', range)
    .option('--strength <x>', 'how strong; 0 changes nothing', number)
    .addOption(new Option('--schedule <name>', 'how the push is spread over the blocks').choices([...schedules]))
    .addOption(
      new Option(
        '--right-factor <name>',
        `what the edit detects; mean-row is the paper (default: ${defaults.rightFactor})`,
      ).choices([...rightFactors]),
    )
    .option('--rho <x>', `shrinkage of the gated factor (default: ${defaults.rho})`, number)
    .option(
      '--max-kl <x>',
      `most drift on harmless prompts that the search may spend, in nats (default: ${defaults.maxKl})`,
      number,
    )
    .optionsGroup('Run:')
    .option('--max-tokens <n>', `length of the answers before and after (default: ${defaults.maxTokens})`, number)
    .option('--no-evaluate', 'skip the answers before and after')
    .option('--threads <n>', 'processors to use (default: the fastest number, measured)', number)
    .addHelpText('after', examples)
    .action(async (model: string, flags: Flags) => {
      invocation.status = await harden(model, flags, invocation);
    });
}

const examples = `
Examples:
  rosi harden model.gguf
  rosi harden model.gguf -o safer.gguf --report safer.md
  rosi harden model.gguf --harmful bad.txt --harmless good.csv --max-kl 0.05
  rosi harden model.gguf --layer 14 --strength 2 --json > report.json`;

async function harden(model: string, flags: Flags, invocation: Invocation): Promise<number> {
  const { harmful, harmless, borderline, prompts: set, field, report: reports = [], json, quiet, ...options } = flags;
  const output = options.output ?? defaultOutput(model);
  checkReports(reports, [model, output], options.overwrite ?? false);
  const prompts = await readGiven({ harmful, harmless, borderline, set, field });
  const report = await invocation.long(quiet ?? false, (signal, onProgress) =>
    invocation.library.harden(model, prompts, { ...options, output, signal, onProgress }),
  );
  // Before anything is printed: when nobody reads that, the command ends there.
  for (const path of reports) await writeReport(path, report, options.overwrite ?? false);
  invocation.print(json ? report : reportSummary(report));
  return report.verified.ok ? exitStatus.done : exitStatus.notVerified;
}

interface Given {
  harmful: string | undefined;
  harmless: string | undefined;
  borderline: string | undefined;
  set: string | undefined;
  field: string | undefined;
}

async function readGiven({
  harmful,
  harmless,
  borderline,
  set,
  field,
}: Given): Promise<PromptSet | SplitPrompts | undefined> {
  const options = field === undefined ? {} : { field };
  const single = [harmful, harmless, borderline].some((path) => path !== undefined);
  if (set !== undefined) {
    if (single) throw usage('--prompts holds all roles; leave --harmful, --harmless and --borderline out');
    return readPromptSet(set, options);
  }
  if (!single) {
    if (field !== undefined)
      throw usage('--field names a field of a prompt file; give --harmful and --harmless, or --prompts');
    return undefined;
  }
  if (harmful === undefined || harmless === undefined) throw usage('--harmful and --harmless must be given together');
  return {
    harmful: await readPrompts(harmful, options),
    harmless: await readPrompts(harmless, options),
    ...(borderline === undefined ? {} : { borderline: await readPrompts(borderline, options) }),
  };
}
