import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { controlPushes, inspect, writeControlVector, type LayerPush } from '../../../lib';
import { randomFactors, samplePlan } from '../../helpers/plan';
import { folderPerTest } from '../../helpers/temporary';
import { floats, readGguf } from '../../helpers/tiny-gguf';

const folder = folderPerTest();
const at = (name: string) => join(folder(), name);
const { provenance } = samplePlan();
const { direction } = provenance;

/** A matrix whose left factor is `push` along the direction. */
const writer = (name: string, push: number) => ({
  ...randomFactors(name, 4, 6),
  left: direction.vector.map((value) => value * push),
});
const edit = { layer: 1, layers: [0, 3], schedule: 'equal', strength: 1.5, rightFactor: 'gated' } as const;
const length = (vector: Float32Array) => Math.hypot(...vector);

describe('controlPushes', () => {
  test('are the sums of what the writers of each block push', () => {
    const tensors = [
      writer('blk.3.ffn_down.weight', 6),
      writer('blk.1.attn_output.weight', 2),
      writer('blk.1.ffn_down.weight', 4),
    ];
    const pushes = controlPushes({ edit, tensors }, direction);
    expect(pushes.map(({ layer }) => layer)).toEqual([1, 3]);
    for (const { vector } of pushes) {
      direction.vector.forEach((value, i) => expect(vector[i]).toBeCloseTo(6 * value, 5));
    }
  });

  test('share the push as the plan does, however long the left factors must be for it', () => {
    const tensors = [
      { ...writer('blk.1.ffn_down.weight', 600), share: 0.25 },
      { ...writer('blk.2.ffn_down.weight', 0.1), share: 0.75 },
    ];
    const [one, two] = controlPushes({ edit, tensors }, direction);
    expect(length(one!.vector)).toBeCloseTo(0.25 * 1.5 * direction.distance, 4);
    expect(length(two!.vector)).toBeCloseTo(0.75 * 1.5 * direction.distance, 4);
  });

  test('put what belongs to block 0 after block 1', () => {
    const tensors = [writer('blk.0.ffn_down.weight', 3), writer('blk.1.ffn_down.weight', 9)];
    const pushes = controlPushes({ edit, tensors }, direction);
    expect(pushes).toHaveLength(1);
    expect(pushes[0]!.layer).toBe(1);
    expect(length(pushes[0]!.vector)).toBeCloseTo(12, 5);
  });

  test('add up to the distance for the mean-row factors, and to nothing at strength 0', () => {
    const tensors = [writer('blk.1.ffn_down.weight', 0.1), writer('blk.2.ffn_down.weight', 0.3)];
    const paper = controlPushes({ edit: { ...edit, rightFactor: 'mean-row' }, tensors }, direction);
    expect(paper.map(({ vector }) => length(vector) / direction.distance)).toEqual([
      expect.closeTo(0.25, 5),
      expect.closeTo(0.75, 5),
    ]);
    const none = [writer('blk.1.ffn_down.weight', 0)];
    const pushes = controlPushes({ edit: { ...edit, strength: 0 }, tensors: none }, direction);
    expect(pushes.map(({ vector }) => length(vector))).toEqual([0]);
  });
});

describe('writeControlVector', () => {
  const pushes = [2, 5].map((layer) => ({ layer, vector: Float32Array.of(3 * layer, 4 * layer) }));

  test('writes a tensor a block, and says what the file is', async () => {
    await writeControlVector(at('c.gguf'), 'qwen2', pushes);
    const { metadata } = await inspect(at('c.gguf'));
    expect(metadata).toMatchObject({
      'general.architecture': 'controlvector',
      'controlvector.model_hint': 'qwen2',
      'controlvector.layer_count': 2,
      'rosi.kind': 'control vector',
      'rosi.semantics': expect.stringMatching(/unconditional.*is not this/u) as unknown,
      'rosi.units': expect.stringMatching(/residual stream after block N/u) as unknown,
      'rosi.push': 35,
      'rosi.scale': 1,
    });
    const { tensors, entries } = readGguf(at('c.gguf'));
    expect([...tensors].map(([name, { type, shape, bytes }]) => [name, type, shape, floats(bytes)])).toEqual([
      ['direction.2', 'F32', [2], [6, 8]],
      ['direction.5', 'F32', [2], [15, 20]],
    ]);
    // llama.cpp's own tool writes an int32, type 5, there.
    const count = entries.find(({ key }) => key === 'controlvector.layer_count')!;
    expect(count.raw.readUInt32LE(count.raw.length - 8)).toBe(5);
  });

  const push = (layer: number, ...values: number[]): LayerPush => ({ layer, vector: Float32Array.from(values) });
  test.each([
    ['no blocks', []],
    ['block 0, which llama.cpp refuses', [push(0, 1)]],
    ['a block twice', [push(1, 1), push(1, 1)]],
    ['two widths', [push(1, 1), push(2, 1, 1)]],
    ['no values', [push(1)]],
    ['a value that is infinite', [push(1, Infinity)]],
  ])('refuses %s', async (_, wrong) => {
    await expect(writeControlVector(at('c.gguf'), 'llama', wrong)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    expect(existsSync(at('c.gguf'))).toBe(false);
  });
});
