import { basename, join } from 'node:path';
import { readdirSync, readFileSync } from 'node:fs';

import type { UpdatePlan } from '../../lib';
import { splitGguf, type SplitOptions } from './split-gguf';
import { folderPerTest } from './temporary';
import { tinyGguf } from './tiny-gguf';

const tensors = [
  { name: 'a', type: 'Q8_0' as const, shape: [64, 5] },
  { name: 'b', type: 'F32' as const, shape: [7] },
  { name: 'c', type: 'F16' as const, shape: [33, 3] },
  { name: 'd', type: 'Q4_0' as const, shape: [96, 2] },
  { name: 'e', type: 'F32' as const, shape: [5, 4] },
];

export const plan: UpdatePlan = {
  edit: { layer: 0, schedule: 'equal', layers: [0, 0], strength: 1, rightFactor: 'gated' },
  // Of the first and of the last file, when each gets two tensors.
  tensors: [
    { name: 'e', left: new Float32Array(4).fill(0.02), right: new Float32Array(5).fill(0.5) },
    { name: 'a', left: new Float32Array(5).fill(0.02), right: new Float32Array(64).fill(0.5) },
  ],
};

export const names = (paths: string[]) => paths.map((path) => basename(path));
export const bytesOf = (paths: string[]) => paths.map((path) => readFileSync(path));

/** An empty folder for every test, and split models in it. */
export function splitModels() {
  const ownFolder = folderPerTest();
  let folder: string;
  beforeEach(() => void (folder = ownFolder()));
  const at = (name: string) => join(folder, name);
  return {
    at,
    files: () => readdirSync(folder).sort(),
    /** `whole.gguf`, and the same as `m-0000N-of-0000M.gguf`. */
    model(options: SplitOptions = { sizes: [2, 2, 1] }): string[] {
      tinyGguf({ tensors, metadata: { 'tiny.word': { string: 'a word' } } }).write(at('whole.gguf'));
      return splitGguf(at('whole.gguf'), at('m'), options);
    },
  };
}
