import type { RankOneFactors } from '../native';
import { version } from '../version';
import { checkFactors } from './checked-factors';
import { ggufBytes } from './gguf-bytes';
import { type FileOptions, writeWhole } from './whole-file';

/**
 * Writes an edit as a LoRA adapter for llama.cpp's `--lora`: A = rightᵀ, B = left, rank 1, alpha 1, so that scale 1 is
 * the edit itself, exactly, on any quantisation of the model.
 *
 * @param architecture - `general.architecture` of the model's GGUF.
 * @param factors - As the engine must apply them; those of the plan unless the architecture scales what a matrix writes.
 * @throws RosiError `OPTION_INVALID`, `OUTPUT_EXISTS`, `FILE_FAILED`.
 */
export async function writeLoraAdapter(
  path: string,
  architecture: string,
  factors: readonly RankOneFactors[],
  options: FileOptions = {},
): Promise<void> {
  const tensors = checkFactors(factors).flatMap(({ name, left, right, nIn, nOut, nExperts }) => {
    // The engine looks a row of A up for each token.
    if (name.endsWith('token_embd.weight')) {
      return [
        { name: `${name}.lora_a`, shape: [1, nOut], data: left },
        { name: `${name}.lora_b`, shape: [1, nIn], data: right },
      ];
    }
    const experts = nExperts > 1 ? [nExperts] : [];
    return [
      { name: `${name}.lora_a`, shape: [nIn, 1, ...experts], data: right },
      { name: `${name}.lora_b`, shape: [1, nOut, ...experts], data: left },
    ];
  });
  const metadata = {
    'general.type': 'adapter',
    'general.architecture': architecture,
    'adapter.type': 'lora',
    'adapter.lora.alpha': { float32: 1 },
    'rosi.version': version,
  };
  await writeWhole(path, ggufBytes(metadata, tensors), options);
}
