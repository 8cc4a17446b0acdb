import type { Activations } from './capture';
import { rightFactorsFor, rightFactorsOf, type WriterFactor } from './factors';
import type { RightFactor } from './options';
import type { CallOptions } from './stage';
import { auroc } from './statistics';
import type { Writer } from './writers';

/** Right factors, and how well they tell prompts apart that they were not fitted on. */
export interface ChosenFactors {
  factors: WriterFactor[];
  /** Shrinkage of the gated factor; what it would be for the others. */
  rho: number;
  /** For each rho that was tried the AUROC of the summed response, .5 to 1; empty where it was not chosen. */
  detection: { rho: number; auroc: number }[];
}

interface Options extends CallOptions {
  rightFactor: RightFactor;
  /** Null: chosen. */
  rho: number | null;
  threads: number;
}

// Strongest shrinkage first.
const candidates = [3, 1, 0.3, 0.1];
// Of two that detect about as well the one that leans less on the fitting prompts.
const closeEnough = 0.003;

/** Whether {@link chooseFactors} has a choice. */
export function choosesRho({ rightFactor, rho }: Pick<Options, 'rightFactor' | 'rho'>): boolean {
  return rightFactor === 'gated' && rho === null;
}

/**
 * The right factors, with the shrinkage that detects held-out prompts best: AUROC of the summed response of all writers to
 * the last tokens of harmful against harmless and borderline prompts.
 *
 * @param held - Inputs of the same writers on prompts that are not fitted on; null where rho is not to be chosen.
 */
export async function chooseFactors(
  model: string,
  activations: Activations,
  held: Activations | null,
  writers: readonly Writer[],
  options: Options,
): Promise<ChosenFactors> {
  const tried: { rho: number; auroc: number; factors: WriterFactor[] }[] = [];
  if (held === null) {
    const rho = options.rho ?? 1;
    return { factors: await rightFactorsOf(model, activations, writers, { ...options, rho }), rho, detection: [] };
  }
  const found = await rightFactorsFor(model, activations, writers, { ...options, rhos: candidates });
  for (const [k, factors] of found.entries())
    tried.push({ rho: candidates[k]!, auroc: detectionOf(factors, held), factors });
  const best = Math.max(...tried.map((one) => one.auroc));
  const { rho, factors } = tried.find((one) => !(one.auroc < best - closeEnough))!;
  return { factors, rho, detection: tried.map((one) => ({ rho: one.rho, auroc: one.auroc })) };
}

function detectionOf(factors: readonly WriterFactor[], { inputs }: Activations): number {
  const responses = (role: 'harmful' | 'harmless' | 'borderline'): number[] => {
    const sums: number[] = [];
    for (const { writer, right } of factors) {
      const { data, width, count, experts, perPosition = 1 } = inputs.get(writer.name)![role];
      for (let row = 0; row < count; ++row) {
        const from = (experts?.[row] ?? 0) * width;
        let response = 0;
        for (let j = 0; j < width; ++j) response += right[from + j]! * data[row * width + j]!;
        const prompt = Math.floor(row / perPosition);
        sums[prompt] = (sums[prompt] ?? 0) + response / perPosition;
      }
    }
    return sums;
  };
  return auroc(responses('harmful'), [...responses('harmless'), ...responses('borderline')]);
}
