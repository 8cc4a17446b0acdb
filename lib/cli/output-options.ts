import type { Command } from 'commander';

import type { OutputPaths } from '../outputs/write-outputs';

/** What else the edit is written as, as flags. */
export type OutputFlags = Pick<OutputPaths, 'lora' | 'peft' | 'controlVector' | 'modelfile'>;

/** Options for the files that hold the edit in other forms. */
export function addOutputOptions(command: Command): Command {
  return command
    .option('--lora <file>', "the edit as a LoRA adapter, GGUF, for llama.cpp's --lora")
    .option('--peft <folder>', 'the edit as a PEFT adapter, safetensors, for transformers and vLLM')
    .option('--control-vector <file>', 'a push along the direction, GGUF; not the same as the edit');
}
