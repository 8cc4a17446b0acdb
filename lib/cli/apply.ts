import type { Command } from 'commander';

import type { AppliedPlan } from '../apply-plan';
import { checkCopy, modelFiles } from '../model-files';
import { native } from '../native';
import { defaultOutput } from '../options';
import { checkKinds, checkOutputs } from '../outputs/write-outputs';
import { byteCount, counted, oneLine } from '../text';
import { number, share } from './arguments';
import type { Invocation } from './invocation';
import { addOutputOptions, type OutputFlags } from './output-options';

interface Flags extends OutputFlags {
  output?: string;
  overwrite?: boolean;
  threads?: number;
  gpuUpdate?: boolean;
  maxGrowth?: number;
  again?: boolean;
  json?: boolean;
  quiet?: boolean;
}

export function addApply(program: Command, invocation: Invocation): void {
  const command = program
    .command('apply')
    .summary('write a copy of a model with the edit of a plan')
    .description(
      'Write a copy of MODEL with the edit of PLAN, made by rosi plan from MODEL or from another quantisation of it.',
    )
    .argument('<PLAN>', 'plan file')
    .argument('<MODEL>', 'GGUF file')
    .optionsGroup('Output:')
    .option('-o, --output <file>', 'the new GGUF (default: MODEL.hardened.gguf beside MODEL)');
  addOutputOptions(command)
    .option('--modelfile <file>', "a Modelfile of the new GGUF for Ollama, with the model's template")
    .option('--max-growth <share>', 'most growth of the file, e.g. 5%; 0: none (default: 2%)', share)
    .option('--again', 'also where rosi hardened MODEL before')
    .option('--overwrite', 'replace existing outputs')
    .option('--json', 'print what was done as JSON')
    .option('--quiet', 'no progress')
    .optionsGroup('Run:')
    .option('--threads <n>', 'processors to use (default: 1)', number)
    .option('--gpu-update', "compute the update on this machine's NVIDIA GPUs: docs/devices.md")
    .addHelpText(
      'after',
      '\nExamples:\n  rosi apply plan.json model.Q4_K_M.gguf -o safer.gguf\n  rosi apply plan.json model.gguf --modelfile Modelfile',
    )
    .action((plan: string, model: string, flags: Flags) => apply(plan, model, flags, invocation));
}

async function apply(plan: string, model: string, flags: Flags, invocation: Invocation): Promise<void> {
  const {
    overwrite = false,
    again,
    threads,
    gpuUpdate,
    maxGrowth,
    json,
    quiet,
    output: name = defaultOutput(model),
    ...paths
  } = flags;
  const written = checkCopy(model, name, overwrite);
  for (const path of written) native.checkOutput(plan, path, overwrite);
  const inputs = [plan, ...modelFiles(model), ...written];
  const output = written[0]!;
  checkOutputs(paths, { overwrite, inputs });
  const { library } = invocation;
  const saved = await library.readPlan(plan);
  checkKinds(paths, saved.provenance.source.architecture, saved.plan.tensors);
  const { result, outputs } = await invocation.long(quiet ?? false, async (signal, onProgress) => {
    const options = { output, overwrite, again, threads, gpuUpdate, maxGrowth, signal, onProgress };
    const result = await library.applyPlan(saved, model, options);
    const outputs = await library.writeOutputs(paths, saved, { overwrite, inputs, gguf: output });
    return { result, outputs };
  });
  invocation.print(json ? { ...result, output, outputs } : describe(output, result, outputs));
}

function describe(output: string, result: AppliedPlan, outputs: readonly string[]): string {
  const origin = result.sourceMatches
    ? 'the model is the one that the plan was made with'
    : 'the model is not the file that the plan was made with (another SHA-256): the same edit, not measured on this one';
  return [
    `${oneLine(output)}  ${byteCount(result.outputBytes)}, ${counted(result.tensors.length, 'tensor')} changed`,
    ...outputs.map((path) => `wrote ${oneLine(path)}`),
    origin,
  ].join('\n');
}
