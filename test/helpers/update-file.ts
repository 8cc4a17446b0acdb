import { native, runTask, type NativeUpdateRequest, type PlannedTensor } from '../../lib/native';
import { kernels } from './kernels';
import { noise, norm } from './reference';
import { typeId, type ReadTensor } from './tiny-gguf';

/** Writes `output` from `source` with the tensors changed. */
export function updateFile(
  source: string,
  output: string,
  tensors: PlannedTensor[],
  request: Partial<NativeUpdateRequest> = {},
) {
  return runTask(() =>
    native.update({ source, output, overwrite: true, threads: 1, metadata: {}, tensors, ...request }, () => {}),
  );
}

/** The values of a tensor, by the engine's own dequantiser. */
export function valuesOf({ type, shape, bytes }: ReadTensor): Float32Array {
  return kernels._engineDequantize(
    typeId(type),
    bytes,
    shape.reduce((product, size) => product * size, 1),
  );
}

/** Factors for each expert whose product has `share` times the Frobenius norm of all the weights together. */
export function factorsOf(tensor: ReadTensor, share: number, seed: number) {
  const [nIn = 1, nOut = 1, nExperts = 1] = tensor.shape;
  const right = noise(nExperts * nIn, seed);
  const left = noise(nExperts * nOut, seed + 1);
  let squares = 0;
  for (let e = 0; e < nExperts; ++e) {
    squares += (norm(left.subarray(e * nOut, (e + 1) * nOut)) * norm(right.subarray(e * nIn, (e + 1) * nIn))) ** 2;
  }
  const strength = (share * norm(valuesOf(tensor))) / Math.sqrt(squares);
  return { left: left.map((x) => x * strength), right, nExperts };
}
