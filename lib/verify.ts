import { inspect } from './inspect';
import { RosiError } from './errors';
import { native, type NativeVerifyResult, type PlannedTensor, type PromotionType, type RealisedUpdate } from './native';
import type { UpdatePlan } from './plan';
import { runStage, type CallOptions } from './stage';
import { trialUpdate } from './update';

/** How two files differ. */
export interface VerifyResult extends NativeVerifyResult {
  /** Tensors that the record says were changed and that equal the source's; empty without a source. */
  unchanged: string[];
  /** With a plan: what it makes of the source once more; null without. */
  recomputed: Recomputed[] | null;
}

/** A planned tensor, computed again from the source. */
export interface Recomputed {
  name: string;
  /** Whether the file's tensor is this, byte for byte. */
  equal: boolean;
  realised: RealisedUpdate;
}

export interface VerifyOptions extends CallOptions {
  /** The plan that the file was written from: the update is then computed again and compared. Needs a source. */
  plan?: UpdatePlan | undefined;
  threads?: number | undefined;
}

/**
 * Checks a hardened file: its own checksum, and with `source` that it differs from it in the planned tensors and the
 * `rosi.*` keys alone, and in each of those that its record claims. With `options.plan` the update is computed again. Of split models the
 * first file is given; every file is checked.
 *
 * @throws RosiError `RECORD_MISSING` when `output` was not written by rosi, `GGUF_INVALID`, `FILE_FAILED`, `ABORTED`.
 */
export async function verifyUpdate(
  source: string | undefined,
  output: string,
  options: VerifyOptions = {},
): Promise<VerifyResult> {
  const { plan } = options;
  if (plan !== undefined && source === undefined)
    throw new RosiError('OPTION_INVALID', 'options.plan needs the source to compute the update from', {
      option: 'plan',
    });
  const found = await runStage(options, { stage: 'verify' }, (tick) => native.verify({ source, output }, tick));
  const equal = found.tensors.filter(({ changedBytes }) => changedBytes === 0).map(({ name }) => name);
  const unchanged = equal.length > 0 && (await claimsAChange(output)) ? equal : [];
  const recomputed = plan === undefined ? null : await recompute(source!, output, plan, options);
  const ok = found.ok && unchanged.length === 0 && (recomputed ?? []).every(({ equal }) => equal);
  return { ...found, ok, unchanged, recomputed };
}

/** The same plan gives the same bytes, in the types that the file has. */
async function recompute(
  source: string,
  output: string,
  plan: UpdatePlan,
  { threads, signal, onProgress }: VerifyOptions,
): Promise<Recomputed[]> {
  const types = async (path: string) => new Map((await inspect(path)).tensors.map(({ name, type }) => [name, type]));
  const [before, after] = [await types(source), await types(output)];
  const tensors = plan.tensors.map((tensor): PlannedTensor => {
    const type = after.get(tensor.name);
    return type === undefined || type === before.get(tensor.name) ? tensor : { ...tensor, type: type as PromotionType };
  });
  const trial = await trialUpdate(source, { ...plan, tensors }, { threads, signal, onProgress });
  const recorded = new Map(await recordedHashes(output));
  return trial.tensors.map(({ name, sha256, realised }) => ({ name, equal: recorded.get(name) === sha256, realised }));
}

/** What the file's record says of its tensors; `sha256Ok` says whether they still are. */
async function recordedHashes(output: string): Promise<[string, string][]> {
  const { metadata } = await inspect(output);
  const record = JSON.parse(String(metadata['rosi.tensors'])) as { name: string; sha256: string }[];
  return record.map(({ name, sha256 }) => [name, sha256]);
}

/** At strength 0 every tensor is a copy. */
async function claimsAChange(output: string): Promise<boolean> {
  const { metadata } = await inspect(output);
  try {
    return (JSON.parse(String(metadata['rosi.plan'])) as { strength?: unknown }).strength !== 0;
  } catch {
    return true;
  }
}
