import { ModelSession } from '../../lib';
import { kernels } from './kernels';

/** Next-token logits after the prompts; `adapter`: the path of a LoRA GGUF, which the engine loads as it would for `--lora`. */
export async function logitsOf(model: string, prompts: readonly string[], adapter?: string): Promise<Float32Array> {
  const session = await ModelSession.open(model, { threads: 1 });
  try {
    const tokens = prompts.map((prompt) => session.encode(prompt));
    const handle = (session as unknown as { handle: Parameters<typeof kernels._loadAdapterFile>[0] }).handle;
    const loaded = adapter === undefined ? undefined : kernels._loadAdapterFile(handle, adapter);
    return await session.nextTokenLogits(tokens, loaded && { adapter: loaded, scale: 1 });
  } finally {
    session.close();
  }
}

export function distance(a: Float32Array, b: Float32Array): number {
  return Math.hypot(...a.map((value, i) => value - b[i]!));
}
