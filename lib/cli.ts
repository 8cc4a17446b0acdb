#!/usr/bin/env node
import { writeFileSync } from 'node:fs';

import { Command, InvalidArgumentError, Option } from 'commander';

import { ProgressLine } from './cli/progress-line';
import { exitCodes, RosiError, toRosiError } from './errors';
import { generate, harden, inspect, verifyUpdate } from './harden';
import { rightFactors, schedules, type HardenOptions } from './options';
import { readPrompts } from './prompt-files';
import type { PromptSet } from './prompts';
import { reportMarkdown, reportSummary } from './report';
import { version } from './version';

const number = (text: string) => {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('expected a number.');
  return value;
};
const range = (text: string): readonly [number, number] => {
  const match = /^(\d+)-(\d+)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('expected FIRST-LAST, e.g. 12-23.');
  return [Number(match[1]), Number(match[2])];
};

interface Output {
  json?: boolean;
  quiet?: boolean;
}

/** The first Ctrl-C stops the work, which then cleans up; a second one ends the process. */
function interruptible(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => {
    controller.abort();
    process.once('SIGINT', () => process.exit(130));
  });
  process.once('SIGTERM', () => controller.abort());
  return controller.signal;
}

function print(value: unknown, text: string, { json }: Output): void {
  process.stdout.write(`${json ? JSON.stringify(value, null, 2) : text}\n`);
}

const program = new Command('rosi')
  .description('Hardens a GGUF language model against harmful requests by editing its weights.')
  .version(version)
  .showHelpAfterError('(run with --help for what is expected)')
  .addHelpText('after', '\nExit status: 0 done; 2 bad option; 3 bad prompts; 4 damaged GGUF; 5 model not supported; 6 file; 7 engine;\n8 no strength within the bound; 9 verification failed; 130 interrupted.');

program
  .command('harden')
  .description('write a copy of MODEL that refuses harmful requests more often')
  .argument('<model>', 'GGUF file; only read')
  .option('-o, --output <file>', 'new GGUF (default: MODEL.hardened.gguf)')
  .option('--harmful <file>', 'harmful requests: .txt, .json, .jsonl or .csv (default: built in)')
  .option('--harmless <file>', 'harmless requests')
  .option('--borderline <file>', 'requests that sound harmful and are not')
  .option('--layer <n>', 'block after which the direction is read (default: chosen)', number)
  .option('--layers <first-last>', 'blocks to edit (default: chosen)', range)
  .option('--strength <x>', 'how strong (default: chosen)', number)
  .addOption(new Option('--schedule <name>', 'how the push is spread').choices([...schedules]))
  .addOption(new Option('--right-factor <name>', 'detector; mean-row is the paper').choices([...rightFactors]))
  .option('--rho <x>', 'shrinkage of the gated factor', number)
  .option('--max-kl <x>', 'most KL on harmless prompts, nats', number)
  .option('--max-tokens <n>', 'tokens of an answer in the evaluation', number)
  .option('--no-evaluate', 'skip the answers before and after')
  .option('--threads <n>', 'processors to use', number)
  .option('--seed <n>', 'decides the prompt sample', number)
  .option('--system <text>', 'system prompt during extraction, for uncensored models')
  .option('--overwrite', 'replace an existing output')
  .option('--report <file>', 'also write the report, .json or .md')
  .option('--json', 'print the report as JSON')
  .option('--quiet', 'no progress')
  .addHelpText('after', '\nExamples:\n  rosi harden model.gguf\n  rosi harden model.gguf -o safe.gguf --report safe.md\n  rosi harden model.gguf --harmful bad.txt --harmless good.csv --max-kl 0.05')
  .action(async (model: string, options: HardenOptions & Output & { harmful?: string; harmless?: string; borderline?: string; report?: string }) => {
    const { harmful, harmless, borderline, report: reportPath, json: _json, quiet: _quiet, ...rest } = options;
    const prompts = await readGiven(harmful, harmless, borderline);
    const progress = new ProgressLine(options.quiet ?? false);
    try {
      const report = await harden(model, prompts, { ...rest, signal: interruptible(), onProgress: (tick) => progress.show(tick) });
      progress.end();
      if (reportPath !== undefined) writeFileSync(reportPath, reportPath.endsWith('.md') ? reportMarkdown(report) : JSON.stringify(report, null, 2));
      print(report, reportSummary(report), options);
      if (!report.verified.ok) process.exitCode = 9;
    } finally {
      progress.end();
    }
  });

program
  .command('inspect')
  .description('list metadata, tensors and writers of a GGUF file')
  .argument('<model>')
  .option('--json', 'print JSON')
  .action(async (model: string, options: Output) => {
    const file = await inspect(model);
    const lines = file.tensors.map((tensor) => `${tensor.name.padEnd(40)} ${tensor.type.padEnd(8)} [${tensor.shape.join(', ')}]`);
    const head = `GGUF v${file.version}, ${String(file.metadata['general.architecture'])}, ${file.tensors.length} tensors, ${file.fileBytes} bytes`;
    print(file, [head, ...lines].join('\n'), options);
  });

program
  .command('verify')
  .description('check a hardened file by itself, and against its source')
  .argument('<files...>', '[SOURCE] OUTPUT')
  .option('--json', 'print JSON')
  .action(async (files: string[], options: Output) => {
    if (files.length > 2) throw new RosiError('OPTION_INVALID', `verify takes one or two files; got ${files.length}`, { files });
    const source = files.length === 2 ? files[0] : undefined;
    const result = await verifyUpdate(source, files[files.length - 1]!, { signal: interruptible() });
    const tensors = result.tensors.filter((tensor) => !tensor.sha256Ok).map((tensor) => `changed after hardening: ${tensor.name}`);
    const others = result.unplannedDifferences.map((d) => `differs from the source: ${d.where} at byte ${d.firstOffset} (${d.bytes} bytes)`);
    const checksum = result.checksumOk ? [] : ['the checksum over the whole file does not match'];
    const wrongSource = result.sourceMatches === false ? ['SOURCE is not the file this was made from'] : [];
    print(result, result.ok ? `ok: ${result.tensors.length} tensors as planned, everything else unchanged` : [...checksum, ...wrongSource, ...tensors, ...others].join('\n'), options);
    if (!result.ok) process.exitCode = 9;
  });

program
  .command('generate')
  .description('answer prompts greedily in the model\'s own chat template')
  .argument('<model>')
  .argument('<prompts...>')
  .option('--system <text>', 'system prompt')
  .option('--max-tokens <n>', 'new tokens of an answer', number)
  .option('--threads <n>', 'processors to use', number)
  .option('--json', 'print JSON')
  .action(async (model: string, prompts: string[], options: Output & { system?: string; maxTokens?: number; threads?: number }) => {
    const answers = await generate(model, prompts, { ...options, signal: interruptible() });
    print(answers, answers.map((answer) => (prompts.length === 1 ? answer.text : `> ${answer.prompt}\n${answer.text}\n`)).join('\n'), options);
  });

async function readGiven(harmful?: string, harmless?: string, borderline?: string): Promise<PromptSet | undefined> {
  if (harmful === undefined && harmless === undefined && borderline === undefined) return undefined;
  if (harmful === undefined || harmless === undefined) {
    throw new RosiError('OPTION_INVALID', '--harmful and --harmless must be given together', { harmful, harmless });
  }
  return {
    harmful: await readPrompts(harmful),
    harmless: await readPrompts(harmless),
    ...(borderline === undefined ? {} : { borderline: await readPrompts(borderline) }),
  };
}

program.parseAsync().catch((thrown: unknown) => {
  const error = toRosiError(thrown);
  process.stderr.write(`rosi: ${error instanceof RosiError ? error.message : (error.stack ?? error.message)}\n`);
  process.exitCode = error instanceof RosiError ? exitCodes[error.code] : 1;
});
