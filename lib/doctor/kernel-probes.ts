import type { RealisedUpdate } from '../native';

/**
 * The kernels one by one, for tests and doctor()'s. `type` is the number that GGUF gives a type; a tensor has nOut
 * rows of nIn weights.
 */
export interface KernelProbes {
  _addRankOne(
    type: number,
    bytes: Uint8Array,
    nIn: number,
    nOut: number,
    left: Float32Array,
    right: Float32Array,
    threads: number,
    /** Where the tensor is written; default: new memory. */
    target?: Uint8Array,
  ): { bytes: Uint8Array; realised: RealisedUpdate };
  _dequantize(type: number, bytes: Uint8Array, nIn: number, nOut: number): Float32Array;
  _quantize(type: number, values: Float32Array, nIn: number, nOut: number): Uint8Array;
}
