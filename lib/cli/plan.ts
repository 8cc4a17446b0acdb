import type { Command } from 'commander';

import type { PlanOptions } from '../make-plan';
import { modelFiles } from '../model-files';
import type { SavedPlan } from '../outputs/saved-plan';
import { defaultOutput } from '../options';
import { checkOutputs } from '../outputs/write-outputs';
import { counted, oneLine } from '../text';
import { addEditOptions, type PromptFlags, readGiven, readKeep, splitFlags } from './edit-options';
import type { Invocation } from './invocation';
import { addOutputOptions, type OutputFlags } from './output-options';
import { addPlacementOptions, type PlacementFlags } from './placement-options';

interface Flags extends Omit<PlanOptions, keyof PromptFlags | 'rpc'>, PromptFlags, OutputFlags, PlacementFlags {
  output?: string;
  overwrite?: boolean;
  json?: boolean;
  quiet?: boolean;
}

export function addPlan(program: Command, invocation: Invocation): void {
  const command = program
    .command('plan')
    .summary('decide on an edit as harden does, and write it to a file')
    .description('Decide on an edit of MODEL as harden does, and write it to files instead of a new GGUF.')
    .argument('<MODEL>', 'GGUF file of a chat model')
    .optionsGroup('Output:')
    .option('-o, --output <file>', 'the plan as JSON, for rosi apply (default: MODEL.plan.json beside MODEL)');
  addOutputOptions(command)
    .option('--overwrite', 'replace existing outputs')
    .option('--json', 'print edit, tensors and outputs as JSON')
    .option('--quiet', 'no progress');
  addPlacementOptions(addEditOptions(command).optionsGroup('Run:'))
    .addHelpText(
      'after',
      '\nExamples:\n  rosi plan model.gguf -o plan.json\n  rosi plan model.gguf --lora safer-lora.gguf --peft safer-peft',
    )
    .action((model: string, flags: Flags) => plan(model, flags, invocation));
}

async function plan(model: string, flags: Flags, invocation: Invocation): Promise<void> {
  const [given, others] = splitFlags(flags);
  const { output = defaultPlan(model), lora, peft, controlVector, overwrite, json, quiet, ...options } = others;
  const paths = { plan: output, lora, peft, controlVector };
  const inputs = modelFiles(model);
  checkOutputs(paths, { overwrite, inputs });
  const prompts = await readGiven(given);
  const keep = await readKeep(given);
  const saved = await invocation.long(quiet ?? false, (signal, onProgress) =>
    invocation.library.makePlan(model, prompts, { ...options, keep, outputs: paths, signal, onProgress }),
  );
  const outputs = await invocation.library.writeOutputs(paths, saved, { overwrite, inputs });
  const tensors = saved.plan.tensors.map(({ name }) => name);
  invocation.print(json ? { edit: saved.plan.edit, tensors, outputs } : describe(saved, outputs));
}

function defaultPlan(model: string): string {
  return `${defaultOutput(model).replace(/\.hardened\.gguf$/u, '')}.plan.json`;
}

function describe({ plan: { edit, tensors } }: SavedPlan, outputs: readonly string[]): string {
  const [from, to] = edit.layers;
  return [
    `${counted(tensors.length, 'tensor')} of blocks ${from} to ${to}: direction after block ${edit.layer}, ` +
      `strength ${Number(edit.strength.toPrecision(4))}, ${edit.schedule}, ${edit.rightFactor}`,
    ...outputs.map((path) => `wrote ${oneLine(path)}`),
  ].join('\n');
}
