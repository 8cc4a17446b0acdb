import { native, runTask, type Inspection } from './native';

/**
 * What is in a GGUF file, or in all files of a split model, whose first is given: metadata and tensors, checked. No model
 * is loaded.
 *
 * @throws RosiError `GGUF_INVALID`, `FILE_FAILED`; `OPTION_INVALID` for a later file of a split model, naming the first.
 */
export function inspect(path: string): Promise<Inspection> {
  return runTask(() => native.inspect(path));
}
