import { RosiError } from './errors';
import { native, runTask, type NativeWriter, type NativeWriterReport } from './native';
import type { ModelSession } from './session';

/** A matrix whose output is added to the residual stream, and what an update of it does there. */
export interface Writer extends NativeWriter {
  class: Exclude<NativeWriter['class'], 'unsupported'>;
}

export interface ModelWriters {
  architecture: string;
  /** In the order of computation. */
  writers: Writer[];
  /** The token embeddings, which are edited only when that is asked for; null: the stream does not begin with them. */
  embedding: Writer | null;
  /** Matrices that write, too, but not in a way that an update could aim. */
  leftOut: { name: string; layer: number; why: string }[];
}

/**
 * The writers of a model, found by walking the engine's graph back from the output head.
 *
 * @throws RosiError `MODEL_UNSUPPORTED` naming the architecture, the node and the reason when a block adds something to
 *   the stream that is not understood: such a model is refused rather than edited wrongly.
 */
export async function findWriters(session: ModelSession): Promise<ModelWriters> {
  return select(await session.graph());
}

/** The same without loading the weights: factors that need them are null, and adapters are not looked for. */
export async function findWritersInFile(path: string): Promise<ModelWriters> {
  return select(await runTask(() => native.findWritersInFile(path)));
}

function select(report: NativeWriterReport): ModelWriters {
  const { architecture } = report;
  const refuse = (why: string, details: Record<string, unknown>) => {
    throw new RosiError('MODEL_UNSUPPORTED', `the ${architecture} architecture is not supported: ${why}`, {
      architecture,
      ...details,
    });
  };
  const open = report.layers.find(({ covered }) => !covered);
  if (open !== undefined) {
    const at = report.unknown.find(({ layer }) => layer === open.layer || layer < 0);
    refuse(
      `what block ${open.layer} adds to the residual stream is not all written by matrices that can be edited (${open.reason})`,
      { layer: open.layer, node: at?.node, operation: at?.operation },
    );
  }
  const writers: Writer[] = [];
  const leftOut: ModelWriters['leftOut'] = [];
  for (const writer of report.writers) {
    const { name, layer, why, class: kind } = writer;
    if (kind === 'unsupported') leftOut.push({ name, layer, why });
    else if (layer < 0) leftOut.push({ name, layer, why: 'it belongs to no block' });
    else writers.push({ ...writer, class: kind });
  }
  if (writers.length === 0) refuse('no matrix writes to the residual stream in a way that can be edited', { leftOut });
  return { architecture, writers, embedding: report.embedding as Writer | null, leftOut };
}

/** Whether an edit of these blocks, first and last, has the writer; the token embeddings, which belong to none, always. */
export function isWithin({ class: kind, layer }: Writer, [from, to]: readonly [number, number]): boolean {
  return kind === 'embedding' || (layer >= from && layer <= to);
}

/** Whether the update's effect on the stream follows from the matrix alone; otherwise it is measured on prompts. */
export function isExact({ class: kind }: Writer): boolean {
  return kind === 'direct' || kind === 'restart' || kind === 'constant' || kind === 'embedding';
}
