import { basename } from 'node:path';

import type { Command } from 'commander';

import { spread } from '../evaluation/suites';
import type { NamedText, UtilityTasks } from '../evaluation/utility/measure';
import { choiceTaskNames, type ChoiceTask } from '../evaluation/utility/question';
import { readChoiceTask } from '../evaluation/utility/tasks';
import { readText } from '../file-rows';
import { collect, number, usage } from './arguments';

/** What is measured beside answers to requests, as flags. */
export interface UtilityFlags {
  task?: string[];
  questions?: number;
  perplexity?: string[];
}

export function addUtilityOptions(command: Command): Command {
  return command
    .optionsGroup('Utility (default: none):')
    .option(
      '--task <name=file>',
      `questions with choices as published; may be given again. Tasks: ${choiceTaskNames.join(', ')}`,
      collect,
    )
    .option('--questions <n>', 'at most this many of each task', number)
    .option(
      '--perplexity <file>',
      'perplexity of a text file, as llama-perplexity has it; may be given again',
      collect,
    );
}

/** The tasks and texts that the flags name. */
export async function readGivenUtility({ task = [], questions, perplexity = [] }: UtilityFlags): Promise<UtilityTasks> {
  if (questions !== undefined && !(Number.isInteger(questions) && questions > 0))
    throw usage(`--questions must be a whole number, 1 or more; got ${questions}`);
  const tasks: ChoiceTask[] = [];
  for (const text of task) {
    const [name, path] = [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)];
    const known = choiceTaskNames.find((one) => one === name);
    if (known === undefined || path === '')
      throw usage(`--task must be TASK=FILE, with a task of ${choiceTaskNames.join(', ')}; got ${text}`);
    const read = await readChoiceTask(known, path);
    tasks.push({ ...read, questions: spread(read.questions, questions ?? Infinity) });
  }
  const texts: NamedText[] = [];
  for (const path of perplexity) texts.push({ name: basename(path), text: await readText(path) });
  return { tasks, texts };
}
