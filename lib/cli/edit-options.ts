import { type Command, Option } from 'commander';

import { resolveOptions, rightFactors, schedules } from '../options';
import { readPrompts, readPromptSet } from '../prompt-files';
import type { PromptSet, SplitPrompts } from '../prompts';
import { duration, number, range, share, usage } from './arguments';

/** Where the prompts are, as flags. */
export interface PromptFlags {
  harmful?: string;
  harmless?: string;
  borderline?: string;
  prompts?: string;
  keep?: string;
  field?: string;
}

/** The options of `harden` and `plan` that decide the edit. */
export function addEditOptions(command: Command): Command {
  const defaults = resolveOptions('MODEL');
  return command
    .optionsGroup('Prompts (default: the built-in set):')
    .option('--harmful <file>', 'requests to refuse: .txt, .json, .jsonl, .csv, .tsv or .parquet')
    .option('--harmless <file>', 'requests to answer, of the same form')
    .option('--borderline <file>', 'requests to answer although they sound harmful (default: built in)')
    .option('--prompts <file>', 'all of them in one file, with roles and perhaps splits')
    .option('--keep <file>', 'texts of your own domain that the edit leaves as they are, of the same form')
    .option('--field <name>', 'field or column of the prompt (default: prompt, instruction, goal, question or text)')
    .option('--uncensored', 'read the directions with a safety system prompt (default: when the model needs it)')
    .option('--no-uncensored', 'never do so')
    .option('--thinking', 'let a model that can think aloud first do so (default: its answers are read without)')
    .option('--again', 'also harden what rosi hardened before')
    .option('--system <text>', 'the system prompt to read the directions with')
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
    .option('--embeddings', 'edit the token embeddings, too (with --right-factor mean-row or mean-row-signed)')
    .option('--rho <x>', 'shrinkage of the gated factor (default: by how it detects validation prompts)', number)
    .optionsGroup('Search (on validation prompts; changes are against MODEL):')
    .option('--target-hr <share>', 'least harmful requests to refuse, e.g. 95% (default: what the bounds allow)', share)
    .option(
      '--max-over-refusal <share>',
      `most rise of refusals of borderline requests (default: ${100 * defaults.maxOverRefusal}%)`,
      share,
    )
    .option(
      '--max-benign-loss <share>',
      `most fall of answers to harmless requests (default: ${100 * defaults.maxBenignLoss}%)`,
      share,
    )
    .option('--max-kl <x>', `most drift on harmless prompts, in nats (default: ${defaults.maxKl})`, number)
    .option('--trials <n>', `most edits to try (default: ${defaults.trials})`, number)
    .option('--budget <time>', 'most time to take, e.g. 90s or 5m (default: no limit)', duration)
    .option('--pick <n>', 'another trial of this search, by its number in the report', number)
    .option('--cache <folder>', "where trials are kept, so that a stopped run goes on (default: the user's cache)")
    .option('--no-cache', 'keep no trials');
}

/** The flags that say where the prompts are, and the others. */
export function splitFlags<T extends PromptFlags>(flags: T): [PromptFlags, Omit<T, keyof PromptFlags>] {
  const { harmful, harmless, borderline, prompts, keep, field, ...others } = flags;
  return [{ harmful, harmless, borderline, prompts, keep, field }, others];
}

/** The prompts that the flags name; undefined for the built-in set. */
export async function readGiven({
  harmful,
  harmless,
  borderline,
  prompts: set,
  keep,
  field,
}: PromptFlags): Promise<PromptSet | SplitPrompts | undefined> {
  const options = field === undefined ? {} : { field };
  const single = [harmful, harmless, borderline].some((path) => path !== undefined);
  if (set !== undefined) {
    if (single) throw usage('--prompts holds all roles; leave --harmful, --harmless and --borderline out');
    return readPromptSet(set, options);
  }
  if (!single) {
    if (field !== undefined && keep === undefined)
      throw usage('--field names a field of a prompt file; give --harmful and --harmless, --prompts, or --keep');
    return undefined;
  }
  if (harmful === undefined || harmless === undefined) throw usage('--harmful and --harmless must be given together');
  return {
    harmful: await readPrompts(harmful, options),
    harmless: await readPrompts(harmless, options),
    ...(borderline === undefined ? {} : { borderline: await readPrompts(borderline, options) }),
  };
}

/** The texts to keep that the flags name. */
export async function readKeep({ keep, field }: PromptFlags): Promise<string[] | undefined> {
  return keep === undefined ? undefined : readPrompts(keep, field === undefined ? {} : { field });
}
