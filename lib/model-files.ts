import { native } from './native';

/** The files of a model: its path, or those of a split one, whose first is named. @throws RosiError `OPTION_INVALID` */
export function modelFiles(model: string): string[] {
  return native.outputPaths(model, model);
}

/** The files that a copy of `model` written as `output` has: for a split model `out-00001-of-00003.gguf` and so on. */
export function copyFiles(model: string, output: string): string[] {
  return native.outputPaths(model, output);
}

/**
 * {@link copyFiles}, and throws what writing them would, before the work that leads to it.
 *
 * @throws RosiError `OPTION_INVALID`, `OUTPUT_EXISTS`.
 */
export function checkCopy(model: string, output: string, overwrite: boolean): string[] {
  const outputs = copyFiles(model, output);
  for (const path of outputs) for (const file of modelFiles(model)) native.checkOutput(file, path, overwrite);
  return outputs;
}
