import { RosiError } from '../../../lib/errors';
import { chooseByAnswers, type Targets } from '../../../lib/search/choose';
import { excesses, type Trial, type Validated } from '../../../lib/search/trial';
import type { Trials } from '../../../lib/search/trials';
import { sampleReport } from '../../helpers/report';

const free: Targets = {
  targetHr: null,
  strength: null,
  maxKl: 0.1,
  maxOverRefusal: 0.1,
  maxBenignLoss: 0.05,
  maxDegenerate: 0.02,
};
const few = { harmful: 32, harmless: 24, borderline: 32 };
const many = { harmful: 64, harmless: 64, borderline: 40 };
const original: Validated = {
  counts: few,
  refused: { harmful: 0.4, harmless: 0, borderline: 0.2 },
  benignCompliance: 1,
  degenerate: 0,
  score: 0,
};

/** What a trial of the layer answers at its strength: share of harmful and of borderline prompts refused, and its drift. */
type Law = (layer: number, strength: number) => { harmful: number; borderline: number; kl: number };

/** Trials that follow a law, of these layers at strength 1; `onAll` is what they answer to all prompts, where that differs. */
function trialsOf(layers: readonly number[], law: Law, targets: Targets, onAll: Law = law) {
  const all: Trial[] = [];
  const make = (layer: number, strength: number): Trial => {
    const { harmful, borderline, kl } = law(layer, strength);
    const refusal = { harmful, harmless: 0, borderline };
    const trial: Trial = {
      ...sampleReport().trials[0]!,
      number: all.length + 1,
      layer,
      strength,
      screening: { refusal, kl },
      score: harmful - 0.4 - Math.max(0, borderline - 0.2),
      breaks: kl > targets.maxKl ? ['maxKl'] : [],
    };
    delete trial.validated;
    all.push(trial);
    return trial;
  };
  const answered = (trial: Trial, counts: typeof few, how: Law) => {
    const { harmful, borderline } = how(trial.layer, trial.strength);
    const refused = { harmful, harmless: 0, borderline };
    const score = harmful - 0.4 - Math.max(0, borderline - 0.2);
    trial.validated = { ...original, counts, refused, score };
    trial.breaks = excesses(trial, original, targets).map(({ bound }) => bound);
    return Promise.resolve();
  };
  for (const layer of layers) make(layer, 1);
  const trials = {
    all,
    original: () => original,
    isSettled: ({ validated }: Trial) => validated?.counts === many,
    mayAnswer: true,
    isComplete: () => true,
    complete: () => Promise.resolve(),
    screen: ({ layer, strength }: Trial) => Promise.resolve(make(layer, strength)),
    answer: (trial: Trial) => answered(trial, few, law),
    answerRest: (trial: Trial) => answered(trial, many, onAll),
  };
  return trials as unknown as Trials;
}

const choose = (layers: readonly number[], law: Law, changes: Partial<Targets> = {}) => {
  const targets = { ...free, ...changes };
  return chooseByAnswers(trialsOf(layers, law, targets), targets);
};
const errorOf = (running: Promise<unknown>) =>
  running.then(
    () => null,
    (error: unknown) => error as RosiError,
  );

const better: Law = (layer, strength) => ({
  harmful: 0.5 + 0.1 * layer * strength,
  borderline: 0.2,
  kl: 0.02 * strength ** 2,
});

test('takes what refuses most within the bounds', async () => {
  expect(await choose([1, 2, 3], better)).toMatchObject({ layer: 3, strength: 1 });
  const costly: Law = (layer, strength) => ({ ...better(layer, strength), borderline: layer === 3 ? 0.35 : 0.2 });
  expect(await choose([1, 2, 3], costly)).toMatchObject({ layer: 2 });
  expect(await choose([1, 2, 3], costly, { maxOverRefusal: 0.2 })).toMatchObject({ layer: 2 }); // it costs what it gains
});

test('goes back while weaker edits cost less, and on to stronger ones for a target', async () => {
  const spent: Law = (_, strength) => ({ harmful: 0.9, borderline: 0.2 + 0.05 * strength, kl: 0.02 * strength ** 2 });
  const chosen = await choose([1], spent);
  expect(chosen.strength).toBeCloseTo(1 / 1.5 ** 2, 2);
  const reached = await choose([3], better, { targetHr: 0.9 });
  expect(reached.strength).toBeGreaterThan(1);
  expect(reached.validated!.refused.harmful).toBeGreaterThanOrEqual(0.9);
});

test('goes back as far as the bounds ask for', async () => {
  const law: Law = (_, strength) => ({
    harmful: 0.5 + 0.4 * strength,
    borderline: 0.2 + 0.3 * strength,
    kl: 0.02 * strength ** 2,
  });
  const chosen = await choose([1], law);
  expect(chosen.breaks).toEqual([]);
  expect(chosen.strength).toBeCloseTo(1 / 1.5 ** 3, 2);
});

test('of edits that reach the target it takes the one that costs least', async () => {
  const law: Law = (layer, strength) => ({ ...better(layer, strength), borderline: layer === 3 ? 0.28 : 0.2 });
  expect(await choose([2, 3], law)).toMatchObject({ layer: 3 });
  expect(await choose([2, 3], law, { targetHr: 0.7 })).toMatchObject({ layer: 2 });
});

describe('when nothing is good enough it says what was in the way', () => {
  test('a bound of the answers', async () => {
    const law: Law = (layer, strength) => ({ ...better(layer, strength), borderline: 0.5 });
    const error = await errorOf(choose([1, 2], law));
    expect(error).toMatchObject({
      code: 'TARGET_NOT_MET',
      details: { inTheWay: ['maxOverRefusal'], nearest: { layer: 2 } },
    });
    expect(error!.message).toMatch(/maxOverRefusal \(30\.0 %, at most 10\.0 %\)/u);
  });
  test('the KL bound, past which more is refused', async () => {
    const law: Law = (layer, strength) => ({
      harmful: 0.5 + 0.1 * strength,
      borderline: 0.2,
      kl: layer === 1 ? 0.09 * strength ** 2 : 0.3,
    });
    const targets = { ...free, targetHr: 0.95 };
    const trials = trialsOf(
      [1, 2],
      (layer, strength) => ({ ...law(layer, strength), harmful: layer === 2 ? 0.99 : law(layer, strength).harmful }),
      targets,
    );
    const error = await errorOf(chooseByAnswers(trials, targets));
    expect(error).toMatchObject({
      code: 'TARGET_NOT_MET',
      details: { targetHr: 0.95, inTheWay: ['maxKl'], nearest: { layer: 1 } },
    });
    expect(error!.message).toContain('maxKl, which trial 2 breaks and refuses more');
  });
  test('nothing but the edits themselves', async () => {
    const law: Law = () => ({ harmful: 0.6, borderline: 0.2, kl: 0.02 });
    const error = await errorOf(choose([1], law, { targetHr: 0.95 }));
    expect(error).toMatchObject({ code: 'TARGET_NOT_MET', details: { inTheWay: [] } });
  });
  test('no edit within the KL bound, or none that gains', async () => {
    const far: Law = () => ({ harmful: 1, borderline: 0.2, kl: 0.5 });
    expect(await errorOf(choose([1], far))).toMatchObject({ code: 'STRENGTH_NOT_FOUND', details: { least: 0.5 } });
    const idle: Law = () => ({ harmful: 0.41, borderline: 0.2, kl: 0.01 });
    expect(await errorOf(choose([1], idle))).toMatchObject({
      code: 'STRENGTH_NOT_FOUND',
      details: { refusedBefore: 0.4 },
    });
  });
});

describe('all prompts decide', () => {
  const law: Law = (layer, strength) => ({ ...better(layer, strength), kl: 0.02 });
  const onAll = (costly: (layer: number, strength: number) => boolean): Law => {
    return (layer, strength) => ({ ...law(layer, strength), borderline: costly(layer, strength) ? 0.35 : 0.2 });
  };
  test('who leads on a few of them and breaks a bound on all is not taken', async () => {
    const trials = trialsOf(
      [1, 2, 3],
      law,
      free,
      onAll((layer) => layer === 3),
    );
    const chosen = await chooseByAnswers(trials, free);
    expect(chosen).toMatchObject({ layer: 2, breaks: [], validated: { counts: many } });
    expect(trials.all.find(({ layer }) => layer === 3)!.breaks).toEqual(['maxOverRefusal']);
    expect(trials.all.find(({ layer }) => layer === 1)!.validated!.counts).toBe(few);
  });
  test('when all that lead break one, weaker edits are tried', async () => {
    const trials = trialsOf(
      [3],
      law,
      free,
      onAll((_, strength) => strength > 0.9),
    );
    expect((await chooseByAnswers(trials, free)).strength).toBeCloseTo(1 / 1.5, 2);
  });
});

test('a strength that was given is held to no bound', async () => {
  const law: Law = () => ({ harmful: 0.9, borderline: 0.9, kl: 3 });
  expect(await choose([1], law, { strength: 1 })).toMatchObject({ layer: 1, breaks: ['maxKl', 'maxOverRefusal'] });
});
