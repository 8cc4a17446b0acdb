import type { Command } from 'commander';

import { byteCount, oneLine } from '../text';
import { usage } from './arguments';
import type { Invocation } from './invocation';

interface Flags {
  output?: string;
  undo?: string;
  overwrite?: boolean;
  json?: boolean;
  quiet?: boolean;
}

export function addRevert(program: Command, invocation: Invocation): void {
  program
    .command('revert')
    .summary('get the original back, byte for byte')
    .description('Write the file that HARDENED was made from, byte for byte, with what `rosi harden --undo` wrote.')
    .argument('<HARDENED>', 'the hardened file')
    .requiredOption('-o, --output <file>', 'the restored GGUF')
    .option(
      '--undo <file>',
      'the undo file, or embed (default: HARDENED.undo if it is there, else what HARDENED holds)',
    )
    .option('--overwrite', 'replace an existing output')
    .option('--json', 'print the result as JSON')
    .option('--quiet', 'no progress')
    .addHelpText('after', '\nExamples:\n  rosi revert model.hardened.gguf -o model.gguf')
    .action(async (hardened: string, { output, json, quiet, ...options }: Flags) => {
      if (output === undefined) throw usage('--output is missing');
      const result = await invocation.long(quiet ?? false, (signal, onProgress) =>
        invocation.library.revert(hardened, { ...options, output, signal, onProgress }),
      );
      const text = `${oneLine(result.output)}  ${byteCount(result.bytes)}, SHA-256 ${result.sha256}: the original, byte for byte`;
      invocation.print(json ? result : text);
    });
}
