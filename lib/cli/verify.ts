import type { Command } from 'commander';

import { RosiError } from '../errors';
import type { VerifyResult } from '../native';
import { counted, oneLine } from '../text';
import { exitStatus } from './context';
import type { Invocation } from './invocation';

export function addVerify(program: Command, invocation: Invocation): void {
  program
    .command('verify')
    .summary('whether a hardened file is as it was written')
    .usage('[options] [SOURCE] OUTPUT')
    .description(
      'Check that a hardened file is as it was written. With SOURCE also that only the planned tensors differ from it.',
    )
    .argument('<files...>', 'the hardened file, after the file it was made from if that is at hand')
    .option('--json', 'print the result as JSON')
    .option('--quiet', 'no progress')
    .addHelpText(
      'after',
      '\nExamples:\n  rosi verify model.hardened.gguf\n  rosi verify model.gguf model.hardened.gguf',
    )
    .action(async (files: string[], flags: { json?: boolean; quiet?: boolean }) => {
      const [first, second] = files;
      if (first === undefined || files.length > 2) {
        throw new RosiError('OPTION_INVALID', `verify takes one or two files; got ${files.length}`, { files });
      }
      const [source, output] = second === undefined ? [undefined, first] : [first, second];
      const result = await invocation.long(flags.quiet ?? false, (signal, onProgress) =>
        invocation.library.verifyUpdate(source, output, { signal, onProgress }),
      );
      invocation.print(flags.json ? result : describe(result, source !== undefined).join('\n'));
      invocation.status = result.ok ? exitStatus.done : exitStatus.notVerified;
    });
}

function describe(result: VerifyResult, hasSource: boolean): string[] {
  const { tensors, unplannedDifferences, checksumOk, sourceMatches, ok } = result;
  if (ok) {
    const rest = hasSource ? "every other byte is the source's" : 'the rest has the checksum it was written with';
    return [`ok: ${counted(tensors.length, 'tensor')} changed as planned, ${rest}`];
  }
  const problems = [
    ...(sourceMatches === false ? ['SOURCE is not the file that OUTPUT was made from'] : []),
    ...(checksumOk ? [] : ['the checksum over the file does not match']),
    ...tensors.filter((tensor) => !tensor.sha256Ok).map(({ name }) => `${oneLine(name)} was changed after hardening`),
    ...unplannedDifferences.map(
      ({ where, firstOffset, bytes, part }) =>
        `${oneLine(where)} differs from the source in ${counted(bytes, 'byte')}, the first at offset ${firstOffset} of ${part === undefined ? 'the file' : `file ${part}`}`,
    ),
  ];
  return [`NOT ok: ${counted(problems.length, 'problem')}`, ...problems.map((problem) => `  ${problem}`)];
}
