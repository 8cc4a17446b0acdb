import type { KernelProbes } from '../../lib/doctor/kernel-probes';
import { native, type AdapterHandle, type NativeAddon, type SessionHandle } from '../../lib/native';

/** More kernels, as the addon exports them for tests alone. */
export interface Kernels extends Pick<NativeAddon, 'gatedFactor'>, KernelProbes {
  _columnMean(type: number, bytes: Uint8Array, nIn: number, nOut: number): Float32Array;
  /** Overwrites all codes and stores the old ones again, by lanes or one by one: gives `bytes` back. */
  _repack(type: number, bytes: Uint8Array, nIn: number, nOut: number, byLanes: boolean): Uint8Array;
  /** Code flips alone, never a new grid. `threads` 0: as a GPU divides the work, run on the CPU. */
  _flipCodes(
    type: number,
    bytes: Uint8Array,
    nIn: number,
    nOut: number,
    left: Float32Array,
    right: Float32Array,
    threads: number,
    /** E[x_j²] of the inputs. */
    meanSquares?: Float32Array,
    /** [nOut]: what follows uses the output along this. */
    readout?: Float32Array,
  ): Uint8Array;
  /** To a float type or Q8_0. `threads` 0: as a GPU does it, run on the CPU. */
  _promote(
    type: number,
    bytes: Uint8Array,
    nIn: number,
    nOut: number,
    left: Float32Array,
    right: Float32Array,
    target: number,
    threads: number,
    /** [nOut]: what follows uses the output along this. */
    readout?: Float32Array,
  ): Uint8Array;
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
