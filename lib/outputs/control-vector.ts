import type { Direction } from '../direction';
import { RosiError } from '../errors';
import { inspect } from '../inspect';
import { native, runTask } from '../native';
import type { UpdatePlan } from '../plan';
import { version } from '../version';
import { ggufBytes } from './gguf-bytes';
import { type FileOptions, writeWhole } from './whole-file';

/** What is added to the stream after a block, on every token. */
export interface LayerPush {
  /** Block, from 1: llama.cpp adds nothing after block 0. */
  layer: number;
  /** [dModel], in units of the residual stream. */
  vector: Float32Array;
}

/**
 * The pushes along the direction that stand in for an edit: each block's is what its writers add to a mean harmful
 * stream at scale 1. For the mean-row factors, whose response to an input is not known, the pushes add up to the
 * distance of the classes. What belongs to block 0 is added after block 1.
 *
 * It is not the edit: the edit acts where its right factors respond, a control vector on every token of every input.
 */
export function controlPushes({ edit, tensors }: UpdatePlan, direction: Direction): LayerPush[] {
  const shares = new Map<number, number>();
  for (const { name, left, share } of tensors) {
    const match = /^blk\.(\d+)\./u.exec(name);
    if (match === null) continue;
    const layer = Math.max(1, Number(match[1]));
    const own = share ?? Math.sqrt(left.reduce((sum, value) => sum + value * value, 0));
    shares.set(layer, (shares.get(layer) ?? 0) + own);
  }
  const whole = [...shares.values()].reduce((sum, share) => sum + share, 0);
  const push = (edit.rightFactor.startsWith('mean-row') ? 1 : edit.strength) * direction.distance;
  return [...shares]
    .sort(([a], [b]) => a - b)
    .map(([layer, own]) => {
      const share = whole > 0 ? own / whole : 0;
      return { layer, vector: direction.vector.map((value) => value * share * push) };
    });
}

/**
 * Writes a control vector for llama.cpp's `--control-vector`, which adds `vector * scale` to the stream after each
 * block that is named. The file's `rosi.*` keys say what it is.
 *
 * @param architecture - `general.architecture` of the model's GGUF.
 * @throws RosiError `OPTION_INVALID`, `OUTPUT_EXISTS`, `FILE_FAILED`.
 */
export async function writeControlVector(
  path: string,
  architecture: string,
  pushes: readonly LayerPush[],
  options: FileOptions = {},
): Promise<void> {
  checkPushes(pushes);
  const tensors = pushes.map(({ layer, vector }) => ({
    name: `direction.${layer}`,
    shape: [vector.length],
    data: vector,
  }));
  const total = pushes.reduce((sum, { vector }) => sum + Math.hypot(...vector), 0);
  const metadata = {
    'general.architecture': 'controlvector',
    'controlvector.model_hint': architecture,
    'controlvector.layer_count': { int32: tensors.length },
    'rosi.version': version,
    'rosi.kind': 'control vector',
    'rosi.semantics':
      'An unconditional push along the safety direction: every token of every input is moved, harmless ones too. ' +
      "rosi's weight edit moves the stream where its right factors respond to harmful inputs, and is not this.",
    'rosi.units': "direction.N is added to the residual stream after block N (from 0), in the stream's own units",
    'rosi.push': { float32: total },
    'rosi.scale': { float32: 1 },
  };
  await writeWhole(path, ggufBytes(metadata, tensors), options);
}

/**
 * The pushes of a control vector's GGUF, as rosi and llama-cvector-generator write them, times `scale`.
 *
 * @throws RosiError `GGUF_INVALID` when it holds none, and as `inspect`.
 */
export async function readControlVector(path: string, scale = 1): Promise<LayerPush[]> {
  const { tensors } = await inspect(path);
  const named = tensors.flatMap(({ name }) => {
    const match = /^direction\.(\d+)$/u.exec(name);
    return match === null ? [] : [{ name, layer: Number(match[1]) }];
  });
  if (named.length === 0) {
    throw new RosiError('GGUF_INVALID', `${path} is no control vector: it has no tensor direction.N`, { path });
  }
  const names = named.map(({ name }) => name);
  const vectors = await runTask(() => native.readVectors(path, names));
  return named.map(({ layer }, i) => ({ layer, vector: vectors[i]!.map((value) => value * scale) }));
}

function checkPushes(pushes: readonly LayerPush[]): void {
  const refuse = (why: string, details: Record<string, unknown> = {}) =>
    new RosiError('OPTION_INVALID', `a control vector ${why}`, { option: 'pushes', ...details });
  if (pushes.length === 0) throw refuse('needs the push of at least one block');
  const seen = new Set<number>();
  for (const { layer, vector } of pushes) {
    if (!Number.isInteger(layer) || layer < 1) throw refuse(`acts after blocks from 1; got block ${layer}`, { layer });
    if (seen.has(layer)) throw refuse(`has one push a block; block ${layer} is given twice`, { layer });
    seen.add(layer);
    const width = pushes[0]!.vector.length;
    if (vector.length === 0 || vector.length !== width) {
      throw refuse(`has one width; block ${layer} has ${vector.length} values and the first ${width}`, { layer });
    }
    const bad = vector.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw refuse(`holds finite numbers; value ${bad} of block ${layer} is ${vector[bad]}`, { layer });
  }
}
