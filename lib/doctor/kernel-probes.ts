import type { RealisedUpdate } from '../native';

/** A whole tensor: `type` is the number that GGUF gives a type, of nOut rows of nIn weights. */
export type TensorArguments = [type: number, bytes: Uint8Array, nIn: number, nOut: number];

/** The kernels one by one, for tests and doctor()'s. */
export interface KernelProbes {
  _addRankOne(
    ...args: [
      ...tensor: TensorArguments,
      left: Float32Array,
      right: Float32Array,
      threads: number,
      /** Where the tensor is written; default: new memory. */
      target?: Uint8Array,
    ]
  ): { bytes: Uint8Array; realised: RealisedUpdate };
  _dequantize(...tensor: TensorArguments): Float32Array;
  _quantize(type: number, values: Float32Array, nIn: number, nOut: number): Uint8Array;
}

/** What a GPU must equal. `meanSquares`: E[x_j²] of the inputs; `readout` [nOut]: what follows uses the output along this. */
export interface PassProbes extends KernelProbes {
  _columnMean(...tensor: TensorArguments): Float32Array;
  /** Code flips alone, never a new grid. */
  _flipCodes(
    ...args: [
      ...tensor: TensorArguments,
      left: Float32Array,
      right: Float32Array,
      threads: number,
      meanSquares?: Float32Array,
      readout?: Float32Array,
    ]
  ): Uint8Array;
  /** To a float type or Q8_0. */
  _promote(
    ...args: [
      ...tensor: TensorArguments,
      left: Float32Array,
      right: Float32Array,
      target: number,
      threads: number,
      readout?: Float32Array,
    ]
  ): Uint8Array;
  /** One pass on a device of a library with the kernels for GPUs; `seconds` without the copies of the tensor. */
  _gpuPass(
    library: string,
    device: number,
    pass: 'flip' | 'add' | 'promote' | 'mean',
    ...args: [
      ...tensor: TensorArguments,
      targetType: number,
      left?: Float32Array,
      right?: Float32Array,
      meanSquares?: Float32Array,
      readout?: Float32Array,
    ]
  ): { bytes: Uint8Array; seconds: number };
}
