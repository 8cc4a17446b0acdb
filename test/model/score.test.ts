import { join } from 'node:path';

import { ModelSession, type ContinuationGroup, type DriftText, type Progress, type RunTimeEdit } from '../../lib';
import { divergence, logProbabilities } from '../../lib/first-token';
import { mean } from '../../lib/statistics';
import { kernels } from '../helpers/kernels';
import { temporaryFolder } from '../helpers/temporary';
import { tinyChat, tinyChatUncensored, tinyPrompts } from '../helpers/tiny-chat';
import { tinyMamba } from '../helpers/tiny-mamba';

const folder = temporaryFolder();
const threads = 1;
// Nats a token. The weights are float32, but keys and values are half: another batch sums them in another order.
const rounding = 0.02;

let session: ModelSession;
let edit: RunTimeEdit;
beforeAll(async () => {
  // Of quantised weights the engine rounds the inputs as well, which is 50 times as much.
  const float = join(folder, 'float.gguf');
  kernels._engineQuantize(tinyChat, float, 0, threads);
  session = await ModelSession.open(float, { threads });
  const left = Float32Array.from({ length: 256 }, (_, i) => 0.3 * Math.sin(i));
  const right = Float32Array.from({ length: 256 }, (_, i) => 0.3 * Math.cos(3 * i));
  edit = { adapter: session.loadAdapter([{ name: 'blk.3.attn_output.weight', left, right }]), scale: 1 };
});
afterAll(() => session.close());

const concat = (...parts: ArrayLike<number>[]) => Int32Array.from(parts.flatMap((part) => Array.from(part)));

/** Rows [texts, nVocab] of log-probabilities of the token after each text, each text run alone. */
async function rowsAfter(model: ModelSession, texts: Int32Array[], run?: RunTimeEdit): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  for (const text of texts) rows.push(logProbabilities(await model.nextTokenLogits([text], run)));
  return rows;
}

/** What score() should say of an option: token by token, each from a prompt of its own. */
async function stepByStep(model: ModelSession, prefix: Int32Array, option: Int32Array, run?: RunTimeEdit) {
  const texts = Array.from(option, (_, i) => concat(prefix, option.subarray(0, i)));
  const rows = await rowsAfter(model, texts, run);
  return {
    logLikelihood: rows.reduce((sum, row, i) => sum + row[option[i]!]!, 0),
    tokens: option.length,
    greedy: rows.every((row, i) => row.indexOf(Math.max(...row)) === option[i]),
  };
}

const encode = (text: string) => session.encodeText(text);
const questions = (): ContinuationGroup[] =>
  tinyPrompts(12).test.harmless.map((prompt, i) => ({
    prefix: session.encode(prompt),
    options: [' bread', ' I can not help with that.', ' It is near the river, next to the market.', ' a', ' The']
      .slice(0, 1 + (i % 5))
      .map(encode),
  }));

async function expectStepByStep(
  model: ModelSession,
  groups: ContinuationGroup[],
  tolerance: number,
  run?: RunTimeEdit,
) {
  const scores = await model.scoreContinuations(groups, run);
  expect(scores.map((of) => of.length)).toEqual(groups.map(({ options }) => options.length));
  const seen = new Set<number>();
  for (const [i, { prefix, options }] of groups.entries()) {
    for (const [j, option] of options.entries()) {
      const expected = await stepByStep(model, prefix, option, run);
      const score = scores[i]![j]!;
      expect(Math.abs(score.logLikelihood - expected.logLikelihood)).toBeLessThan(tolerance * option.length);
      expect({ tokens: score.tokens, greedy: score.greedy }).toEqual({
        tokens: expected.tokens,
        greedy: expected.greedy,
      });
      seen.add(Math.round(expected.logLikelihood / (4 * tolerance)));
    }
  }
  expect(seen.size).toBeGreaterThan(1); // or any answer would have been right
}

describe('scoreContinuations', () => {
  test('sums the log-softmax of each token', async () => {
    await expectStepByStep(session, questions(), rounding);
  });

  test('with an edit, which changes it', async () => {
    const groups = questions().slice(0, 4);
    await expectStepByStep(session, groups, rounding, edit);
    const [[plain], [edited]] = [
      await session.scoreContinuations(groups),
      await session.scoreContinuations(groups, edit),
    ];
    expect(plain![0]!.logLikelihood).not.toBe(edited![0]!.logLikelihood);
  });

  test('of what the model would write is greedy, and of what is one token off is not', async () => {
    const prefix = session.encode(tinyPrompts(1).test.harmless[0]!);
    let option = new Int32Array();
    for (let i = 0; i < 6; ++i) {
      const [row] = await rowsAfter(session, [concat(prefix, option)]);
      option = concat(option, [row!.indexOf(Math.max(...row!))]);
    }
    const off = option.map((token, i) => (i === 3 ? token + 1 : token));
    const [scores] = await session.scoreContinuations([{ prefix, options: [option, off] }]);
    expect(scores!.map(({ greedy }) => greedy)).toEqual([true, false]);
  });

  test.each([
    ['keys and values', () => session.path, rounding],
    ['recurrent state', () => tinyMamba().write(join(folder, 'recurrent.gguf')), 1e-4],
  ])('options of one prefix score as they do alone: %s', async (_, make, tolerance) => {
    const model = await ModelSession.open(make(), { threads });
    const tokens = (length: number, from: number) =>
      Int32Array.from({ length }, (_, i) => 3 + ((from + i * i * 7 + i) % 250));
    const shared = tokens(50, 11);
    const groups = Array.from({ length: 7 }, (_, i): ContinuationGroup => ({
      prefix: i === 6 ? tokens(9, 5) : concat(shared, tokens(1 + 3 * i, i)),
      // 40 options: more than run at once
      options: Array.from({ length: i === 2 ? 40 : i }, (_, j) => tokens(1 + ((i + j) % 5), 13 * j + i)),
    }));
    await expectStepByStep(model, groups, tolerance);
    const together = (await model.scoreContinuations(groups)).flat();
    const alone = groups.flatMap(({ prefix, options }) => options.map((option) => ({ prefix, options: [option] })));
    for (const [i, group] of alone.entries()) {
      const [[score]] = (await model.scoreContinuations([group])) as [[(typeof together)[number]]];
      expect(Math.abs(score.logLikelihood - together[i]!.logLikelihood)).toBeLessThan(tolerance * score.tokens);
    }
    model.close();
  });

  test('fills the context to its last token, and no further', async () => {
    const { nContext } = session.info;
    const prefix = Int32Array.from({ length: nContext - 2 }, (_, i) => 300 + (i % 1000));
    const options = [Int32Array.of(301, 302, 303)];
    await expectStepByStep(session, [{ prefix, options: [...options, Int32Array.of(5)] }], rounding);
    const beyond = [
      { prefix: Int32Array.of(1), options: [] },
      { prefix: concat(prefix, [300]), options },
    ];
    await expect(session.scoreContinuations(beyond)).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      details: { group: 1 },
    });
  });

  test.each<[string, Int32Array, Int32Array]>([
    ['no prefix', new Int32Array(), Int32Array.of(300)],
    ['an empty option', Int32Array.of(300), new Int32Array()],
    ['a token below the vocabulary', Int32Array.of(300), Int32Array.of(-1)],
    ['a token above it', Int32Array.of(2 ** 30), Int32Array.of(300)],
  ])('refuses %s', async (_, prefix, option) => {
    await expect(session.scoreContinuations([{ prefix, options: [option] }])).rejects.toMatchObject({
      name: 'RosiError',
      code: 'OPTION_INVALID',
      details: { group: 0 },
    });
  });

  test('of nothing is nothing', async () => {
    expect(await session.scoreContinuations([])).toEqual([]);
    expect(await session.scoreContinuations([{ prefix: Int32Array.of(300), options: [] }])).toEqual([[]]);
  });
});

describe('perplexity', () => {
  const text = () => encode(tinyPrompts(48).fit.harmless.join(' '));

  /** Log-likelihoods of `counted` of the tokens of each chunk, by hand. */
  async function byHand(tokens: Int32Array, starts: number[], context: number, counted: number, bos?: number) {
    const nll: number[] = [];
    for (const start of starts) {
      const chunk = tokens.slice(start, start + context);
      if (bos !== undefined) chunk[0] = bos;
      for (let i = context - counted; i < context; ++i) {
        const [row] = await rowsAfter(session, [chunk.subarray(0, i)]);
        nll.push(-row![chunk[i]!]!);
      }
    }
    return nll;
  }

  const bosOf = () => (session.info.addsBos ? session.encodeText('', true)[0] : undefined);

  test('is that of the second half of each chunk', async () => {
    const tokens = text().subarray(0, 2 * 32 + 5); // the last 5 are left over
    const nll = await byHand(tokens, [0, 32], 32, 15, bosOf());
    const result = await session.perplexity(tokens, { context: 32 });
    const expected = mean(nll);
    const variance = mean(nll.map((value) => (value - expected) ** 2));
    expect(result.tokens).toBe(30);
    expect(Math.abs(result.meanNll - expected)).toBeLessThan(rounding);
    expect(result.perplexity).toBe(Math.exp(result.meanNll));
    expect(result.standardError).toBeCloseTo(Math.sqrt(variance / 29), 2);
  });

  test('with a stride counts the end of each window', async () => {
    const tokens = text().subarray(0, 16 + 2 * 5 + 4);
    const nll = await byHand(tokens, [0, 5, 10], 16, 5, bosOf());
    const result = await session.perplexity(tokens, { context: 16, stride: 5 });
    expect(result.tokens).toBe(15);
    expect(Math.abs(result.meanNll - mean(nll))).toBeLessThan(rounding);
  });

  test('puts BOS at the start of each chunk where the vocabulary adds it', async () => {
    const model = await ModelSession.open(tinyMamba().write(join(folder, 'bos.gguf')), { threads });
    expect(model.info.addsBos).toBe(true);
    const tokens = Int32Array.from({ length: 16 }, (_, i) => 3 + ((i * 37) % 250));
    const bos = model.encodeText('', true);
    expect([...bos]).toEqual([1]);
    const at = (first: number) => model.perplexity(concat([first], tokens.subarray(1)), { context: 8 });
    expect(await at(tokens[0]!)).toEqual(await at(200));
    const chunk = [8, 0].map((start) => concat(bos, tokens.subarray(start + 1, start + 8)));
    const rows = await rowsAfter(
      model,
      chunk.flatMap((c) => [5, 6, 7].map((i) => c.subarray(0, i))),
    );
    const nll = mean(rows.map((row, i) => -row[chunk[Math.floor(i / 3)]![5 + (i % 3)]!]!));
    expect(Math.abs((await at(9)).meanNll - nll)).toBeLessThan(1e-4);
    model.close();
  });

  test('refuses what can not be counted', async () => {
    const tokens = text();
    const refused = { name: 'RosiError', code: 'OPTION_INVALID' };
    await expect(session.perplexity(tokens, { context: session.info.nContext + 1 })).rejects.toMatchObject(refused);
    await expect(session.perplexity(tokens, { context: 3 })).rejects.toMatchObject(refused);
    await expect(session.perplexity(tokens, { context: 16, stride: 16 })).rejects.toMatchObject(refused);
    await expect(session.perplexity(tokens.subarray(0, 31), { context: 32 })).rejects.toMatchObject({
      code: 'PROMPTS_INVALID',
      details: { tokens: 31, context: 32 },
    });
  });
});

describe('drift', () => {
  const texts = (): DriftText[] =>
    tinyPrompts(12).test.harmless.map((prompt, i) => {
      const tokens = session.encode(prompt);
      return { tokens: concat(tokens, encode(' It is near the river.').subarray(0, i)), from: tokens.length };
    });

  async function byHand(other: ModelSession, run?: RunTimeEdit) {
    const kl: number[] = [];
    let same = 0;
    for (const { tokens, from } of texts()) {
      for (let i = from; i < tokens.length; ++i) {
        const [p] = await rowsAfter(session, [tokens.subarray(0, i)]);
        const [q] = await rowsAfter(other, [tokens.subarray(0, i)], run);
        kl.push(divergence(p!, q!));
        same += p!.indexOf(Math.max(...p!)) === q!.indexOf(Math.max(...q!)) ? 1 : 0;
      }
    }
    return { kl: mean(kl), same };
  }

  test('of a model from itself is none', async () => {
    const drift = await session.drift(texts(), {});
    expect(drift).toMatchObject({ kl: 0, standardError: 0, agreement: { share: 1 } });
    expect(drift.tokens).toBe(drift.texts.reduce((sum, text) => sum + text.tokens, 0));
    expect(drift.texts[0]).toEqual({ kl: NaN, firstKl: NaN, agreement: NaN, tokens: 0 });
    const again = await ModelSession.open(session.path, { threads });
    expect((await session.drift(texts(), { session: again })).kl).toBe(0);
    again.close();
  });

  test('from an edit, and from another file, is what their rows say', async () => {
    const edited = await session.drift(texts(), { edit });
    const hand = await byHand(session, edit);
    expect(hand.kl).toBeGreaterThan(0.01);
    expect(Math.abs(edited.kl - hand.kl)).toBeLessThan(0.1 * hand.kl);
    expect(Math.abs(edited.agreement.count - hand.same)).toBeLessThanOrEqual(2);
    const other = await ModelSession.open(tinyChatUncensored, { threads });
    const file = await session.drift(texts(), { session: other });
    const handOther = await byHand(other);
    expect(Math.abs(file.kl - handOther.kl)).toBeLessThan(0.1 * handOther.kl);
    expect(file.kl).not.toBe((await other.drift(texts(), { session })).kl);
    other.close();
  });

  test('two ways at once between the same sessions', async () => {
    const other = await ModelSession.open(tinyChatUncensored, { threads });
    const [there, back] = await Promise.all([
      session.drift(texts(), { session: other }),
      other.drift(texts(), { session }),
    ]);
    expect(there.tokens).toBe(back.tokens);
    other.close();
  });

  test('of recurrent models', async () => {
    const model = await ModelSession.open(tinyMamba().write(join(folder, 'drift.gguf')), { threads });
    const tokens = Int32Array.from({ length: 40 }, (_, i) => 3 + ((i * 37) % 250));
    const both = [
      { tokens, from: 1 },
      { tokens: tokens.subarray(3), from: 20 },
    ];
    expect(await model.drift(both, {})).toMatchObject({ kl: 0, tokens: 39 + 17 });
    model.close();
  });

  test('refuses texts without a beginning, and models of another vocabulary', async () => {
    const tokens = Int32Array.of(300, 301);
    for (const from of [0, 3]) {
      const wrong = session.drift([texts()[1]!, { tokens, from }], {});
      await expect(wrong).rejects.toMatchObject({ code: 'OPTION_INVALID', details: { text: 1 } });
    }
    const other = await ModelSession.open(tinyMamba().write(join(folder, 'vocabulary.gguf')), { threads });
    await expect(session.drift(texts(), { session: other })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    other.close();
  });
});

test('calls stop when their signal says so, and report to their end otherwise', async () => {
  const long = Array.from({ length: 200 }, (_, i) =>
    Int32Array.from({ length: 300 }, (_, j) => 300 + ((i * j) % 1000)),
  );
  const groups = long.map((prefix) => ({ prefix, options: [Int32Array.of(5, 6)] }));
  const calls: [string, (model: ModelSession) => Promise<unknown>][] = [
    ['score', (model) => model.scoreContinuations(groups)],
    ['perplexity', (model) => model.perplexity(concat(...long), { context: 512 })],
    [
      'drift',
      (model) =>
        model.drift(
          long.map((tokens) => ({ tokens, from: 1 })),
          {},
        ),
    ],
  ];
  for (const [, call] of calls) {
    const controller = new AbortController();
    const stoppable = await ModelSession.open(tinyChat, { threads, signal: controller.signal });
    const begun = Date.now();
    setTimeout(() => controller.abort(), 100);
    await expect(call(stoppable)).rejects.toMatchObject({ code: 'ABORTED' });
    expect(Date.now() - begun).toBeLessThan(3000);
    stoppable.close();
  }
  const heard: Progress[] = [];
  const telling = await ModelSession.open(tinyChat, { threads, onProgress: (progress) => heard.push(progress) });
  await telling.scoreContinuations(questions());
  await telling.perplexity(long[0]!, { context: 64 });
  await telling.drift([{ tokens: long[0]!, from: 1 }], {});
  telling.close();
  for (const [stage] of calls) {
    const done = heard.filter((progress) => progress.stage === stage).map((progress) => progress.done);
    expect(done.at(-1)).toBe(1);
    expect(done).toEqual([...done].sort((a, b) => a - b));
  }
});
