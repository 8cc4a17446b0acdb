import type { Command } from 'commander';

import { RosiError } from '../errors';
import { readPrompts } from '../prompt-files';
import { printable } from '../text';
import { number } from './arguments';
import type { GenerateOptions } from './context';
import type { Invocation } from './invocation';
import { addPlacementOptions, type PlacementFlags } from './placement-options';

interface Flags extends Omit<GenerateOptions, 'signal' | 'onProgress' | 'rpc'>, PlacementFlags {
  prompts?: string;
  json?: boolean;
  quiet?: boolean;
}

export function addGenerate(program: Command, invocation: Invocation): void {
  const command = program
    .command('generate')
    .summary("greedy answers in the model's chat template")
    .description("Answer prompts greedily, each on its own, in the model's chat template.")
    .argument('<MODEL>', 'GGUF file')
    .argument('[PROMPT...]', '"-" is read from standard input')
    .option('--prompts <file>', 'read prompts from a file: .txt, .json, .jsonl, .csv, .tsv or .parquet')
    .option('--system <text>', 'system prompt')
    .option('--max-tokens <n>', 'longest answer', number)
    .option('--thinking', 'let a model that can think aloud first do so')
    .option('--raw', 'continue the prompts as they are, without the chat template')
    .option('--json', 'print [{ prompt, text }] as JSON')
    .option('--quiet', 'no progress');
  addPlacementOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  rosi generate model.gguf "How do I bake bread?"\n  rosi generate model.gguf --prompts questions.txt --json',
    )
    .action(async (model: string, given: string[], flags: Flags) => {
      const { prompts: file, json, quiet, ...options } = flags;
      if (options.raw && options.system !== undefined) {
        throw new RosiError('OPTION_INVALID', '--raw leaves the chat template out, and --system needs it');
      }
      const prompts = await collectPrompts(given, file, invocation);
      const answers = await invocation.long(quiet ?? false, (signal, onProgress) =>
        invocation.library.generate(model, prompts, { ...options, signal, onProgress }),
      );
      invocation.print(json ? answers : text(answers, invocation.streams.stdout.isTTY === true));
    });
}

async function collectPrompts(
  given: readonly string[],
  file: string | undefined,
  invocation: Invocation,
): Promise<string[]> {
  const prompts = file === undefined ? [] : await readPrompts(file);
  for (const prompt of given) prompts.push(prompt === '-' ? await readAll(invocation) : prompt);
  if (prompts.length === 0)
    throw new RosiError('OPTION_INVALID', 'there is nothing to answer: give a PROMPT or --prompts');
  return prompts;
}

async function readAll({ streams: { stdin } }: Invocation): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8').trimEnd();
}

function text(answers: readonly { prompt: string; text: string }[], terminal: boolean): string {
  // A model may write what a terminal obeys; into a file or a pipe goes exactly what it wrote.
  const safe = (words: string) => (terminal ? printable(words) : words);
  if (answers.length === 1) return safe(answers[0]?.text ?? '');
  return answers.map((answer) => `> ${safe(answer.prompt)}\n${safe(answer.text)}\n`).join('\n');
}
