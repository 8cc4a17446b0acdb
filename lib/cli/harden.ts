import { type Command, Option } from 'commander';

import { reportHtml } from '../html/harden-page';
import { copyFiles } from '../model-files';
import { defaultOutput, evaluateHows, type HardenOptions, resolveOptions } from '../options';
import { reportMarkdown, reportSummary } from '../report';
import { undoOf } from '../undo/revert';
import { collect, number, share } from './arguments';
import { exitStatus } from './context';
import { addEditOptions, type PromptFlags, readGiven, readKeep, splitFlags } from './edit-options';
import type { Invocation } from './invocation';
import { addOutputOptions, type OutputFlags } from './output-options';
import { addPlacementOptions, type PlacementFlags } from './placement-options';
import { checkReports, writeReports } from './report-files';

interface Flags
  extends
    Omit<HardenOptions, keyof PromptFlags | 'undo' | 'outputs' | 'rpc'>,
    PromptFlags,
    OutputFlags,
    PlacementFlags {
  undo?: string | true;
  plan?: string;
  report?: string[];
  json?: boolean;
  quiet?: boolean;
  profile?: boolean;
}

export function addHarden(program: Command, invocation: Invocation): void {
  const defaults = resolveOptions('MODEL');
  const command = program
    .command('harden')
    .summary('write a copy that refuses harmful requests more often')
    .description('Write a copy of MODEL that refuses harmful requests more often. MODEL is only read.')
    .argument('<MODEL>', 'GGUF file of a chat model')
    .optionsGroup('Output:')
    .option('-o, --output <file>', 'the new GGUF (default: MODEL.hardened.gguf beside MODEL)')
    .option('--overwrite', 'replace an existing output and existing reports')
    .option('--report <file>', 'write the report there too, as .html, .md or .json; may be given for each', collect)
    .option('--json', 'print the report as JSON instead of a summary')
    .option('--quiet', 'no progress')
    .option(
      '--undo [file]',
      'also what rosi revert needs to get MODEL back (default: OUTPUT.undo; embed: in OUTPUT itself)',
    )
    .option('--plan <file>', 'the edit as a plan too, for rosi apply');
  addOutputOptions(command)
    .option('--modelfile <file>', "a Modelfile of the new GGUF for Ollama, with the model's template")
    .option(
      '--max-growth <share>',
      `most growth of the file, so that rounding drowns no update, e.g. 5%; 0: none (default: ${100 * defaults.maxGrowth}%)`,
      share,
    );
  addPlacementOptions(addEditOptions(command).optionsGroup('Run:'))
    .option('--gpu-update', "compute the update on this machine's NVIDIA GPUs: docs/devices.md")
    .option('--profile', 'say where the time went, stage by stage')
    .option('--max-tokens <n>', `length of the answers before and after (default: ${defaults.maxTokens})`, number)
    .addOption(
      new Option(
        '--evaluate <how>',
        `how much is measured before and after; full: rosi evaluate, too (default: ${defaults.evaluate})`,
      ).choices([...evaluateHows]),
    )
    .addHelpText('after', examples)
    .action(async (model: string, flags: Flags) => {
      invocation.status = await harden(model, flags, invocation);
    });
}

const examples = `
Examples:
  rosi harden model.gguf
  rosi harden model.gguf -o safer.gguf --report safer.html
  rosi harden model.gguf --harmful bad.txt --harmless good.csv --max-kl 0.05
  rosi harden model.gguf --layer 14 --strength 2 --json > report.json`;

async function harden(model: string, flags: Flags, invocation: Invocation): Promise<number> {
  const [given, { report: reports = [], json, quiet, profile, ...others }] = splitFlags(flags);
  const { undo: undoFlag, plan, lora, peft, controlVector, modelfile, ...options } = others;
  const output = copyFiles(model, options.output ?? defaultOutput(model))[0]!;
  const undo = undoFlag === true ? undoOf(output) : undoFlag;
  const outputs = { plan, lora, peft, controlVector, modelfile };
  const files = [undo, ...Object.values(outputs)].filter((path) => path !== undefined);
  checkReports(reports, [model, output, ...files], options.overwrite ?? false);
  const prompts = await readGiven(given);
  const keep = await readKeep(given);
  const report = await invocation.long(quiet ?? false, (signal, onProgress) =>
    invocation.library.harden(model, prompts, { ...options, keep, output, undo, outputs, signal, onProgress }),
  );
  // Before anything is printed: when nobody reads that, the command ends there.
  await writeReports(reports, report, { markdown: reportMarkdown, html: reportHtml }, options.overwrite ?? false);
  invocation.print(json ? report : reportSummary(report, { profile }));
  return report.verified.ok ? exitStatus.done : exitStatus.notVerified;
}
