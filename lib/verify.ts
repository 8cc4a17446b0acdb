import { inspect } from './inspect';
import { RosiError } from './errors';
import {
  native,
  promotionTypes,
  type NativeVerifyResult,
  type Inspection,
  type PlannedTensor,
  type RealisedUpdate,
} from './native';
import type { UpdatePlan } from './plan';
import { readRecord } from './record';
import { runStage, type CallOptions } from './stage';
import { trialUpdate } from './update';

/** How two files differ. */
export interface VerifyResult extends NativeVerifyResult {
  /** Tensors that the record says were changed, when not one of them is; empty without a source. */
  unchanged: string[];
  /** With a plan: what it makes of the source once more; null without, and when the source is another. */
  recomputed: Recomputed[] | null;
}

/** A planned tensor, computed again from the source. */
export interface Recomputed {
  name: string;
  /** Whether the file's tensor is this, byte for byte. */
  equal: boolean;
  /** Null of a tensor that the file's record has and the plan has not. */
  realised: RealisedUpdate | null;
}

export interface VerifyOptions extends CallOptions {
  /** The plan that the file was written from: the update is then computed again and compared. Needs a source. */
  plan?: UpdatePlan | undefined;
  /** Default 1. */
  threads?: number | undefined;
}

/**
 * Checks a hardened file: its own checksum, and with `source` that it differs from it in the planned tensors and the
 * `rosi.*` keys alone, and that it does differ where its record claims so. With `options.plan` the update is computed
 * again. Of split models the first file is given; every file is checked.
 *
 * @throws RosiError `RECORD_MISSING` when `output` was not written by rosi, `GGUF_INVALID`, `FILE_FAILED`, `ABORTED`.
 */
export async function verifyUpdate(
  source: string | undefined,
  output: string,
  options: VerifyOptions = {},
): Promise<VerifyResult> {
  const { plan, threads } = options;
  if (plan !== undefined && source === undefined)
    throw new RosiError('OPTION_INVALID', 'options.plan needs the source to compute the update from', {
      option: 'plan',
    });
  const found = await runStage(options, { stage: 'verify' }, (tick) =>
    native.verify({ source, output, threads }, tick),
  );
  const file = await inspect(output);
  const equal = found.tensors.filter(({ changedBytes }) => changedBytes === 0).map(({ name }) => name);
  // One tensor's update may round to nothing, but not all of them.
  const unchanged = equal.length > 0 && equal.length === found.tensors.length && claimsAChange(file) ? equal : [];
  const recomputed = plan === undefined || !found.sourceMatches ? null : await recompute(source!, file, plan, options);
  const ok = found.ok && unchanged.length === 0 && (recomputed ?? []).every((one) => one.equal);
  return { ...found, ok, unchanged, recomputed };
}

// Each thread holds a tensor.
const mostRecomputed = 4;

/** The same plan gives the same bytes, in the types that the file has. */
async function recompute(
  source: string,
  file: Inspection,
  plan: UpdatePlan,
  { threads, signal, onProgress }: VerifyOptions,
): Promise<Recomputed[]> {
  const types = (of: Inspection) => new Map(of.tensors.map(({ name, type }) => [name, type]));
  const [before, after] = [types(await inspect(source)), types(file)];
  const tensors = plan.tensors.map((tensor): PlannedTensor => {
    const type = promotionTypes.find((one) => one === after.get(tensor.name));
    return type === undefined || type === before.get(tensor.name) ? tensor : { ...tensor, type };
  });
  const some = Math.min(threads ?? 1, mostRecomputed);
  const trial = await trialUpdate(source, { ...plan, tensors }, { threads: some, signal, onProgress });
  const made = new Map(trial.tensors.map(({ name, sha256, realised }) => [name, { sha256, realised }]));
  const record = new Map(readRecord(file).map(({ name, sha256 }) => [name, sha256]));
  return [...new Set([...made.keys(), ...record.keys()])].map((name) => {
    const one = made.get(name);
    return { name, equal: one !== undefined && record.get(name) === one.sha256, realised: one?.realised ?? null };
  });
}

/** At strength 0 every tensor is a copy. */
function claimsAChange({ metadata }: Inspection): boolean {
  try {
    return (JSON.parse(String(metadata['rosi.plan'])) as { strength?: unknown }).strength !== 0;
  } catch {
    return true;
  }
}
