import { availableParallelism } from 'node:os';

import type { Command } from 'commander';

import { RosiError } from '../errors';
import { counted, oneLine } from '../text';
import type { Recomputed, VerifyResult } from '../verify';
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
    .option('--plan <file>', 'the plan that it was written from: compute the update again and compare')
    .option('--json', 'print the result as JSON')
    .option('--quiet', 'no progress')
    .addHelpText(
      'after',
      '\nExamples:\n  rosi verify model.hardened.gguf\n  rosi verify model.gguf model.hardened.gguf',
    )
    .action(async (files: string[], flags: { plan?: string; json?: boolean; quiet?: boolean }) => {
      const [first, second] = files;
      if (first === undefined || files.length > 2) {
        throw new RosiError('OPTION_INVALID', `verify takes one or two files; got ${files.length}`, { files });
      }
      const [source, output] = second === undefined ? [undefined, first] : [first, second];
      const plan = flags.plan === undefined ? undefined : (await invocation.library.readPlan(flags.plan)).plan;
      const result = await invocation.long(flags.quiet ?? false, (signal, onProgress) =>
        invocation.library.verifyUpdate(source, output, { plan, threads: availableParallelism(), signal, onProgress }),
      );
      invocation.print(flags.json ? result : describe(result, source !== undefined).join('\n'));
      invocation.status = result.ok ? exitStatus.done : exitStatus.notVerified;
    });
}

function recomputedText(recomputed: readonly Recomputed[]): string {
  const gains = recomputed.flatMap(({ realised }) => (realised === null ? [] : [realised.gain]));
  const [low, high] = [Math.min(...gains), Math.max(...gains)];
  return `the plan makes the same of the source once more: realised gain ${low.toFixed(3)} to ${high.toFixed(3)}`;
}

function describe(result: VerifyResult, hasSource: boolean): string[] {
  const { tensors, unplannedDifferences, checksumOk, sourceMatches, recomputed, ok } = result;
  if (ok) {
    const rest = hasSource ? "every other byte is the source's" : 'the rest has the checksum it was written with';
    const lines = [`ok: ${counted(tensors.length, 'tensor')} changed as planned, ${rest}`];
    return recomputed === null ? lines : [...lines, recomputedText(recomputed)];
  }
  const problems = [
    ...(sourceMatches === false ? ['SOURCE is not the file that OUTPUT was made from'] : []),
    ...(checksumOk ? [] : ['the checksum over the file does not match']),
    ...result.unchanged.map((name) => `${oneLine(name)} is said to be changed and equals the source's`),
    ...(recomputed ?? [])
      .filter(({ equal }) => !equal)
      .map(({ name }) => `${oneLine(name)} is not what the plan makes of the source's`),
    ...tensors.filter((tensor) => !tensor.sha256Ok).map(({ name }) => `${oneLine(name)} was changed after hardening`),
    ...unplannedDifferences.map(
      ({ where, firstOffset, bytes, part }) =>
        `${oneLine(where)} differs from the source in ${counted(bytes, 'byte')}, the first at offset ${firstOffset} of ${part === undefined ? 'the file' : `file ${part}`}`,
    ),
  ];
  return [`NOT ok: ${counted(problems.length, 'problem')}`, ...problems.map((problem) => `  ${problem}`)];
}
