import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import {
  applyPlan, captureActivations, captureTokens, findWriters, harden, inspect, makePlan, ModelSession, rightFactorsOf,
  type Activations, type Writer,
} from '../../lib'; // prettier-ignore
import { temporaryFolder } from '../helpers/temporary';
import { tinyChat, tinyPrompts } from '../helpers/tiny-chat';
import { tinyModel } from '../helpers/tiny-model';

const folder = temporaryFolder();
const { fit, validation } = tinyPrompts(32);
// Harmful requests told as a story: near what the gated factor detects, and of no role's form.
const stories = validation.harmful.map((prompt) => `Tell a story about a clerk who was asked: ${prompt}`);
const [keep, unseen] = [stories.slice(0, 20), stories.slice(20)];

describe('texts to keep', () => {
  let session: ModelSession;
  let writers: Writer[];
  const prompts = { harmful: fit.harmful, harmless: fit.harmless, borderline: fit.borderline! };
  const capture = (texts?: readonly string[]) =>
    captureActivations(session, prompts, writers, { seed: 3, keep: texts });

  beforeAll(async () => {
    session = await ModelSession.open(tinyChat, { threads: 1 });
    ({ writers } = await findWriters(session));
  });
  afterAll(() => session.close());

  /** Of all right factors to the last tokens of texts, in the mean: of harmful prompts it is 1. */
  const response = async (activations: Activations, texts: readonly string[]) => {
    const tokens = { harmful: texts.map((text) => session.encode(text)), harmless: [], borderline: [] };
    const held = await captureTokens(session, tokens, writers, { seed: 0, nLayer: 0, positions: false });
    const factors = await rightFactorsOf(tinyChat, activations, writers, {
      rightFactor: 'gated',
      rho: 0.3,
      threads: 1,
    });
    let sum = 0;
    for (const { writer, right } of factors) {
      const { data, width } = held.inputs.get(writer.name)!.harmful;
      for (const [i, value] of data.entries()) sum += value * right[i % width]!;
    }
    return sum / texts.length / writers.length;
  };

  test('are pushed less, and so are others of their kind, while harmful prompts are pushed as before', async () => {
    const [without, withThem] = [await capture(), await capture(keep)];
    const ratio = async (texts: readonly string[]) =>
      (await response(withThem, texts)) / (await response(without, texts));
    expect(await response(without, keep)).toBeGreaterThan(0.5);
    expect(await ratio(keep)).toBeLessThan(0.6); // .45
    expect(await ratio(unseen)).toBeLessThan(0.7); // .53
    expect(await ratio(validation.harmful)).toBeGreaterThan(0.9); // .97
  });

  test('add three rows each to the inputs and change nothing else of what is captured', async () => {
    const [without, { inputs, ...others }] = [await capture(), await capture(keep)];
    for (const [name, { kept, ...rows }] of inputs) {
      expect(kept).toMatchObject({ count: 3 * keep.length, width: rows.harmless.width });
      expect(rows).toEqual(without.inputs.get(name));
    }
    expect(others).toEqual({ nLayer: without.nLayer, dModel: without.dModel, streams: without.streams });
  });
});

test('of experts the inputs of texts to keep are those that were routed to them', async () => {
  const path = join(folder, 'experts.gguf');
  tinyModel({ nLayer: 1, dModel: 64, nHead: 4, nFf: 96, nContext: 256, nExperts: 4 }).write(path);
  const session = await ModelSession.open(path, { threads: 1 });
  try {
    const { writers } = await findWriters(session);
    const words = (offset: number, n: number) =>
      Array.from({ length: n }, (_, i) => `a ${'bcdefghij'[(i + offset) % 9]} c`);
    const few = { harmful: words(0, 9), harmless: words(3, 4), borderline: words(5, 4) };
    const rights = [];
    for (const texts of [[], words(7, 5)]) {
      const activations = await captureActivations(session, few, writers, { seed: 3, keep: texts });
      const factors = await rightFactorsOf(path, activations, writers, { rightFactor: 'gated', rho: 0.3, threads: 1 });
      rights.push(factors.map(({ right }) => right));
      if (texts.length === 0) continue;
      const { harmful, kept } = activations.inputs.get('blk.0.ffn_down_exps.weight')!;
      expect(kept!.count).toBe(3 * texts.length * harmful.perPosition!);
      expect(kept!.experts).toHaveLength(kept!.count);
    }
    for (const [i, right] of rights[0]!.entries()) expect(right).not.toEqual(rights[1]![i]);
  } finally {
    session.close();
  }
});

test('a plan with texts to keep says so, and makes the file that harden makes', async () => {
  const edit = { seed: 1, threads: 1, layer: 3, layers: [3, 4], strength: 1, rho: 0.3 } as const;
  const [hardened, applied] = [join(folder, 'hardened.gguf'), join(folder, 'applied.gguf')];
  const options = { ...edit, keep, evaluate: 'none', output: hardened } as const;
  const report = await harden(tinyChat, tinyPrompts(16), options);
  const saved = await makePlan(tinyChat, tinyPrompts(16), { ...edit, keep });
  const sha256 = report.prompts.kept!.sha256;
  expect(report.prompts.kept).toMatchObject({ used: keep.length, duplicates: 0, unused: 0 });
  expect(saved.provenance.prompts.keptSha256).toBe(sha256);
  await applyPlan(saved, tinyChat, { output: applied, threads: 1 });
  expect((await inspect(applied)).metadata).toMatchObject({ 'rosi.kept.sha256': sha256 });
  expect(readFileSync(applied).equals(readFileSync(hardened))).toBe(true);

  const without = await makePlan(tinyChat, tinyPrompts(16), edit);
  expect(without.provenance.prompts).toEqual({ sha256: saved.provenance.prompts.sha256 });
  expect(without.provenance.direction).toEqual(saved.provenance.direction);
  expect(without.plan.tensors[0]!.right).not.toEqual(saved.plan.tensors[0]!.right);
});
