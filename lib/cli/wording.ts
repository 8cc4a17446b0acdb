import type { Command } from 'commander';

/**
 * A message of the library in the words of the command: `options.maxKl` and `maxKl` become `--max-kl`. A name that is
 * also a word of English, such as `layer`, is taken for the option only after `options.`.
 */
export function inCommandWords(message: string, program: Command): string {
  const flags = new Map(
    program.commands.flatMap((command) => command.options.map((option) => [option.attributeName(), option.long ?? ''])),
  );
  return message.replace(/\boptions\.([a-zA-Z]+)|\b[a-z]+[A-Z][a-zA-Z]*/gu, (words, name?: string) => {
    return flags.get(name ?? words) ?? words;
  });
}
