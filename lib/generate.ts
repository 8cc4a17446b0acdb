import { checkMaxTokens } from './options';
import type { PlacementOptions } from './placement';
import { ModelSession } from './session';
import type { CallOptions } from './stage';

export interface GenerateOptions extends CallOptions, PlacementOptions {
  system?: string | undefined;
  /** Go on with the prompts as they are, without the model's chat template. Default false. */
  raw?: boolean | undefined;
  /** Most new tokens of an answer. Default 128. */
  maxTokens?: number | undefined;
  /** Whether a model that can think aloud before it answers is let. Default false. */
  thinking?: boolean | undefined;
  /** Default: the fastest number, measured. */
  threads?: number | undefined;
}

/**
 * Greedy answers of a model, each prompt on its own, in the model's chat template; white space at both ends removed.
 * With `raw` a text is exactly what follows its prompt.
 *
 * @throws RosiError `OPTION_INVALID`, `GGUF_INVALID`, `MODEL_UNSUPPORTED`, `PROMPTS_INVALID`, `TEMPLATE_FAILED`, `ENGINE_FAILED`,
 *   `SERVER_FAILED`, `ABORTED`.
 */
export async function generate(
  model: string,
  prompts: readonly string[],
  options: GenerateOptions = {},
): Promise<{ prompt: string; text: string }[]> {
  const { system, raw = false, maxTokens = 128 } = options;
  checkMaxTokens(maxTokens);
  const session = await ModelSession.open(model, options);
  try {
    const tokens = prompts.map((prompt) =>
      raw ? session.encodeText(prompt, session.info.addsBos) : session.encode(prompt, system),
    );
    const { texts } = await session.generate(tokens, { maxTokens, exact: raw });
    return prompts.map((prompt, i) => ({ prompt, text: texts[i]! }));
  } finally {
    session.close();
  }
}
