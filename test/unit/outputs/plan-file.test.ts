import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { readPlan, savePlan } from '../../../lib';
import { randomFactors, samplePlan } from '../../helpers/plan';
import { folderPerTest } from '../../helpers/temporary';

const folder = folderPerTest();
const at = (name: string) => join(folder(), name);

async function saved(changes = {}) {
  const { plan, provenance } = samplePlan(changes);
  await savePlan(at('plan.json'), plan, provenance);
  return { plan, provenance };
}

/** Saves the sample with one value changed; undefined removes it. */
async function withValue(place: string, value: unknown): Promise<string> {
  await saved();
  const content = JSON.parse(readFileSync(at('plan.json'), 'utf8')) as Record<string, unknown>;
  const keys = place.split('.');
  const last = keys.pop()!;
  const target = keys.reduce((inner, key) => inner[key] as Record<string, unknown>, content);
  if (value === undefined) delete target[last];
  else target[last] = value;
  writeFileSync(at('changed.json'), JSON.stringify(content));
  return at('changed.json');
}

test('a plan comes back as it was saved, every bit of it', async () => {
  const tensors = [
    randomFactors('blk.0.ffn_down.weight', 300, 7),
    randomFactors('blk.1.ffn_down_exps.weight', 5, 7, 3, 4),
    { name: 'extremes', left: Float32Array.of(-0, 1e-45, 3.4028234e38), right: Float32Array.of(1 / 3) },
    {
      ...randomFactors('blk.2.ffn_down_exps.weight', 5, 7, 3, 4),
      inputs: { meanSquares: new Float32Array(20).fill(0.5), responseRms: 0.25 },
      readout: new Float32Array(7).fill(-2),
      adapter: { ratio: -0.5, expertScale: new Float32Array(4).fill(3) },
    },
    { ...randomFactors('blk.3.ffn_down.weight', 5, 7, 3), adapter: null },
    { ...randomFactors('blk.4.ffn_down.weight', 5, 7, 3), adapter: { ratio: 2, expertScale: null } },
  ];
  const { plan, provenance } = await saved({ tensors });
  const back = await readPlan(at('plan.json'));
  expect(back).toEqual({ plan, provenance });
  expect(Object.is(back.plan.tensors[2]!.left[0], -0)).toBe(true);
  expect(JSON.parse(readFileSync(at('plan.json'), 'utf8'))).toMatchObject({
    format: 'rosi-plan',
    version: 1,
    tensors: [
      [300, 7],
      [5, 7, 4],
      [1, 3],
      [5, 7, 4],
      [5, 7],
      [5, 7],
    ].map((shape) => ({ shape })),
  });
});

test('vectors are base64 of little-endian float32', async () => {
  await saved({ tensors: [{ name: 't', left: Float32Array.of(1), right: Float32Array.of(-2) }] });
  expect(JSON.parse(readFileSync(at('plan.json'), 'utf8'))).toMatchObject({
    tensors: [{ left: 'AACAPw==', right: 'AAAAwA==' }], // 00 00 80 3f and 00 00 00 c0
  });
});

const floats = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer).toString('base64');

test.each<[string, object]>([
  ['inputs', {}],
  ['inputs.meanSquares', { inputs: { meanSquares: floats(1, 2), responseRms: 1 } }],
  ['inputs.meanSquares', { inputs: { meanSquares: floats(1, 2, 3, -1), responseRms: 1 } }],
  ['inputs.responseRms', { inputs: { meanSquares: floats(1, 2, 3, 4), responseRms: 0 } }],
  ['readout', { readout: floats(1) }],
  ['adapter.ratio', { adapter: {} }],
  ['adapter.expertScale', { adapter: { ratio: 1, expertScale: floats(1, 2) } }],
])('a wrong %s of a tensor is refused', async (place, change) => {
  await saved();
  const content = JSON.parse(readFileSync(at('plan.json'), 'utf8')) as { tensors: object[] };
  content.tensors[0] = { ...content.tensors[0], ...(place === 'inputs' ? { inputs: [] } : change) };
  writeFileSync(at('changed.json'), JSON.stringify(content));
  const where = expect.stringMatching(new RegExp(`^tensors\\[0\\]\\.${place}`, 'u')) as string;
  await expect(readPlan(at('changed.json'))).rejects.toMatchObject({ code: 'PLAN_INVALID', details: { where } });
});

test.each([
  ['format', 'other'],
  ['version', 2],
  ['rosi', 'a b'],
  ['source', null],
  ['source.sha256', 'A'.repeat(64)],
  ['source.architecture', '../x'],
  ['edit', []],
  ['edit.layer', -1],
  ['edit.layer', 1.5],
  ['edit.layers', [2, 1]],
  ['edit.layers', [1]],
  ['edit.schedule', 'random'],
  ['edit.rightFactor', 'toString'],
  ['edit.strength', '1'],
  ['edit.strength', undefined],
  ['direction.vector', 'AAAA'],
  ['direction.vector', ''],
  ['direction.vector', floats(NaN)],
  ['direction.distance', -1],
  ['direction.auroc', 2],
  ['prompts.sha256', undefined],
  ['prompts.keptSha256', null],
  ['settings.seed', 2 ** 32],
  ['settings.system', 5],
  ['tensors', []],
  ['tensors', {}],
  ['tensors.1.name', 'blk.0\u001b[2J'],
  ['tensors.1.name', 'x'.repeat(65)],
  ['tensors.1.shape', [10]],
  ['tensors.1.shape', [10, 0]],
  ['tensors.1.shape', [10, 6, 2]],
  ['tensors.1.shape', [2 ** 20, 6]],
  ['tensors.1.left', floats(1, 2, 3, 4, 5)],
  ['tensors.1.left', `${floats(1, 2, 3, 4, 5, 6).slice(0, -1)}*`],
  ['tensors.1.right', floats(...new Array<number>(9).fill(1), Infinity)],
  ['tensors.1.right', floats(...new Array<number>(10).fill(1)).replace('=', '')],
  ['tensors.1.right', null],
])('%s = %j is refused, naming the place', async (place, value) => {
  const path = await withValue(place, value);
  const where = place.replace(/\.(\d+)/gu, '[$1]');
  await expect(readPlan(path)).rejects.toMatchObject({
    code: 'PLAN_INVALID',
    // A shape that fits no factor shows at the factor.
    details: { path, where: expect.stringContaining(where.replace(/\.shape$/u, '')) as unknown },
  });
});

test('a tensor that comes twice is refused', async () => {
  const path = await withValue('tensors.1.name', 'blk.2.ffn_down.weight');
  await expect(readPlan(path)).rejects.toMatchObject({ code: 'PLAN_INVALID' });
});

test.each(['', '{', '[]', '3', 'null', '{"__proto__": {"format": "rosi-plan"}}'])(
  'a file that holds %j is refused',
  async (text) => {
    writeFileSync(at('x.json'), text);
    await expect(readPlan(at('x.json'))).rejects.toMatchObject({
      code: 'PLAN_INVALID',
      details: { path: at('x.json') },
    });
  },
);

test('a file that is too large is refused before it is read, and so is what is no file', async () => {
  writeFileSync(at('x.json'), '');
  truncateSync(at('x.json'), 2 ** 28 + 1);
  await expect(readPlan(at('x.json'))).rejects.toMatchObject({ code: 'PLAN_INVALID', details: { most: 2 ** 28 } });
  for (const path of [folder(), at('none'), '/dev/null']) {
    await expect(readPlan(path)).rejects.toMatchObject({ code: 'FILE_FAILED' });
  }
});
