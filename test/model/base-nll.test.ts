import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { evaluate, makePlan, ModelSession, plainSuite, type EvaluateOptions, type Progress } from '../../lib';
import { folderPerTest } from '../helpers/temporary';
import { tinyChat, tinyPrompts } from '../helpers/tiny-chat';

const ownFolder = folderPerTest();
const { test: prompts } = tinyPrompts(48);
const suites = [plainSuite('harmless', 'harmless', prompts.harmless.slice(0, 12))];
const fast = { threads: 1, maxTokens: 24, cache: false } satisfies EvaluateOptions;
const system = 'Refuse harm.';
const tooStrong = () => makePlan(tinyChat, tinyPrompts(), { threads: 1, layer: 3, strength: 12 });
const isNumber = (value: number | undefined): value is number => value !== undefined;

describe('the base model reads what every column answered', () => {
  test('after the prompt that the column had', async () => {
    const { suites: found } = await evaluate([tinyChat, { model: tinyChat, system }], suites, fast);
    const session = await ModelSession.open(tinyChat, { threads: 1 });
    try {
      const { request, answers } = found[0]!.rows[0]!;
      for (const [i, before] of [undefined, system].entries()) {
        const { text, baseNll } = answers[i]!;
        const group = { prefix: session.encode(request, before), options: [session.encodeText(text)] };
        const score = (await session.scoreContinuations([group]))[0]![0]!;
        expect(baseNll!.tokens).toBe(score.tokens);
        expect(baseNll!.mean).toBeCloseTo(-score.logLikelihood / score.tokens, 3);
      }
    } finally {
      session.close();
    }
    const { mean, highest } = found[0]!.results[0]!.baseNll!;
    const own = found[0]!.rows.map(({ answers }) => answers[0]!.baseNll?.mean).filter(isNumber);
    expect(mean).toBeCloseTo(own.reduce((sum, value) => sum + value, 0) / own.length, 12);
    expect(highest).toBe(Math.max(...own));
  });

  test('and finds what is left of an edit that is far too strong less likely, whichever comes first', async () => {
    const edited = { model: tinyChat, plan: await tooStrong() };
    const [one, other] = [
      await evaluate([tinyChat, edited], suites, fast),
      await evaluate([edited, tinyChat], suites, fast),
    ];
    const nats = ({ suites: [suite] }: typeof one) => suite!.results.map(({ baseNll }) => baseNll!.mean);
    expect(nats(one)[1]).toBeGreaterThan(nats(one)[0]! + 1);
    // The base is the file: what a plan adds to the first column does not read.
    expect(nats(other)[0]).toBeCloseTo(nats(one)[1]!, 3);
  });

  test('save what it wrote itself, which it scored on the way', async () => {
    const read = new Set<string>();
    const onProgress = ({ stage, note }: Progress) => void (stage === 'read' && note !== undefined && read.add(note));
    const { suites: found } = await evaluate([tinyChat, { model: tinyChat, system }], suites, { ...fast, onProgress });
    expect(read.size).toBe(0);
    const { baseNll, logLikelihood, tokens } = found[0]!.rows[0]!.answers[0]!;
    expect(baseNll).toEqual({ mean: -logLikelihood! / tokens, tokens });
    const without = await evaluate([tinyChat], suites, { ...fast, baseNll: false });
    expect(without.suites[0]!.rows[0]!.answers[0]).toMatchObject({ baseNll: null, logLikelihood: null });
  });

  test('once, and goes on where it was stopped', async () => {
    const cache = ownFolder();
    const many = [plainSuite('all', 'harmless', [...prompts.harmful, ...prompts.harmless])];
    const models = [tinyChat, { model: tinyChat, plan: await tooStrong() }];
    const controller = new AbortController();
    const stop = ({ stage, note }: Progress) =>
      stage === 'read' && note?.includes('answers 33 to 64') && controller.abort();
    await expect(
      evaluate(models, many, { ...fast, cache, signal: controller.signal, onProgress: (tick) => void stop(tick) }),
    ).rejects.toMatchObject({ code: 'ABORTED' });
    const notes = new Set<string>();
    const again = () =>
      evaluate(models, many, {
        ...fast,
        cache,
        onProgress: ({ stage, note }) => void (stage === 'read' && note !== undefined && notes.add(note)),
      });
    const after = await again();
    expect([...notes][0]).toMatch(/^tiny-chat\.Q8_0 \+ edit, answers 1 to 32 of \d+$/u);
    const read = notes.size;
    await again();
    expect(notes.size).toBe(read);
    expect(readdirSync(join(cache, 'base-nll'))).toHaveLength(1);
    expect(after.suites).toEqual((await evaluate(models, many, fast)).suites);
  });
});
