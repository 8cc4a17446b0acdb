// Models of random weights in which something stands between the writers and the stream: the update that is planned is
// the one that arrives, as a run-time adapter and in the file.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  applyUpdate, captureActivations, chooseDirection, findWriters, ModelSession, planUpdate, pushesOf, rightFactorsOf,
  type Activations, type Direction, type PlannedTensor, type Push, type RightFactor, type RunTimeEdit, type UpdatePlan, type Writer,
} from '../../lib'; // prettier-ignore
import type { RankOneFactors } from '../../lib/native';
import { adapterOf } from '../../lib/push';
import { withEdit } from '../../lib/trial-edit';
import { distance } from '../helpers/logits';
import { tinyModel, type TinyModelOptions } from '../helpers/tiny-model';

const folder = mkdtempSync(join(tmpdir(), 'rosi-push-'));
afterAll(() => rmSync(folder, { recursive: true }));

const nLayer = 2;
const size = { nLayer, dModel: 64, nHead: 4, nFf: 96, nContext: 256 };
const words = (n: number, seed: number) =>
  Array.from({ length: n }, (_, i) =>
    Array.from({ length: 6 }, (_, j) => 'abcdefghij'[(seed + 7 * i + 3 * j * j + ((i * j) % 5)) % 10]).join(' '),
  );
const fit = { harmful: words(16, 1), harmless: words(16, 4).map((text) => `${text} z`), borderline: words(8, 7) };
const harmfulTokens = (session: ModelSession) => fit.harmful.map((prompt) => session.encode(prompt));
const strength = 0.3; // far above rounding, and far below what a norm bounds

const models: [what: string, model: TinyModelOptions, classes: Writer['class'][]][] = [
  ['nothing stands between', { ...size }, ['direct', 'direct']],
  [
    'the residual is scaled (granite)',
    {
      ...size,
      architecture: 'granite',
      metadata: { '@.residual_scale': { float32: 0.22 }, '@.logit_scale': { float32: 4 } },
    },
    ['constant', 'constant'],
  ],
  ['norms follow (gemma2)', { ...size, architecture: 'gemma2', postNorms: true }, ['post-norm', 'post-norm']],
  ['experts write (llama)', { ...size, nExperts: 4 }, ['direct', 'expert']],
  [
    'a gated shared expert writes, too (qwen2moe)',
    {
      ...size,
      architecture: 'qwen2moe',
      nExperts: 4,
      sharedExpert: true,
      head: true,
      metadata: {
        '@.expert_feed_forward_length': { uint32: 96 },
        '@.expert_shared_feed_forward_length': { uint32: 96 },
      },
    },
    ['direct', 'expert', 'gate'],
  ],
];

describe.each(models)('where %s', (what, model, classes) => {
  const path = join(folder, `${what}.gguf`);
  let session: ModelSession;
  let writers: Writer[];
  let activations: Activations;
  let direction: Direction;

  beforeAll(async () => {
    tinyModel(model).write(path);
    session = await ModelSession.open(path, { threads: 1 });
    ({ writers } = await findWriters(session));
    activations = await captureActivations(session, fit, writers, { seed: 3 });
    direction = chooseDirection(activations, nLayer - 1);
  });
  afterAll(() => session.close());

  const pushes = async (rightFactor: RightFactor): Promise<Push[]> => {
    const factors = await rightFactorsOf(path, activations, writers, { rightFactor, rho: 1, threads: 1 });
    return pushesOf(session, activations, factors, harmfulTokens(session));
  };
  const plan = (some: Push[], edit: { rightFactor: RightFactor; strength: number }): UpdatePlan =>
    planUpdate(activations, direction, some, {
      layer: nLayer - 1,
      layers: [0, nLayer - 1],
      schedule: 'equal',
      ...edit,
    });
  /** Mean change of the stream after the last block along the direction, in units of what was asked for. */
  const arrived = async (edited: ModelSession, edit?: RunTimeEdit) => {
    const request = { streams: true, writers: [], ...(edit && { edit }) };
    const { streams, dModel } = await edited.capture(harmfulTokens(edited), request);
    const before = activations.streams.harmful;
    let sum = 0;
    for (let prompt = 0; prompt < before.count; ++prompt)
      for (let j = 0; j < dModel; ++j) {
        const at = (prompt * nLayer + nLayer - 1) * dModel + j;
        sum += (streams[at]! - before.data[at]!) * direction.vector[j]!;
      }
    return sum / before.count / (strength * direction.distance);
  };

  test(`the writers are ${classes.join(', ')}`, () => {
    expect(writers.filter(({ layer }) => layer === 1).map((writer) => writer.class)).toEqual(classes);
  });

  test.each(classes.slice(1).map((kind, i) => [kind, i + 1] as const))(
    'the push of a writer of the last block arrives in full (%s, %i)',
    async (_, index) => {
      const all = await pushes('gated');
      const one = all.filter(({ writer }) => writer.layer === 1).slice(index, index + 1);
      const planned = plan(one, { rightFactor: 'gated', strength });
      expect(planned.tensors).toHaveLength(1);
      await withEdit(session, planned, {}, async (edited, edit) => {
        expect(edit).toBeDefined();
        expect(await arrived(edited, edit)).toBeCloseTo(1, 2); // second order in the strength
      });
      const output = join(folder, 'edited.gguf');
      await applyUpdate(path, planned, { output, overwrite: true });
      const hardened = await ModelSession.open(output, { threads: 1 });
      expect(await arrived(hardened)).toBeCloseTo(1, 2);
      hardened.close();
    },
  );

  test('the factors of one matrix add up', async () => {
    const factors = adapterOf(plan(await pushes('gated'), { rightFactor: 'gated', strength: 100 }).tensors)!;
    const parts = (values: Float32Array) => {
      const some = values.map((value, i) => value * Math.sin(i));
      return [some, values.map((value, i) => value - some[i]!)];
    };
    const split = factors.flatMap((one) =>
      parts(one.left).flatMap((left) => parts(one.right).map((right) => ({ ...one, left, right }))),
    );
    const logits = (some?: RankOneFactors[]) =>
      session.nextTokenLogits(harmfulTokens(session), some && { adapter: session.loadAdapter(some), scale: 1 });
    const [original, whole] = [await logits(), await logits(factors)];
    expect(distance(await logits(split), whole)).toBeLessThan(1e-4 * distance(original, whole)); // rounding of float32
  });

  test('a push that a constant turns round is written in eight bits, too', async () => {
    const all = (await pushes('gated')).map((push) => ({ ...push, reach: -push.reach }));
    const output = join(folder, 'turned.gguf');
    const planned = plan(all, { rightFactor: 'gated', strength });
    const tensors = planned.tensors.map((tensor): PlannedTensor => ({ ...tensor, type: 'Q8_0' }));
    const written = await applyUpdate(path, { ...planned, tensors }, { output, overwrite: true });
    for (const { realised } of written.tensors) expect(realised.gain).toBeCloseTo(1, 1);
  });

  test('adapter and file say the same of all writers at once, for the right factors of the paper, too', async () => {
    for (const edit of [
      { rightFactor: 'gated', strength: 100 }, // an effect far above what processors round differently
      { rightFactor: 'mean-row', strength: 100 },
    ] as const) {
      const all = await pushes(edit.rightFactor);
      const planned = plan(all, edit);
      const logits = await withEdit(session, planned, {}, (edited, edit) =>
        edited.nextTokenLogits(harmfulTokens(edited), edit),
      );
      const ignored = { ...planned, tensors: planned.tensors.map((tensor) => ({ ...tensor, adapter: null })) };
      expect(adapterOf(ignored.tensors)).toBeNull();
      const ofCopy = await withEdit(session, ignored, {}, async (edited, edit) => {
        expect(edit).toBeUndefined();
        expect(edited).not.toBe(session);
        return edited.nextTokenLogits(harmfulTokens(edited));
      });
      const original = await session.nextTokenLogits(harmfulTokens(session));
      expect(distance(logits, ofCopy)).toBeLessThan(2e-3 * distance(logits, original));
    }
  });
});
