import { Command, CommanderError } from 'commander';

import { exitCodes, RosiError, toRosiError } from '../errors';
import { printable } from '../text';
import { exitStatus, type Library, type Streams } from './context';
import { addApply } from './apply';
import { addDoctor } from './doctor';
import { addEvaluate } from './evaluate';
import { addGenerate } from './generate';
import { addHarden } from './harden';
import { addInspect } from './inspect';
import { Invocation } from './invocation';
import { addPlan } from './plan';
import { addRevert } from './revert';
import { addVerify } from './verify';
import { inCommandWords } from './wording';

/**
 * Runs the `rosi` command. Results go to standard output, progress, messages and errors to standard error.
 *
 * @param argv - Arguments after the program's name.
 * @returns The exit status: docs/cli.md.
 */
export async function run(argv: readonly string[], library: Library, streams: Streams): Promise<number> {
  const invocation = new Invocation(library, streams);
  const program = makeProgram(invocation);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return invocation.status;
  } catch (thrown) {
    return report(thrown, invocation, program);
  }
}

function makeProgram(invocation: Invocation): Command {
  const { stdout, stderr } = invocation.streams;
  const program = new Command('rosi')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      outputError: (text, write) => write(`rosi: ${text.replace(/^error: /u, '')}`),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .description(
      'Hardens GGUF chat models: rank-one weight edits that make a model refuse harmful requests more often.',
    )
    .version(invocation.library.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [COMMAND]', 'print the help of a command')
    .showSuggestionAfterError()
    .showHelpAfterError('Run with --help to see what is expected.')
    .addHelpText('after', epilogue);
  for (const add of [
    addHarden,
    addPlan,
    addApply,
    addInspect,
    addVerify,
    addRevert,
    addEvaluate,
    addGenerate,
    addDoctor,
  ])
    add(program, invocation);
  for (const command of program.commands) command.addHelpText('after', '\nExit status and more: rosi --help');
  return program;
}

const epilogue = `
Examples:
  rosi harden model.gguf                       writes model.hardened.gguf
  rosi verify model.gguf model.hardened.gguf
  rosi generate model.hardened.gguf "How do I bake bread?"

Exit status:
    0  done
    1  unexpected error, a bug in rosi; or a self-test of rosi doctor failed
    2  wrong arguments
    3  prompts that can't be used, or too few
    4  the GGUF file or the plan is damaged
    5  the model can't be treated: its kind, a tensor's type, its chat template
    6  a file can't be read or written, or exists already
    7  the engine failed, or the native addon is missing
    8  no edit keeps bounds and target and gains more than it costs, or rounding would lose it
    9  verification found a difference, the file has no record of rosi, or an undo fails
  130  stopped by Ctrl-C (143: by SIGTERM); nothing half written is left`;

function report(thrown: unknown, { streams: { stderr }, interrupt }: Invocation, program: Command): number {
  if (thrown instanceof CommanderError) {
    const asked =
      ['commander.helpDisplayed', 'commander.version'].includes(thrown.code) || thrown.message === '(outputHelp)';
    return asked && thrown.exitCode === 0 ? exitStatus.done : exitStatus.usage;
  }
  const error = toRosiError(thrown);
  if (!(error instanceof RosiError)) {
    stderr.write(`rosi: unexpected error, please report it: ${printable(error.stack ?? error.message)}\n`);
    return exitStatus.bug;
  }
  const names = error.code === 'OPTION_INVALID' || error.code === 'STRENGTH_NOT_FOUND';
  const message = names ? inCommandWords(error.message, program) : error.message;
  stderr.write(`rosi: ${printable(message)} (${error.code})\n`);
  return error.code === 'ABORTED' ? (interrupt?.status() ?? exitCodes.ABORTED) : exitCodes[error.code];
}
