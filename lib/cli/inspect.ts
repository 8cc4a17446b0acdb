import type { Command } from 'commander';

import { RosiError } from '../errors';
import type { Inspection, PathStep } from '../native';
import { leastGrowth } from '../precision';
import { byteCount, oneLine, shortPercent, table } from '../text';
import { embeddedBytes } from '../undo/embed';
import type { ModelWriters, Writer } from '../writers';
import type { Invocation } from './invocation';

export function addInspect(program: Command, invocation: Invocation): void {
  program
    .command('inspect')
    .summary('what is in a GGUF file, and whether it can be hardened')
    .description('Show what is in a GGUF file and whether it can be hardened. No model is loaded.')
    .argument('<MODEL>', 'GGUF file')
    .option('--writers', 'list the matrices that write to the residual stream')
    .option('--tensors', 'list every tensor')
    .option('--metadata', 'list every metadata key')
    .option('--json', 'print everything as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  rosi inspect model.gguf --writers\n  rosi inspect model.gguf --json | jq .metadata',
    )
    .action(async (model: string, flags: Flags) => {
      const file = await invocation.library.inspect(model);
      const found = await writersOf(model, invocation);
      if (!flags.json) return invocation.print(describe(model, file, found, flags).join('\n'));
      return invocation.print({ ...file, ...(found instanceof RosiError ? { refused: found.message } : found) });
    });
}

interface Flags {
  writers?: boolean;
  tensors?: boolean;
  metadata?: boolean;
  json?: boolean;
}

async function writersOf(model: string, { library }: Invocation): Promise<ModelWriters | RosiError> {
  try {
    return await library.findWritersInFile(model);
  } catch (error) {
    if (error instanceof RosiError) return error;
    throw error;
  }
}

function describe(path: string, file: Inspection, found: ModelWriters | RosiError, flags: Flags): string[] {
  const { metadata, tensors } = file;
  const architecture = value(metadata['general.architecture']);
  const facts: string[][] = [
    [
      'file',
      `${oneLine(path)}  GGUF v${file.version}, ${byteCount(file.fileBytes)}${file.parts ? ` in ${file.parts.length} files` : ''}`,
    ],
    ['name', value(metadata['general.name'])],
    ['architecture', architecture],
    ['blocks', value(metadata[`${architecture}.block_count`])],
    ['width', value(metadata[`${architecture}.embedding_length`])],
    ['chat template', typeof metadata['tokenizer.chat_template'] === 'string' ? 'yes' : 'no'],
    ['can be hardened', verdict(file, found)],
    ['hardened by rosi', hardened(metadata)],
    ['undo', undo(metadata)],
  ];
  const lines = table(
    facts.filter((row) => row[1] !== ''),
    'left',
  );
  lines.push('', ...table([['type', 'tensors', 'bytes'], ...byType(tensors)]));
  if (flags.writers && !(found instanceof RosiError)) lines.push('', ...listWriters(file, found));
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

function verdict(file: Inspection, found: ModelWriters | RosiError): string {
  if (found instanceof RosiError) return `no: ${oneLine(found.message)}`;
  const { writers, leftOut } = found;
  const least = leastGrowth(file, writers);
  const growth = least === 0 ? '' : `; the file grows by up to ${shortPercent(least)} (--max-growth)`;
  const without = leftOut.length === 0 ? '' : `; ${leftOut.length} more are left out (--writers says why)`;
  return `yes, through ${writers.length} matrices that write to the residual stream${growth}${without}`;
}

function tensorOf({ tensors }: Inspection, { name }: Writer): Inspection['tensors'][number] | undefined {
  return tensors.find((tensor) => tensor.name === name);
}

function listWriters(file: Inspection, { writers, embedding, leftOut }: ModelWriters): string[] {
  const rows = [...(embedding ? [embedding] : []), ...writers].map((writer) => {
    const { layer, name, kind, nIn, nOut, nExperts } = writer;
    const { type = '', canUpdate = false } = tensorOf(file, writer) ?? {};
    const shape = [nIn, nOut, ...(nExperts > 1 ? [nExperts] : [])].join(' x ');
    const [block, on] = writer === embedding ? ['', ', with --embeddings'] : [String(layer), ''];
    return [block, oneLine(name), kind, type, shape, wayOf(writer), `${canUpdate ? 'yes' : 'no'}${on}`];
  });
  const lines = table(
    [['block', 'writer', 'kind', 'type', 'shape', 'way to the stream', 'can be edited'], ...rows],
    'left',
  );
  return [...lines, ...leftOut.map(({ name, why }) => `${oneLine(name)} is left out: ${oneLine(why)}`)];
}

function wayOf({ class: kind, path, why }: Writer): string {
  const steps = path.filter((step) => step.kind !== 'bias').map(stepText);
  const way = steps.length === 0 ? 'direct' : steps.join(', ');
  const whole = kind === 'hyper-connection' && !way.includes(kind) ? `${way}, ${kind}` : way;
  return oneLine(why === '' ? whole : `${whole} (${why})`, 100);
}

function stepText({ kind, tensor, value: factor, what }: PathStep): string {
  if (kind === 'constant' && typeof factor === 'number') return `times ${Number(factor.toPrecision(4))}`;
  return [kind === 'channel' ? 'gain' : kind, tensor ?? what ?? ''].join(' ').trim();
}

function hardened(metadata: Inspection['metadata']): string {
  const by = metadata['rosi.version'];
  if (by === undefined) return 'no';
  return `yes, version ${value(by)}: ${value(metadata['rosi.plan'], 200)}`;
}

function undo(metadata: Inspection['metadata']): string {
  const bytes = embeddedBytes(metadata);
  return bytes === null ? '' : `${byteCount(bytes)} at the end of the file, for rosi revert`;
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
