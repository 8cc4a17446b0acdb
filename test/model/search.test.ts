import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { harden, makePlan, splitPrompts, type HardenReport, type RosiError, type SplitPrompts } from '../../lib';
import { roles, type Role } from '../../lib/prompts';
import { temporaryFolder } from '../helpers/temporary';
import { tinyChat, tinyPrompts } from '../helpers/tiny-chat';

const folder = temporaryFolder();
const cache = join(folder, 'cache');
const quick = { threads: 1, cache, trials: 10, evaluate: 'none' } as const;
const prompts = tinyPrompts();
const kept = () => {
  const trials = join(cache, 'trials');
  return readdirSync(trials).map((name) => readFileSync(join(trials, name), 'utf8'));
};

let report: HardenReport;
let output: string;
let seen: string[];
beforeAll(async () => {
  output = join(folder, 'chosen.gguf');
  report = await harden(tinyChat, prompts, { ...quick, output });
  seen = kept();
});

test('compares direction layers, tries edits, and has the chosen one and the Pareto front by number', () => {
  const { trials, front, edit } = report;
  expect(trials.map(({ number }) => number)).toEqual(trials.map((_, i) => i + 1));
  expect(trials.filter(({ phase }) => phase !== 'answers')).toHaveLength(10);
  expect(new Set(trials.filter(({ phase }) => phase === 'layers').map(({ layer }) => layer)).size).toBeGreaterThan(2);
  expect(trials.some(({ phase }) => phase === 'search')).toBe(true);
  const chosen = trials[edit.trial! - 1]!;
  const { layer, layers, schedule, strength } = edit;
  expect(chosen).toMatchObject({ layer, layers, schedule, strength, breaks: [] });
  expect(chosen.validated!.refused.harmful).toBeGreaterThan(report.searchedFrom!.validated.refused.harmful);
  expect(front.length).toBeGreaterThan(0);
  expect(front.map((number) => trials[number - 1]!.screening.kl)).toEqual(
    front.map((number) => trials[number - 1]!.screening.kl).sort((a, b) => a - b),
  );
  expect(report.separation).toHaveLength(report.model.nLayer);
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  expect(mean(report.projections.harmless)).toBeCloseTo(0);
  expect(mean(report.projections.harmful)).toBeCloseTo(1);
});

test('pick writes another trial without a new search: what the same edit gives that is told', async () => {
  const { trials, edit } = report;
  const other = trials.find(({ number, breaks }) => number !== edit.trial && breaks.length === 0)!;
  const stages: string[] = [];
  const picked = await makePlan(tinyChat, prompts, {
    ...quick,
    pick: other.number,
    onProgress: ({ stage }) => void stages.push(stage),
  });
  const { layer, layers, schedule, strength } = other;
  expect(picked.plan.edit).toMatchObject({ layer, layers, schedule, strength });
  // Known: what was read, the trials, and the original's answers.
  for (const stage of ['capture', 'factors', 'search', 'baseline']) expect(stages).not.toContain(stage);
  const given = { layer, layers, schedule, strength };
  const anew = await makePlan(tinyChat, prompts, { ...quick, ...given, cache: false });
  expect(picked.plan.tensors).toEqual(anew.plan.tensors);
  expect(kept()).toEqual(seen);
  const told = await makePlan(tinyChat, prompts, { ...quick, layer, layers, schedule, strength });
  expect(picked.plan).toEqual(told.plan);
  const none = makePlan(tinyChat, prompts, { ...quick, pick: 99 });
  await expect(none).rejects.toMatchObject({ code: 'OPTION_INVALID', details: { option: 'pick' } });
});

test('the same prompts in another order are asked again: what the original answered is kept by place', async () => {
  const all = (role: Role) => [prompts.fit, prompts.validation, prompts.test].flatMap((set) => set[role] ?? []);
  const loose = { harmful: all('harmful'), harmless: all('harmless'), borderline: all('borderline') };
  const { fit, validation, test, summary } = splitPrompts(loose, { seed: 0 });
  const split: SplitPrompts = { fit, validation, test };
  const again = splitPrompts(split, { seed: 0 });
  expect(again.summary.sha256).toBe(summary.sha256);
  expect(roles.some((role) => again.validation[role].join() !== validation[role].join())).toBe(true);
  const notes = async (given: typeof loose | SplitPrompts) => {
    const found = new Set<string | undefined>();
    const onProgress = ({ stage, note }: { stage: string; note?: string | undefined }) =>
      void (stage === 'search' && found.add(note));
    await makePlan(tinyChat, given, { ...quick, trials: 2, cache: join(folder, 'order'), onProgress });
    return found;
  };
  expect(await notes(loose)).toContain('the original');
  expect(await notes(loose)).not.toContain('the original');
  expect(await notes(split)).toContain('the original');
});

test('a target that no edit reaches within the bounds names the bound and the nearest trial, and writes nothing', async () => {
  const tight = { ...quick, targetHr: 1, maxKl: 0.0005, output: join(folder, 'none.gguf') };
  const error = await harden(tinyChat, prompts, tight).then(
    () => null,
    (reason: unknown) => reason as RosiError,
  );
  expect(error).toMatchObject({ code: 'TARGET_NOT_MET', details: { targetHr: 1, inTheWay: ['maxKl'] } });
  expect(error!.message).toMatch(
    /^no edit within the bounds refuses 100\.0 % of harmful validation prompts; trial \d+ /u,
  );
  expect(existsSync(tight.output)).toBe(false);
});

test('a target that is reached takes what costs least', async () => {
  const { plan } = await makePlan(tinyChat, prompts, { ...quick, targetHr: 0.8 });
  const chosen = report.trials.find(
    ({ strength, layer }) => strength === plan.edit.strength && layer === plan.edit.layer,
  );
  expect(chosen?.validated?.refused.harmful ?? 1).toBeGreaterThanOrEqual(0.8);
});

test('a budget ends the search, and counts what its earlier runs took', async () => {
  const short = { ...quick, trials: 1000, budget: 1.5, cache: join(folder, 'short') };
  const first = await harden(tinyChat, prompts, { ...short, output: join(folder, 'first.gguf') });
  expect(first.trials.length).toBeLessThan(40);
  const again = await harden(tinyChat, prompts, { ...short, output: join(folder, 'again.gguf') });
  expect(again.trials).toEqual(first.trials);
});
