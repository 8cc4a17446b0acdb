// A file with a tensor of each type that is edited in place, and an edit of each.
import type { UpdatePlan } from '../../lib';
import { randomBytes, type TinyOptions, type TypeName } from './tiny-gguf';

export const types: TypeName[] =
  'F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS MXFP4'.split(' ') as TypeName[];
const [nIn, nOut] = [512, 40];
export const everyType: TinyOptions = {
  metadata: { 'tiny.word': { string: 'x'.repeat(5000) }, 'rosi.before': { string: 'an older edit' } },
  tensors: [
    ...types.map((type, i) => ({ name: `w.${type}`, type, shape: [nIn, nOut], gap: 32 * (i % 2) })),
    { name: 'kept', type: 'Q4_K' as const, shape: [nIn, 200] },
  ],
  trailing: Buffer.from('something after the last tensor'),
};
const random = randomBytes(5);
const vector = (n: number, size: number) => Float32Array.from({ length: n }, () => (size * (random() - 127.5)) / 128);
export const everyTypePlan: UpdatePlan = {
  edit: { layer: 0, layers: [0, 0], schedule: 'equal', strength: 1, rightFactor: 'gated' },
  tensors: types.map((type) => ({ name: `w.${type}`, left: vector(nOut, 0.01), right: vector(nIn, 0.05) })),
};
