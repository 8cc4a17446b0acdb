import type { Command } from 'commander';

import { RosiError } from '../errors';
import type { Inspection } from '../native';
import { byteCount, oneLine, table } from '../text';
import { findWriters } from '../writers';
import type { Invocation } from './invocation';

export function addInspect(program: Command, invocation: Invocation): void {
  program
    .command('inspect')
    .summary('what is in a GGUF file, and whether it can be hardened')
    .description('Show what is in a GGUF file and whether it can be hardened. No model is loaded.')
    .argument('<MODEL>', 'GGUF file')
    .option('--tensors', 'list every tensor')
    .option('--metadata', 'list every metadata key')
    .option('--json', 'print everything as JSON')
    .addHelpText('after', '\nExamples:\n  rosi inspect model.gguf\n  rosi inspect model.gguf --json | jq .metadata')
    .action(async (model: string, flags: { tensors?: boolean; metadata?: boolean; json?: boolean }) => {
      const file = await invocation.library.inspect(model);
      invocation.print(flags.json ? file : describe(model, file, flags).join('\n'));
    });
}

function describe(path: string, file: Inspection, flags: { tensors?: boolean; metadata?: boolean }): string[] {
  const { metadata, tensors } = file;
  const architecture = value(metadata['general.architecture']);
  const facts: string[][] = [
    ['file', `${oneLine(path)}  GGUF v${file.version}, ${byteCount(file.fileBytes)}`],
    ['name', value(metadata['general.name'])],
    ['architecture', architecture],
    ['blocks', value(metadata[`${architecture}.block_count`])],
    ['width', value(metadata[`${architecture}.embedding_length`])],
    ['chat template', typeof metadata['tokenizer.chat_template'] === 'string' ? 'yes' : 'no'],
    ['can be hardened', verdict(file)],
    ['hardened by rosi', hardened(metadata)],
  ];
  const lines = table(
    facts.filter((row) => row[1] !== ''),
    'left',
  );
  lines.push('', ...table([['type', 'tensors', 'bytes'], ...byType(tensors)]));
  if (flags.metadata) {
    const keys = Object.entries(metadata).map(([key, entry]) => [oneLine(key), value(entry, 100)]);
    lines.push('', ...table(keys, 'left'));
  }
  if (flags.tensors) {
    const rows = tensors.map(({ name, type, shape, bytes }) => [oneLine(name), type, shape.join(' x '), String(bytes)]);
    lines.push('', ...table([['tensor', 'type', 'shape', 'bytes'], ...rows]));
  }
  return lines;
}

function verdict(file: Inspection): string {
  try {
    return `yes, through ${findWriters(file).length} matrices that write to the residual stream`;
  } catch (error) {
    if (error instanceof RosiError) return `no: ${oneLine(error.message)}`;
    throw error;
  }
}

function hardened(metadata: Inspection['metadata']): string {
  const by = metadata['rosi.version'];
  if (by === undefined) return 'no';
  return `yes, version ${value(by)}: ${value(metadata['rosi.plan'], 200)}`;
}

function byType(tensors: Inspection['tensors']): string[][] {
  const types = new Map<string, { count: number; bytes: number }>();
  for (const { type, bytes } of tensors) {
    const entry = types.get(type) ?? { count: 0, bytes: 0 };
    types.set(type, { count: entry.count + 1, bytes: entry.bytes + bytes });
  }
  return [...types]
    .sort(([, a], [, b]) => b.bytes - a.bytes)
    .map(([type, { count, bytes }]) => [type, String(count), byteCount(bytes)]);
}

function value(entry: unknown, width = 80): string {
  if (entry === undefined || entry === null) return '';
  return oneLine(typeof entry === 'object' ? JSON.stringify(entry) : String(entry), width);
}
