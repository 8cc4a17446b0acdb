import type { Settings } from '../options';
import { roles, type Role } from '../prompts';
import { evaluate } from './evaluate';
import type { Evaluation } from './evaluation';
import { jailbreaksInTurn } from './jailbreaks';
import { plainSuite } from './suite';

/**
 * The evaluation of a file that is about to be published, beside its original, on the prompts that the search never saw;
 * the harmful ones also each in one way around a refusal.
 *
 * @param file - Where the hardened model is now; the result names `settings.output`.
 */
export async function evaluateFully(
  model: string,
  file: string,
  prompts: Record<Role, string[]>,
  { output, threads, rpc, gpuLayers, thinking, cache, signal, onProgress }: Settings,
): Promise<Evaluation> {
  const suites = roles.filter((role) => prompts[role].length > 0).map((role) => plainSuite(role, role, prompts[role]));
  const found = await evaluate(
    [
      { name: 'original', model },
      { name: 'hardened', model: file },
    ],
    [...suites, ...suites.filter(({ role }) => role === 'harmful').map((suite) => jailbreaksInTurn(suite))],
    { threads, rpc, gpuLayers, thinking, cache: cache ?? false, signal, onProgress },
  );
  const models = found.models.map((one) => (one.path === file ? { ...one, path: output } : one));
  return { ...found, models };
}
