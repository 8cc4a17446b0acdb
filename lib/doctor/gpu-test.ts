import type { GpuDevice } from '../native';
import { noise, norm } from './block-values';
import type { PassProbes, TensorArguments } from './kernel-probes';

const [f32, q8] = [0, 8];
const floats: readonly (readonly [name: string, type: number])[] = [
  ['F32', f32],
  ['F16', 1],
  ['BF16', 30],
];
const quantised: readonly (readonly [name: string, type: number])[] = [
  ['Q4_0', 2],
  ['Q4_1', 3],
  ['Q5_0', 6],
  ['Q5_1', 7],
  ['Q8_0', q8],
  ['Q2_K', 10],
  ['Q3_K', 11],
  ['Q4_K', 12],
  ['Q5_K', 13],
  ['Q6_K', 14],
  ['IQ4_NL', 20],
  ['IQ4_XS', 23],
  ['MXFP4', 39],
];
// Three tiles of columns; two parts of the rows that the closure searches, the second one short.
const [nIn, nOut] = [768, 150];
/** Of the update's norm to the weights': small enough for codes to flip, and for F16 to lose some of it. */
const share = 0.02;

/**
 * Every pass on every device of a library with the kernels for GPUs, held against the processor's: the bytes must be equal.
 *
 * @throws Error that names the first pass, type and device that differ.
 */
export function testGpus(kernels: PassProbes, library: string, devices: readonly GpuDevice[]): string {
  for (const [device, { name }] of devices.entries()) {
    for (const one of [...floats, ...quantised]) testType(kernels, library, device, name, one);
  }
  const names = devices.map(({ name, computeCapability }) => `${name} (${computeCapability})`);
  return `${floats.length + quantised.length} types, each byte equal to the processor's, on ${names.join(', ')}`;
}

function testType(
  kernels: PassProbes,
  library: string,
  device: number,
  deviceName: string,
  [name, type]: readonly [string, number],
): void {
  const values = noise(nIn * nOut, name, 0.05);
  const tensor: TensorArguments = [type, kernels._quantize(type, values, nIn, nOut), nIn, nOut];
  const [direction, right] = [noise(nOut, 'left'), noise(nIn, 'right')];
  const left = direction.map((x) => (x * share * norm(values)) / (norm(direction) * norm(right)));
  const isFloat = floats.some((one) => one[1] === type);

  const compare = (pass: 'flip' | 'add' | 'promote' | 'mean', target: number, expected: Uint8Array) => {
    const factors = pass === 'mean' ? [] : [left, right];
    const { bytes } = kernels._gpuPass(library, device, pass, ...tensor, target, ...factors);
    const first = bytes.findIndex((byte, k) => byte !== expected[k]);
    if (first < 0 && bytes.length === expected.length) return;
    throw new Error(
      `${deviceName}: ${pass} of ${name} differs from the processor's at byte ${first} of ${bytes.length}`,
    );
  };
  if (!isFloat) compare('flip', type, kernels._flipCodes(...tensor, left, right, 1));
  else if (type === f32) compare('add', type, kernels._addRankOne(...tensor, left, right, 1).bytes);
  for (const target of [f32, 1, 30, q8]) {
    compare('promote', target, kernels._promote(...tensor, left, right, target, 1));
  }
  compare('mean', f32, new Uint8Array(kernels._columnMean(...tensor).buffer));
}
