import { native, runTask, type Inspection } from './native';

/**
 * What is in a GGUF file: metadata and tensors, checked. No model is loaded.
 *
 * @throws RosiError `GGUF_INVALID`, `FILE_FAILED`.
 */
export function inspect(path: string): Promise<Inspection> {
  return runTask(() => native.inspect(path));
}
