import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { GpuDevice } from '../native';
import { ggufBytes } from '../outputs/gguf-bytes';
import { trialUpdate } from '../update';
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
interface Shape {
  nIn: number;
  nOut: number;
}
// Three tiles of columns; two parts of the rows that the closure searches, the second one short.
const small: Shape = { nIn: 768, nOut: 150 };
// More bytes than what copies go through at once, and not a whole number of times.
const large: Shape = { nIn: 4096, nOut: 3100 };
// Of each of several tensors.
const square: Shape = { nIn: 1024, nOut: 1024 };
// More tensors than threads, and more threads than devices.
const [nTensors, nThreads] = [8, 4];
/** Of the update's norm to the weights': small enough for codes to flip, and for F16 to lose some of it. */
const share = 0.02;

/**
 * Every pass on every device of a library with the kernels for GPUs, held against the processor's: the bytes must be equal.
 *
 * @throws Error that names the first pass, type and device that differ.
 */
export function testGpus(kernels: PassProbes, library: string, devices: readonly GpuDevice[]): string {
  for (const [device, { name }] of devices.entries()) {
    for (const one of [...floats, ...quantised]) testType({ kernels, library, device, name }, one, small);
    testType({ kernels, library, device, name }, ['Q8_0', q8], large);
  }
  const names = devices.map(({ name, computeCapability }) => `${name} (${computeCapability})`);
  return `${floats.length + quantised.length} types, each byte equal to the processor's, on ${names.join(', ')}`;
}

interface On {
  kernels: PassProbes;
  library: string;
  device: number;
  /** Of the device. */
  name: string;
}

function testType(on: On, [name, type]: readonly [string, number], { nIn, nOut }: Shape): void {
  const { kernels } = on;
  const values = noise(nIn * nOut, name, 0.05);
  const tensor: TensorArguments = [type, kernels._quantize(type, values, nIn, nOut), nIn, nOut];
  const { left, right } = factors({ nIn, nOut }, norm(values));
  const compare = (pass: Pass, target: number, expected: Uint8Array, ...others: (Float32Array | undefined)[]) => {
    const { bytes } = kernels._gpuPass(on.library, on.device, pass, ...tensor, target, ...others);
    const first = bytes.findIndex((byte, k) => byte !== expected[k]);
    if (first < 0 && bytes.length === expected.length) return;
    throw new Error(`${on.name}: ${pass} of ${name} differs from the processor's at byte ${first} of ${bytes.length}`);
  };
  if (!floats.some((one) => one[1] === type)) {
    const squares = noise(nIn, 'squares').map((x) => x * x);
    const readout = left.map((x, i) => x * (1 + 0.5 * Math.sin(i)));
    compare('flip', type, kernels._flipCodes(...tensor, left, right, 1), left, right);
    const told = kernels._flipCodes(...tensor, left, right, 1, squares, readout);
    compare('flip', type, told, left, right, squares, readout);
  } else {
    const { bytes, realised } = kernels._addRankOne(...tensor, left, right, 1);
    // Where rounding loses too much, the processor carries it on, which is no addition.
    if (realised.mode === 'add') compare('add', type, bytes, left, right);
  }
  if (nIn === large.nIn) return; // it is for the copies, which are the same in all passes
  for (const target of [f32, 1, 30, q8]) {
    compare('promote', target, kernels._promote(...tensor, left, right, target, 1), left, right);
  }
  compare('mean', f32, new Uint8Array(kernels._columnMean(...tensor).buffer));
}

type Pass = 'flip' | 'add' | 'promote' | 'mean';

function factors({ nIn, nOut }: Shape, size: number): { left: Float32Array; right: Float32Array } {
  const [direction, right] = [noise(nOut, 'left'), noise(nIn, 'right')];
  const scale = (share * size) / (norm(direction) * norm(right));
  return { left: direction.map((x) => x * scale), right };
}

/** An update of several tensors at once, as `gpuUpdate` makes it, held against that of the processor. */
export async function testGpuUpdate(
  kernels: PassProbes,
  { signal }: { signal?: AbortSignal | undefined },
): Promise<string> {
  const { nIn, nOut } = square;
  const tensors = Array.from({ length: nTensors }, (_, i) => {
    const [name, type] = quantised[i]!;
    const values = noise(nIn * nOut, name, 0.05);
    const bytes = kernels._quantize(type, values, nIn, nOut);
    return { name, type, bytes, shape: [nIn, nOut], ...factors(square, norm(values)) };
  });
  const folder = mkdtempSync(join(tmpdir(), 'rosi-doctor-'));
  try {
    const path = join(folder, 'tensors.gguf');
    writeFileSync(path, Buffer.concat(ggufBytes({ 'general.architecture': 'none' }, tensors)));
    const edit = { layer: 0, layers: [0, 0], schedule: 'equal', strength: 1, rightFactor: 'gated' } as const;
    const plan = { edit, tensors: tensors.map(({ name, left, right }) => ({ name, left, right })) };
    const hashes = async (gpuUpdate: boolean) => {
      const trial = await trialUpdate(path, plan, { threads: nThreads, gpuUpdate, signal });
      return trial.tensors.map(({ sha256 }) => sha256);
    };
    const [expected, found] = [await hashes(false), await hashes(true)];
    const wrong = tensors.filter((_, i) => found[i] !== expected[i]).map(({ name }) => name);
    if (wrong.length > 0) throw new Error(`an update by ${nThreads} threads at once differs in ${wrong.join(', ')}`);
    return `${nTensors} tensors at once`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
