import { meanOf, type Activations, type Rows } from './capture';
import { dot } from './direction';
import { native, runTask } from './native';
import type { RightFactor } from './options';
import { ticker, type CallOptions } from './stage';
import type { Writer } from './writers';

/** A writer's right factor. */
export interface WriterFactor {
  writer: Writer;
  /** [nIn]; `mean` inputs of harmful prompts give right . mean = 1, except for the mean-row factors. */
  right: Float32Array;
}

/**
 * The right factor of every writer.
 *
 * - `gated`: r = (C + lambda I)^-1 m / (mᵀ (C + lambda I)^-1 m), m the mean harmful input at the last token, C the
 *   second moment of the inputs to keep (harmless and borderline last tokens, sampled positions),
 *   lambda = rho trace(C) / nIn; solved in the dual.
 * - `mean-input`: m / |m|². `mean-row`: mean of the rows of W (the paper). `mean-row-signed`: its sign set so that the
 *   mean harmful input gives a positive push.
 */
export async function rightFactorsOf(
  model: string,
  activations: Activations,
  writers: readonly Writer[],
  options: CallOptions & { rightFactor: RightFactor; rho: number; threads: number },
): Promise<WriterFactor[]> {
  const { rightFactor, rho, threads, signal } = options;
  const tick = ticker(options, 'factors', writers.length, 'tensors');
  const rows = rightFactor.startsWith('mean-row')
    ? await runTask(
        () =>
          native.meanRows(
            model,
            writers.map((writer) => writer.name),
            tick,
          ),
        signal,
      )
    : undefined;
  const factors: WriterFactor[] = [];
  for (const [i, writer] of writers.entries()) {
    const inputs = activations.inputs.get(writer.name)!;
    const mean = Float32Array.from(meanOf(inputs.harmful));
    let right: Float32Array;
    if (rows !== undefined) {
      right = rows[i]!;
      if (rightFactor === 'mean-row-signed' && dot(right, mean) < 0) right = right.map((value) => -value);
    } else if (rightFactor === 'mean-input') {
      const norm = dot(mean, mean);
      right = mean.map((value) => value / norm);
    } else {
      const kept = concatenate([inputs.harmless, inputs.borderline, inputs.positions]);
      right = await runTask(
        () => native.gatedFactor({ kept: kept.data, keptCount: kept.count, mean, rho, threads }),
        signal,
      );
    }
    factors.push({ writer, right });
    tick((i + 1) / writers.length);
  }
  return factors;
}

function concatenate(parts: Rows[]): Rows {
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const width = parts[0]!.width;
  const data = new Float32Array(count * width);
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { count, width, data };
}
