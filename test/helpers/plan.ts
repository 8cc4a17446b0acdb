import type { RankOneFactors, SavedPlan } from '../../lib';
import { randomBytes } from './tiny-gguf';

/** Values from a seed, between -1 and 1. */
export function randomFloats(n: number, seed: number): Float32Array {
  const next = randomBytes(seed);
  return Float32Array.from({ length: n }, () => (next() - 127.5) / 128);
}

export function randomFactors(name: string, nIn: number, nOut: number, seed = 1, nExperts?: number): RankOneFactors {
  const n = nExperts ?? 1;
  const [left, right] = [randomFloats(n * nOut, seed), randomFloats(n * nIn, seed + 1)];
  return { name, left, right, ...(nExperts === undefined ? {} : { nExperts }) };
}

/** A plan of two blocks of width 6, with the numbers of no real model. */
export function samplePlan(changes: Partial<SavedPlan['plan']> = {}): SavedPlan {
  return {
    plan: {
      edit: { layer: 1, layers: [1, 2], schedule: 'equal', strength: 1.5, rightFactor: 'gated' },
      tensors: [
        randomFactors('blk.1.attn_output.weight', 4, 6, 1),
        randomFactors('blk.1.ffn_down.weight', 10, 6, 3),
        randomFactors('blk.2.ffn_down.weight', 10, 6, 5),
      ],
      ...changes,
    },
    provenance: {
      rosi: '0.1.0',
      source: { sha256: 'a'.repeat(64), architecture: 'llama' },
      direction: { layer: 1, vector: Float32Array.of(0.5, -0.5, 0.5, 0.5, 0, 0), distance: 8, auroc: 0.9 },
      prompts: { sha256: 'b'.repeat(64) },
      settings: { seed: 7, rho: 1, maxKl: 0.1, system: null, thinking: false },
    },
  };
}
