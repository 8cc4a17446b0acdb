import { join } from 'node:path';

import type { PassProbes } from '../../lib/doctor/kernel-probes';
import { native, type AdapterHandle, type NativeAddon, type SessionHandle } from '../../lib/native';

/** More kernels, as the addon exports them for tests alone. */
export interface Kernels extends Pick<NativeAddon, 'gatedFactors'>, PassProbes {
  /** Overwrites all codes and stores the old ones again, by lanes or one by one: gives `bytes` back. */
  _repack(type: number, bytes: Uint8Array, nIn: number, nOut: number, byLanes: boolean): Uint8Array;
  /** The same values in blocks of a wider type. */
  _widen(type: number, bytes: Uint8Array, nIn: number, nOut: number): { type: number; bytes: Uint8Array };
  /** `bytes` as F16 and with left * right added, by the processor's conversions where it has them, or without; before and after that. */
  _halves(
    bytes: Uint8Array,
    left: number,
    right: Float32Array,
    portable: boolean,
  ): { sums: Uint8Array; values: Float32Array; before: Float32Array; after: Float32Array };
  /** What is said of the first row of logits, and KL from it to the other. */
  _softmax(logits: Float32Array, others: Float32Array): { top: number; logNorm: number; divergence: number };
  /** The engine's own dequantiser. */
  _engineDequantize(type: number, bytes: Uint8Array, count: number): Float32Array;
  /** The engine's own quantiser, as llama-quantize runs it; `fileType` is a llama_ftype. */
  _engineQuantize(source: string, output: string, fileType: number, threads: number): void;
  /** An adapter from a file, as llama.cpp's --lora reads it. */
  _loadAdapterFile(session: SessionHandle, path: string): AdapterHandle;
}

export const kernels = native as unknown as Kernels;

/** A library with the kernels for GPUs whose two devices are this processor, going through the GPU's division of work. */
export const emulatedGpu = join(
  __dirname,
  '..',
  '..',
  'build',
  'Release',
  process.platform === 'win32' ? 'rosi-gpu-emulated.dll' : 'librosi-gpu-emulated.so',
);
