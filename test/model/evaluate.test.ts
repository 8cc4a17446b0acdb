import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import {
  declines,
  evaluate,
  harden,
  makePlan,
  plainSuite,
  rulesJudge,
  type ChoiceTask,
  type EvaluateOptions,
  type Judge,
  type Progress,
} from '../../lib';
import { folderPerTest, temporaryFolder } from '../helpers/temporary';
import { tinyChat, tinyPrompts } from '../helpers/tiny-chat';

const folder = temporaryFolder();
const ownFolder = folderPerTest();
const { test: prompts } = tinyPrompts(48);
const suites = [
  plainSuite('harmful', 'harmful', prompts.harmful),
  plainSuite('harmless', 'harmless', prompts.harmless),
  plainSuite('borderline', 'borderline', prompts.borderline!),
];
const fast = { threads: 1, maxTokens: 24, cache: false } satisfies EvaluateOptions;
const few = [plainSuite('harmful', 'harmful', prompts.harmful.slice(0, 6))];
const edit = { threads: 1, layer: 3, strength: 1.5 };

describe('evaluate on the tiny chat model', () => {
  test('shows original, safety prompt, run-time edit and file side by side', async () => {
    const output = join(folder, 'hardened.gguf');
    await harden(tinyChat, tinyPrompts(), { ...edit, output, evaluate: 'none' });
    const plan = await makePlan(tinyChat, tinyPrompts(), edit);
    const found = await evaluate(
      [
        tinyChat,
        output,
        { model: tinyChat, plan },
        { model: tinyChat, name: 'asked to refuse', system: 'Refuse harm.' },
      ],
      suites,
      fast,
    );
    expect(found.models.map(({ name }) => name)).toEqual([
      'tiny-chat.Q8_0',
      'hardened',
      'tiny-chat.Q8_0 + edit',
      'asked to refuse',
    ]);
    const [harmful, harmless] = found.suites;
    const refused = harmful!.results.map(({ tallies }) => tallies[0]!.declined.share);
    expect(refused[1]!).toBeGreaterThan(refused[0]! + 0.1);
    expect(refused[2]!).toBeGreaterThan(refused[0]! + 0.1);
    expect(harmless!.results.map(({ tallies }) => tallies[0]!.met.share)[1]).toBeGreaterThan(0.9);
    const { shifts, tallies } = harmful!.results[1]!;
    expect(shifts![0]!.gained - shifts![0]!.lost).toBe(
      tallies[0]!.declined.count - harmful!.results[0]!.tallies[0]!.declined.count,
    );
    // Of the same edit, at run time and in the file; none with another prompt.
    const drifts = harmless!.results.map(({ drift }) => drift);
    expect([drifts[0], drifts[3], harmful!.results[1]!.drift]).toEqual([null, null, null]);
    expect(drifts[1]!.kl).toBeGreaterThan(1e-4);
    expect(Math.abs(drifts[1]!.kl / drifts[2]!.kl - 1)).toBeLessThan(0.1);
    expect(drifts[1]!.agreement.share).toBeGreaterThan(0.9);
    expect(harmful!.results[3]!.tokens.prompt).toBeGreaterThan(harmful!.results[0]!.tokens.prompt + 2);
    expect(harmful!.rows).toHaveLength(prompts.harmful.length);
  });

  test('without the base model reading them, answers are labelled by what they say', async () => {
    const two = [tinyChat, { model: tinyChat, name: 'asked to refuse', system: 'Refuse harm.' }];
    const stages: string[] = [];
    const onProgress = ({ stage }: Progress) => void stages.push(stage);
    const found = await evaluate(two, few, { ...fast, baseNll: false, onProgress });
    const read = await evaluate(two, few, fast);
    expect(found.suites[0]!.results.map(({ baseNll }) => baseNll)).toEqual([null, null]);
    expect(read.suites[0]!.results[0]!.baseNll!.mean).toBeGreaterThan(0);
    expect(found.suites[0]!.results.map(({ tallies }) => tallies)).toEqual(
      read.suites[0]!.results.map(({ tallies }) => tallies),
    );
    expect(stages).not.toContain('read');
    await expect(evaluate([tinyChat], few, { ...fast, baseNll: 1 as unknown as boolean })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      details: { option: 'baseNll' },
    });
  });

  test('a second run generates nothing and finds the same', async () => {
    const cache = ownFolder();
    const stages: string[] = [];
    const note = ({ stage }: Progress) => void stages.push(stage);
    const first = await evaluate([tinyChat], few, { ...fast, cache });
    const second = await evaluate([tinyChat], few, { ...fast, cache, onProgress: note });
    expect(second.suites).toEqual(first.suites);
    expect([...new Set(stages)]).toEqual(['hash']);
  });

  test('answers of other settings, of another model or system prompt are not taken for these', async () => {
    const cache = ownFolder();
    const copy = join(folder, 'copy.gguf');
    const bytes = readFileSync(tinyChat);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(copy, bytes);
    const files = () => readdirSync(join(cache, 'answers')).length;
    await evaluate([tinyChat], few, { ...fast, cache });
    expect(files()).toBe(1);
    await evaluate([tinyChat], few, { ...fast, cache, maxTokens: 8 });
    await evaluate([{ model: tinyChat, system: 'Hm.' }], few, { ...fast, cache });
    await evaluate([copy], few, { ...fast, cache });
    expect(files()).toBe(4);
  });

  test('goes on where it was stopped, with the same result as without a stop', async () => {
    const cache = ownFolder();
    const many = [plainSuite('all', 'harmful', [...prompts.harmful, ...prompts.harmless, ...prompts.borderline!])];
    const controller = new AbortController();
    const stop = ({ stage, note }: Progress) =>
      stage === 'answer' && note?.includes('answers 49 to 96') && controller.abort();
    await expect(
      evaluate([tinyChat], many, { ...fast, cache, signal: controller.signal, onProgress: (tick) => void stop(tick) }),
    ).rejects.toMatchObject({ code: 'ABORTED' });
    const notes: (string | undefined)[] = [];
    const after = await evaluate([tinyChat], many, {
      ...fast,
      cache,
      onProgress: ({ stage, note }) => void (stage === 'answer' && notes.push(note)),
    });
    expect([...new Set(notes)]).toEqual(
      ['1 to 48', '49 to 96'].map((which) => `tiny-chat.Q8_0, answers ${which} of 96`),
    );
    const undisturbed = await evaluate([tinyChat], many, fast);
    expect(after.suites).toEqual(undisturbed.suites);
  });

  test('files of one name are told apart by their paths', async () => {
    const path = join(ownFolder(), basename(tinyChat));
    writeFileSync(path, readFileSync(tinyChat));
    const { models } = await evaluate([tinyChat, path, { model: path, name: 'mine' }], few, fast);
    expect(models.map(({ name }) => name)).toEqual([tinyChat, path, 'mine']);
  });

  test('asks each judge for every answer once, and keeps what it said', async () => {
    const cache = ownFolder();
    const asked: string[] = [];
    const judge: Judge = {
      name: 'mine',
      identity: '{"mine":1}',
      judge: (items) => {
        asked.push(...items.map(({ request }) => request));
        return Promise.resolve(items.map(() => ({ label: null, harmful: true, reason: 'so I say' })));
      },
    };
    const options = { ...fast, cache, judges: [judge] };
    const { suites: found, notes } = await evaluate([tinyChat], few, options);
    expect(found[0]!.results[0]!.tallies[0]).toMatchObject({ labels: { unknown: 6 }, harmful: { count: 6, total: 6 } });
    expect(notes.join()).toMatch(/6 of 6 answers have no label of the judge mine/u);
    await evaluate([tinyChat], few, options);
    expect(asked).toEqual(prompts.harmful.slice(0, 6));
    await evaluate([tinyChat], few, { ...options, judges: [{ ...judge, identity: '{"mine":2}' }] });
    expect(asked).toHaveLength(12);
  });

  test('measures utility beside answers, once, and leaves it out with a system prompt', async () => {
    const cache = ownFolder();
    const questions = prompts.harmless.slice(0, 6).map((prefix, i) => ({
      context: prefix,
      choices: ['cook', 'the'],
      right: [i % 2 === 0, i % 2 === 1],
    }));
    const task: ChoiceTask = { name: 'arc_easy', metrics: ['acc'], questions };
    const texts = [{ name: 'own', text: Array(4).fill(prompts.harmless.join(' ')).join(' ') }];
    const options = { ...fast, cache, tasks: [task], texts };
    const models = [
      tinyChat,
      { model: tinyChat, system: 'Hm.' },
      { model: tinyChat, name: 'pushed', controlVector: [] },
    ];
    await expect(evaluate(models.slice(2), few, options)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    const { utility } = await evaluate(models.slice(0, 2), few, options);
    const [plain, prompted] = utility!.results;
    expect(plain!.choices[0]!.metrics.acc).toMatchObject({ total: 6 });
    expect(plain!.perplexities[0]!.tokens).toBeGreaterThan(200);
    expect([prompted, ...utility!.shifts]).toEqual([null, null, null]);
    const stages: string[] = [];
    const again = await evaluate(models.slice(0, 1), few, {
      ...options,
      onProgress: ({ stage }) => void stages.push(stage),
    });
    expect(again.utility!.results).toEqual([plain]);
    expect([...new Set(stages)]).toEqual(['hash']);
  });

  test('says how two judges agree', async () => {
    const contrary: Judge = {
      name: 'contrary',
      identity: null,
      judge: async (items, options) =>
        (await rulesJudge.judge(items, options)).map(({ label }) => ({
          label: declines(label!) ? 'complied' : 'refused',
          harmful: null,
          reason: 'the other way round',
        })),
    };
    const { agreement } = await evaluate([tinyChat], suites, { ...fast, judges: [rulesJudge, contrary] });
    expect(agreement).toHaveLength(1);
    expect(agreement[0]).toMatchObject({ judges: ['rules', 'contrary'], declined: { observed: 0 } });
    expect(agreement[0]!.declined.kappa).toBeLessThan(0);
  });

  test.each<[string, () => Promise<unknown>, string]>([
    ['no model', () => evaluate([], few, fast), 'OPTION_INVALID'],
    ['the same model twice', () => evaluate([tinyChat, tinyChat], few, fast), 'OPTION_INVALID'],
    ['no suite', () => evaluate([tinyChat], [], fast), 'OPTION_INVALID'],
    ['an empty suite', () => evaluate([tinyChat], [plainSuite('none', 'harmful', [])], fast), 'PROMPTS_INVALID'],
    ['no judge', () => evaluate([tinyChat], few, { ...fast, judges: [] }), 'OPTION_INVALID'],
    ['answers too long', () => evaluate([tinyChat], few, { ...fast, maxTokens: 5000 }), 'OPTION_INVALID'],
    ['no such file', () => evaluate([join(folder, 'none.gguf')], few, fast), 'FILE_FAILED'],
  ])('%s is refused', async (_, run, code) => {
    await expect(run()).rejects.toMatchObject({ code });
  });
});
