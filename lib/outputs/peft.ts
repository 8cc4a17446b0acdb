import { existsSync, mkdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { RosiError, toRosiError } from '../errors';
import type { RankOneFactors } from '../native';
import { checkFactors } from './checked-factors';
import { safetensorsBytes } from './safetensors';
import { checkFile, type FileOptions, writeWhole } from './whole-file';

/** What the adapter says of its model. */
export interface PeftModel {
  /** `general.architecture` of the GGUF. */
  architecture: string;
  /** Where the original is, for libraries that load it along. Default: not said. */
  baseModel?: string | undefined;
}

type Modules = ReadonlyMap<string, string>;

// Names of the transformers library. Conversion to GGUF permutes or changes none of these matrices.
const modules = (attention: string, ffn: string): Modules =>
  new Map([
    ['attn_output', `self_attn.${attention}`],
    ['ffn_down', `mlp.${ffn}`],
  ]);
const llamaLike =
  'llama qwen2 qwen3 gemma gemma2 gemma3 phi3 granite olmo olmo2 smollm3 stablelm command-r cohere2 nemotron glm4 ' +
  'exaone4 ernie4_5 hunyuan-dense seed_oss arcee apertus';
const modulesOf: ReadonlyMap<string, Modules> = new Map([
  ...llamaLike.split(' ').map((architecture): [string, Modules] => [architecture, modules('o_proj', 'down_proj')]),
  ['starcoder2', modules('o_proj', 'c_proj')],
  ['phi2', modules('dense', 'fc2')],
]);

/** `general.architecture` of the models that a PEFT adapter can be written for. */
export const peftArchitectures: readonly string[] = [...modulesOf.keys()];

/**
 * The module of the transformers library that holds a GGUF's matrix.
 *
 * @throws RosiError `MODEL_UNSUPPORTED` naming the tensor.
 */
export function peftModule(architecture: string, tensor: string): string {
  const refuse = (why: string) =>
    new RosiError('MODEL_UNSUPPORTED', `there is no PEFT adapter for ${tensor}: ${why}`, { architecture, tensor });
  const known = modulesOf.get(architecture);
  if (known === undefined) {
    throw refuse(
      `the names of the ${architecture} architecture in transformers are not known here; use the LoRA GGUF or the edited file`,
    );
  }
  const [, layer, kind = ''] = /^blk\.(\d+)\.(\w+)\.weight$/u.exec(tensor) ?? [];
  const module = known.get(kind);
  if (layer === undefined || module === undefined) {
    throw refuse(
      `of the ${architecture} architecture only ${[...known.keys()].join(' and ')} of a block are known here`,
    );
  }
  return `model.layers.${layer}.${module}`;
}

/**
 * Writes an edit as a PEFT LoRA adapter, rank 1, alpha 1: `adapter_config.json` and `adapter_model.safetensors` in
 * `folder`, which is made when its parent is there. On float32 weights it is the edit itself.
 *
 * @throws RosiError `MODEL_UNSUPPORTED` naming a tensor, `OPTION_INVALID`, `OUTPUT_EXISTS`, `FILE_FAILED`.
 */
export async function writePeftAdapter(
  folder: string,
  model: PeftModel,
  factors: readonly RankOneFactors[],
  options: FileOptions = {},
): Promise<void> {
  const names: string[] = [];
  const tensors = checkFactors(factors).flatMap(({ name, left, right, nIn, nOut, nExperts }) => {
    const module = peftModule(model.architecture, name);
    if (nExperts > 1) {
      throw new RosiError('MODEL_UNSUPPORTED', `there is no PEFT adapter for ${name}: it holds ${nExperts} experts`, {
        architecture: model.architecture,
        tensor: name,
      });
    }
    names.push(module);
    const key = `base_model.model.${module}`;
    return [
      { name: `${key}.lora_A.weight`, shape: [1, nIn], data: right },
      { name: `${key}.lora_B.weight`, shape: [nOut, 1], data: left },
    ];
  });
  checkPeftFolder(folder, options);
  const [weights, config] = filesOf(folder);
  const made = makeFolder(folder);
  const had = existsSync(weights);
  try {
    await writeWhole(weights, safetensorsBytes(tensors), options);
    // Last: a folder without its configuration is no adapter.
    await writeWhole(config, [`${JSON.stringify(configuration(model, names), null, 2)}\n`], options);
  } catch (error) {
    if (!had) rmSync(weights, { force: true });
    if (made) rmdirSync(folder);
    throw error;
  }
}

/** Throws what {@link writePeftAdapter} would throw about its folder. */
export function checkPeftFolder(folder: string, options: FileOptions = {}): void {
  const refuse = (why: string) =>
    new RosiError('FILE_FAILED', `the adapter folder ${folder} can't be written: ${why}`, { path: folder });
  if (existsSync(folder)) {
    if (!statSync(folder).isDirectory()) throw refuse('it is a file');
    for (const path of filesOf(folder)) checkFile(path, options);
  } else {
    const parent = dirname(folder);
    if (!existsSync(parent) || !statSync(parent).isDirectory()) throw refuse(`there is no folder ${parent}`);
  }
}

function filesOf(folder: string): [weights: string, config: string] {
  return [join(folder, 'adapter_model.safetensors'), join(folder, 'adapter_config.json')];
}

function makeFolder(folder: string): boolean {
  if (existsSync(folder)) return false;
  try {
    mkdirSync(folder);
  } catch (error) {
    throw toRosiError(error);
  }
  return true;
}

function configuration({ baseModel }: PeftModel, modules: readonly string[]): Record<string, unknown> {
  return {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: baseModel ?? null,
    inference_mode: true,
    r: 1,
    lora_alpha: 1, // alpha / rank = 1
    lora_dropout: 0,
    bias: 'none',
    fan_in_fan_out: false,
    use_rslora: false,
    use_dora: false,
    target_modules: modules,
    modules_to_save: null,
  };
}
