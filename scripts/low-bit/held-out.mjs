// Noise to signal measured on inputs, one after the other, rather than estimated from their mean squares.
import { join } from 'node:path';
import { library, native, readTensor } from './matrices.mjs';

const { applyUpdate, inspect } = library('index');

/** rms |(dW - left rightᵀ) x| / rms |left rightᵀ x| over `rows` of x. */
function noiseToSignal(before, after, { left, right }, { count, data }) {
  const nIn = right.length;
  const error = after.map((value, k) => value - before[k] - left[Math.floor(k / nIn)] * right[k % nIn]);
  const power = left.reduce((sum, value) => sum + value * value, 0);
  let [noise, signal] = [0, 0];
  for (let row = 0; row < count; ++row) {
    const x = data.subarray(row * nIn, (row + 1) * nIn);
    const response = x.reduce((sum, value, j) => sum + value * right[j], 0);
    signal += power * response * response;
    for (let i = 0; i < left.length; ++i) {
      let output = 0;
      for (let j = 0, k = i * nIn; j < nIn; ++j, ++k) output += error[k] * x[j];
      noise += output * output;
    }
  }
  return Math.sqrt(noise / signal);
}

/** For each tensor of `plan`, with and without the inputs that the plan has: `{ aware, blind }`. */
export async function heldOutNoise(type, source, plan, rowsOf) {
  const output = join(source, '..', 'edited.gguf');
  const old = await inspect(source);
  const noise = plan.tensors.map(() => ({}));
  for (const way of ['aware', 'blind']) {
    const tensors = plan.tensors.map(({ inputs, ...tensor }) => ({ ...tensor, ...(way === 'aware' && { inputs }) }));
    await applyUpdate(source, { ...plan, tensors }, { output, overwrite: true, threads: 1 });
    const edited = await inspect(output);
    for (const [i, tensor] of tensors.entries()) {
      const [before, after] = [
        [source, old],
        [output, edited],
      ].map(([path, file]) => {
        const found = file.tensors.find(({ name }) => name === tensor.name);
        return native._engineDequantize(type.id, readTensor(path, found), found.shape[0] * found.shape[1]);
      });
      noise[i][way] = noiseToSignal(before, after, tensor, rowsOf[i]);
    }
  }
  return noise;
}
