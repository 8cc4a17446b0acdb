import { readFile, stat } from 'node:fs/promises';

import { RosiError, toRosiError } from '../errors';
import type { UpdatePlan } from '../plan';
import { version } from '../version';
import { checkFactors } from './checked-factors';
import { floatBytes } from './little-endian';
import { parsePlan } from './plan-parser';
import { largestPlan, planFormat, type PlanProvenance, type SavedPlan } from './saved-plan';
import { type FileOptions, writeWhole } from './whole-file';

/**
 * Writes a plan as JSON, its vectors as base64 of little-endian float32.
 *
 * @throws RosiError `OPTION_INVALID`, `OUTPUT_EXISTS`, `FILE_FAILED`.
 */
export async function savePlan(
  path: string,
  plan: UpdatePlan,
  provenance: Omit<PlanProvenance, 'rosi'>,
  options: FileOptions = {},
): Promise<void> {
  const { source, direction, prompts, settings } = provenance;
  const shapes = checkFactors(plan.tensors);
  const tensors = plan.tensors.map(({ name, left, right, inputs, readout, share, adapter }, i) => {
    const { nIn, nOut, nExperts } = shapes[i]!;
    return {
      name,
      shape: nExperts > 1 ? [nIn, nOut, nExperts] : [nIn, nOut],
      left: base64(left),
      right: base64(right),
      ...(inputs && {
        inputs: { meanSquares: base64(inputs.meanSquares), responseRms: inputs.responseRms },
      }),
      ...(share !== undefined && { share }),
      ...(readout && { readout: base64(readout) }),
      ...(adapter !== undefined && {
        adapter: adapter && { ...adapter, expertScale: adapter.expertScale && base64(adapter.expertScale) },
      }),
    };
  });
  const size = tensors.reduce(
    (sum, { left, right, inputs, readout }) =>
      sum + left.length + right.length + (inputs?.meanSquares.length ?? 0) + (readout?.length ?? 0),
    0,
  );
  if (size > largestPlan) {
    throw tooLarge(size);
  }
  const content = {
    ...planFormat,
    rosi: version,
    source,
    edit: plan.edit,
    direction: { ...direction, vector: base64(direction.vector) },
    prompts,
    settings,
    tensors,
  };
  const text = Buffer.from(`${JSON.stringify(content, null, 1)}\n`);
  if (text.length > largestPlan) throw tooLarge(text.length);
  await writeWhole(path, [text], options);
}

function tooLarge(bytes: number): RosiError {
  return new RosiError(
    'OPTION_INVALID',
    `the plan takes ${bytes} bytes, and a plan file at most ${largestPlan}: edit fewer blocks, or write the GGUF itself`,
    { option: 'plan', bytes, most: largestPlan },
  );
}

/**
 * Reads a plan file and checks all of it.
 *
 * @throws RosiError `PLAN_INVALID` with where in the file and what was expected there, `FILE_FAILED`.
 */
export async function readPlan(path: string): Promise<SavedPlan> {
  const text = await readText(path);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new RosiError('PLAN_INVALID', `${path} is no JSON: ${(cause as Error).message}`, { path }, { cause });
  }
  return parsePlan(path, content);
}

async function readText(path: string): Promise<string> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw new RosiError('FILE_FAILED', `${path} is no file`, { path });
    if (found.size > largestPlan) {
      throw new RosiError('PLAN_INVALID', `${path} has ${found.size} bytes; a plan has at most ${largestPlan}`, {
        path,
        bytes: found.size,
        most: largestPlan,
      });
    }
    return await readFile(path, 'utf8');
  } catch (error) {
    throw toRosiError(error);
  }
}

function base64(values: Float32Array): string {
  return floatBytes(values).toString('base64');
}
