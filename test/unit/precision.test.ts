import { isFaithful, requireFidelity, type Fidelity } from '../../lib/fidelity';
import type { Inspection, PlannedTensor } from '../../lib/native';
import type { UpdatePlan } from '../../lib/plan';
import { affordableRanges, leastGrowth, promoteNoisy, requiredTypes } from '../../lib/precision';
import { writer } from '../helpers/command';

const tensor = (name: string, type: string, bytes: number, nOut = 64, canUpdate = true) => ({
  name,
  type,
  shape: [256, nOut],
  offset: 0,
  bytes,
  canUpdate,
});
// 256 x 64 weights: 17408 bytes in Q8_0, 32768 in F16.
const file: Inspection = {
  version: 3,
  alignment: 32,
  fileBytes: 1_000_000,
  infosOffset: 0,
  dataOffset: 100,
  metadata: {},
  tensors: [
    tensor('a', 'Q4_K', 9216),
    tensor('b', 'Q4_K', 9216),
    tensor('wide', 'Q4_K', 36864, 256),
    tensor('eight', 'Q8_0', 17408),
    tensor('coded', 'IQ3_S', 7040, 64, false),
    tensor('odd', 'IQ4_NL', 9180, 64, false),
    tensor('half', 'BF16', 32768),
    tensor('full', 'F32', 65536),
  ],
};
const planOf = (...names: string[]): UpdatePlan => ({
  edit: { layer: 0, layers: [0, 1], schedule: 'equal', strength: 1, rightFactor: 'gated' },
  tensors: names.map((name): PlannedTensor => ({ name, left: new Float32Array(64), right: new Float32Array(256) })),
});
/** As an update reports it. */
const realisedOf = (noise: ReadonlyMap<string, number | null>) =>
  [...noise].map(([name, noiseToSignal]) => ({ name, realised: { noiseToSignal } }));
const typesOf = ({ plan }: { plan: UpdatePlan }) =>
  Object.fromEntries(plan.tensors.map(({ name, type }) => [name, type]));

describe('requiredTypes', () => {
  test('leaves tensors that can be updated in their own type', () => {
    const { plan, promotions } = requiredTypes(file, planOf('a', 'wide', 'eight'), 0);
    expect(promotions).toEqual([]);
    expect(plan).toEqual(planOf('a', 'wide', 'eight'));
  });
  test('writes the others in Q8_0', () => {
    const precision = requiredTypes(file, planOf('a', 'coded'), 0.02);
    expect(typesOf(precision)).toEqual({ a: undefined, coded: 'Q8_0' });
    expect(precision.promotions).toEqual([
      { name: 'coded', from: 'IQ3_S', to: 'Q8_0', bytes: 17408 - 7040, noiseToSignal: null },
    ]);
  });
  test('says which growth would do', () => {
    const refused = {
      code: 'TENSOR_UNSUPPORTED',
      details: expect.objectContaining({ tensor: 'coded', type: 'IQ3_S', bytes: 18596, least: 0.019 }) as unknown,
    };
    expect(() => requiredTypes(file, planOf('a', 'coded', 'odd'), 0.01)).toThrow(expect.objectContaining(refused));
    expect(requiredTypes(file, planOf('a', 'coded', 'odd'), 0.019).promotions).toHaveLength(2);
  });
});

describe('promoteNoisy', () => {
  const noise = new Map<string, number | null>([
    ['a', 2],
    ['b', 3],
    ['wide', 3.1],
    ['eight', 0.6],
    ['coded', null],
  ]);
  const required = requiredTypes(file, planOf('a', 'b', 'wide', 'eight', 'coded'), 1);
  const promoted = (maxGrowth: number, map = noise) =>
    promoteNoisy(file, required, realisedOf(map), maxGrowth).promotions.map(({ name, to }) => `${name} ${to}`);

  test('takes what loses the most noise for its bytes first, within the budget', () => {
    expect(promoted(0.011)).toEqual(['coded Q8_0']);
    expect(promoted(0.019)).toEqual(['coded Q8_0', 'b Q8_0']);
    expect(promoted(0.03)).toEqual(['coded Q8_0', 'b Q8_0', 'a Q8_0']);
    expect(promoted(1)).toEqual(['coded Q8_0', 'b Q8_0', 'a Q8_0', 'wide Q8_0', 'eight F16']);
  });
  test('never writes a float in fewer bits, and leaves what has no wider type', () => {
    const floats = requiredTypes(file, planOf('half', 'full'), 1);
    const loud = new Map([['half', 0.7], ['full', 0.9]]); // prettier-ignore
    expect(promoteNoisy(file, floats, realisedOf(loud), 1).promotions).toEqual([
      { name: 'half', from: 'BF16', to: 'F32', bytes: 32768, noiseToSignal: 0.7 },
    ]);
  });
  test('leaves what is quiet', () => {
    expect(
      promoted(
        1,
        new Map([
          ['a', 0.5],
          ['b', 0.49],
        ]),
      ),
    ).toEqual(['coded Q8_0']);
  });
});

describe('affordableRanges', () => {
  const writers = ['a', 'coded', 'odd', 'b'].map((name, layer) => ({ ...writer, name, layer }));
  const ranges = [
    [0, 3],
    [1, 2],
    [2, 3],
    [3, 3],
  ] as const;
  const allowed = (maxGrowth: number, some: readonly (readonly [number, number])[] = ranges) =>
    affordableRanges(file, writers, some, maxGrowth);
  test('leaves those whose writers can be written', () => {
    expect(allowed(0)).toEqual([[3, 3]]);
    expect(allowed(0.009)).toEqual([
      [2, 3],
      [3, 3],
    ]);
    expect(allowed(0.019)).toEqual(ranges);
  });
  test('refuses before the work when there is none, with what the cheapest needs', () => {
    const refused = { code: 'TENSOR_UNSUPPORTED', details: expect.objectContaining({ least: 0.009 }) as unknown };
    expect(() => allowed(0.005, ranges.slice(0, 3))).toThrow(expect.objectContaining(refused));
  });
  test('says what growth all would need', () => {
    expect(leastGrowth(file, writers)).toBe(0.019);
    expect(leastGrowth(file, writers.slice(0, 1))).toBe(0);
  });
});

describe('fidelity', () => {
  const good: Fidelity = {
    shift: { exact: 1.5, file: 1.45 },
    refusal: { original: 0.3, exact: 0.7, file: 0.66 },
    kl: 0.01,
  };
  test('is enough within the bounds', () => {
    expect(isFaithful(good)).toBe(true);
    expect(() => requireFidelity(good, 0)).not.toThrow();
    expect(isFaithful({ ...good, shift: { exact: 0.02, file: 0.06 } })).toBe(true); // of a quarter distance
    expect(isFaithful({ ...good, refusal: { ...good.refusal, file: 0.9 } })).toBe(true);
  });
  test.each<[string, Partial<Fidelity>, RegExp]>([
    ['a shift that is lost', { shift: { exact: 1.5, file: 1 } }, /1\.00 instead of 1\.50 distances/u],
    ['a shift that is too far', { shift: { exact: 1.5, file: 2.1 } }, /2\.10 instead of 1\.50/u],
    ['refusals that are lost', { refusal: { ...good.refusal, file: 0.55 } }, /refused with 0\.55 instead of 0\.70/u],
    ['drift', { kl: 0.06 }, /0\.060 nats/u],
    ['a drift that is no number', { kl: NaN }, /NaN nats/u],
    ['a shift that is no number', { shift: { exact: 1.5, file: NaN } }, /NaN instead of 1\.50/u],
    ['refusals that are no number', { refusal: { ...good.refusal, file: NaN } }, /NaN instead of 0\.70/u],
  ])('%s is an error that says what to allow', (_, change, pattern) => {
    const fidelity = { ...good, ...change };
    expect(isFaithful(fidelity)).toBe(false);
    expect(() => requireFidelity(fidelity, 0.02)).toThrow(pattern);
    expect(() => requireFidelity(fidelity, 0.02)).toThrow(/more growth than 2 %.*LoRA/u);
    expect(() => requireFidelity(fidelity, 0.02)).toThrow(expect.objectContaining({ code: 'UPDATE_LOST' }));
  });
});
