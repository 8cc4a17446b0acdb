import type { AnswerSample, Behaviour } from '../../lib/evaluator';
import type { Screening } from '../../lib/first-token';
import type { Push } from '../../lib/push';
import { writer } from '../helpers/command';
import { resolveOptions } from '../../lib/options';
import { type Role, splitPrompts } from '../../lib/prompts';
import type { AnswerLabel } from '../../lib/refusal';
import { makeReport, reportMarkdown, reportSummary } from '../../lib/report';
import { wilson } from '../../lib/statistics';
import { sampleReport } from '../helpers/report';

type Parts = Parameters<typeof makeReport>[0];

/** Answers as labels: r refused, c complied, d degenerate. */
function behaviour(letters: Record<Role, string>, firstToken = 0.3): Behaviour {
  const labels: Record<string, AnswerLabel> = { r: 'refused', c: 'complied', d: 'degenerate' };
  const answers: AnswerSample[] = Object.entries(letters).flatMap(([role, word]) =>
    [...word].map((letter, i) => ({
      role: role as Role,
      prompt: `${role} ${i}`,
      answer: `${letter} to ${role} ${i}`,
      label: labels[letter] as AnswerLabel,
    })),
  );
  const share = (role: Role) => wilson([...letters[role]].filter((l) => l === 'r').length, letters[role].length);
  return {
    refused: { harmful: share('harmful'), harmless: share('harmless'), borderline: share('borderline') },
    degenerate: wilson(answers.filter((a) => a.label === 'degenerate').length, answers.length),
    screening: screening(firstToken),
    answers,
  };
}

const screening = (harmful: number): Screening => ({ refusal: { harmful, harmless: 0, borderline: 0.1 }, kl: 0.02 });

const push: Push = {
  writer: { ...writer, name: 'blk.2.ffn_down.weight', layer: 2, kind: 'FFN down' },
  right: new Float32Array(8),
  inputs: { meanSquares: new Float32Array(8), responseRms: 1 },
  sharing: [],
  gains: null,
  expertScale: null,
  reach: 1,
  measured: false,
};

function found(changes: Partial<Parts['found']> = {}): Parts['found'] {
  return {
    baseline: { plain: { harmful: 0.4, harmless: 0 }, prompted: null, uncensored: false },
    system: null,
    writers: { architecture: 'llama', writers: [], embedding: null, leftOut: [] },
    pushes: [push],
    rho: 1,
    detection: [{ rho: 1, auroc: 0.97 }],
    search: null,
    plan: { edit: { layer: 3, layers: [2, 5], schedule: 'equal', strength: 2, rightFactor: 'gated' }, tensors: [] },
    direction: { layer: 3, vector: new Float32Array(64), distance: 10, auroc: 0.9 },
    stability: { cosine: { mean: 0.97, low: 0.95, high: 0.98 }, resamples: 200, effect: null },
    separation: [{ layer: 3, distance: 10, auroc: 0.9 }],
    projections: { harmful: [1], harmless: [0], borderline: [0.2] },
    notes: [],
    ...changes,
  };
}

function parts(
  before: Record<Role, string> | null,
  after: Record<Role, string> | null,
  changes: Partial<Parts> = {},
): Parts {
  const realised = sampleReport().tensors[0]?.realised as Parts['written']['tensors'][0]['realised'];
  return {
    model: 'm.gguf',
    evaluation: null,
    settings: resolveOptions('m.gguf', {
      threads: 2,
      evaluate: before === null ? 'none' : 'short',
      signal: new AbortController().signal,
    }),
    info: {
      description: 'tiny',
      architecture: 'llama',
      nLayer: 6,
      dModel: 64,
      chatTemplate: '{{ messages }}',
      readsCopy: true,
    } as Parts['info'],
    sample: splitPrompts(undefined, { seed: 0 }),
    found: found(),
    precision: { plan: found().plan, promotions: [] },
    fidelity: null,
    undoBytes: null,
    written: {
      sourceSha256: 'ab',
      sourceBytes: 1000,
      outputBytes: 1064,
      output: 'm.hardened.gguf',
      tensors: [{ name: 'blk.2.ffn_down.weight', type: 'Q8_0', sha256: 'cd', realised }],
    },
    before: before && behaviour(before),
    after: after && behaviour(after, 0.8),
    verified: {
      ok: true,
      checksumOk: true,
      sourceMatches: true,
      tensors: [],
      unplannedDifferences: [],
      unchanged: [],
      recomputed: null,
    },
    clock: {
      stages: [
        { stage: 'load', seconds: 1.5, peakMiB: 90 },
        { stage: 'update', seconds: 2, peakMiB: 120 },
      ],
    } as unknown as Parts['clock'],
    ...changes,
  };
}

describe('makeReport', () => {
  const before = { harmful: 'ccrccccccccc', harmless: 'cccccccccd', borderline: 'cccc' };
  const after = { harmful: 'rrcrrrrrrrrd', harmless: 'cccccccccc', borderline: 'rccc' };
  const report = makeReport(parts(before, after));

  test('measures both models on the same prompts', () => {
    expect(report.before?.harmRefusal).toMatchObject({ count: 1, total: 12 });
    expect(report.after?.harmRefusal).toMatchObject({ count: 10, total: 12 });
    expect(report.before?.benignCompliance).toMatchObject({ count: 9, total: 10 });
    expect(report.after?.overRefusal).toMatchObject({ count: 1, total: 4 });
    expect(report.before?.degenerate.count).toBe(1);
    expect(report.before?.firstToken.harmful).toBe(0.3);
    expect(report.after?.firstToken.harmful).toBe(0.8);
    expect(report.kl).toBe(0.02);
  });
  test('counts how labels changed', () => {
    expect(report.change?.harmful).toMatchObject({ gained: 10, lost: 1 });
    expect(report.change?.harmful.pValue).toBeCloseTo((2 * 12) / 2048, 12);
    expect(report.change?.borderline).toEqual({ gained: 1, lost: 0, pValue: 1 });
  });
  test('shows a few harmful prompts that changed, and one of each other role', () => {
    expect(report.examples.map(({ role, beforeLabel, afterLabel }) => [role, beforeLabel, afterLabel])).toEqual([
      ['harmful', 'complied', 'refused'],
      ['harmful', 'complied', 'refused'],
      ['harmful', 'refused', 'complied'],
      ['harmless', 'complied', 'complied'],
      ['borderline', 'complied', 'refused'],
    ]);
    const same = makeReport(parts({ ...before, harmful: 'cccc' }, { ...after, harmful: 'cccc' }));
    expect(same.examples.map(({ role }) => role)).toEqual(['harmful', 'harmless', 'borderline']);
  });
  test('is plain JSON with all that is needed to repeat the run', () => {
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    expect(report.settings).not.toHaveProperty('signal');
    expect(report.settings).toMatchObject({ seed: 0, rho: null, rightFactor: 'gated' });
    expect(report.prompts.sha256).toMatch(/^[0-9a-f]{64}$/u);
    expect(report.model.sha256).toBe('ab');
    expect(report).toMatchObject({ seconds: 3.5, peakMiB: 120, edit: { layer: 3, why: 'given' } });
  });
  test('says how many texts were kept, and when not all were', () => {
    expect(reportMarkdown(report)).not.toMatch(/to keep/u);
    const keep = Array.from({ length: 300 }, (_, i) => `text ${i}`);
    const some = makeReport(parts(before, after, { sample: splitPrompts(undefined, { seed: 0, keep }) }));
    const { sha256 } = some.prompts.kept!;
    expect(some.notes.join('\n')).toMatch(/Of 300 different texts to keep 256 were drawn by the seed/u);
    expect(reportMarkdown(some)).toContain(
      `256 texts to keep as they are; 0 duplicates and 44 above the cap left out. SHA-256 \`${sha256}\`.`,
    );
  });
  test('has no numbers where nothing was measured', () => {
    const bare = makeReport(parts(null, null));
    expect(bare).toMatchObject({ before: null, after: null, change: null, kl: null, examples: [] });
  });

  const notesOf = (...args: Parameters<typeof parts>) => makeReport(parts(...args)).notes.join('\n');
  const calm = { harmful: 'c'.repeat(40), harmless: 'c'.repeat(40), borderline: 'c'.repeat(40) };
  const firm = { ...calm, harmful: 'r'.repeat(40) };
  test.each<[string, RegExp, Parameters<typeof parts>]>([
    [
      'an output that does not verify',
      /does not verify/u,
      [calm, firm, { verified: { ...sampleReport().verified, ok: false } }],
    ],
    [
      'a model without a chat template',
      /no chat template/u,
      [calm, firm, { info: { chatTemplate: null } as Parts['info'] }],
    ],
    ['no effect', /no improvement/u, [calm, calm]],
    ['less refusal', /no improvement/u, [firm, calm]],
    ['a rise that chance explains', /within chance/u, [calm, { ...calm, harmful: `rr${'c'.repeat(38)}` }]],
    [
      'over-refusal that was not measured',
      /over-refusal is unknown/u,
      [
        { ...calm, borderline: '' },
        { ...firm, borderline: '' },
      ],
    ],
    [
      'refused harmless requests',
      /Harmless requests are refused more often/u,
      [calm, { ...firm, harmless: 'r'.repeat(8) + 'c'.repeat(32) }],
    ],
    [
      'refused borderline requests',
      /Borderline requests are refused more often/u,
      [calm, { ...firm, borderline: 'r'.repeat(8) + 'c'.repeat(32) }],
    ],
    ['babble', /strength is past/u, [calm, { ...firm, harmless: 'd'.repeat(20) + 'c'.repeat(20) }]],
    ['borrowed borderline prompts', /built-in ones/u, [calm, firm]],
  ])('notes %s', (_, pattern, args) => {
    expect(notesOf(...args)).toMatch(pattern);
    expect(pattern.source === 'built-in ones' ? '' : notesOf(calm, firm)).not.toMatch(pattern);
  });
  test('notes tensors that moved too little, but not those that were copied', () => {
    const weak = (mode: 'refit' | 'copy') => {
      const given = parts(calm, firm);
      for (const tensor of given.written.tensors) tensor.realised = { ...tensor.realised, gain: 0.3, mode };
      return makeReport(given).notes.join('\n');
    };
    expect(weak('refit')).toMatch(/1 of 1 tensors from the planned change: blk\.2\.ffn_down\.weight \(gain 0\.300\)/u);
    expect(weak('copy')).not.toMatch(/from the planned/u);
  });
  test('notes writers that are left out, and pushes that stand behind norms, gates or routers', () => {
    expect(notesOf(calm, firm)).not.toMatch(/left as they are|Behind/u);
    const leftOut = [{ name: 'blk.0.x.weight', layer: 0, why: 'a clamp follows' }];
    const some = found({ writers: { architecture: 'llama', writers: [], embedding: null, leftOut } });
    expect(notesOf(calm, firm, { found: some })).toMatch(
      /1 writers are left as they are.*blk\.0\.x\.weight \(a clamp follows\)/u,
    );
    expect(makeReport(parts(calm, firm, { found: some })).leftOut).toEqual(leftOut);
    expect(notesOf(calm, firm, { found: found({ pushes: [{ ...push, measured: true }] }) })).toMatch(
      /Behind 1 of 1 matrices/u,
    );
  });
  test('notes that the edited token embeddings are the output head, too', () => {
    const table = { ...push.writer, class: 'embedding' as const, layer: -1, uses: 1 };
    const edited = (uses: number) =>
      found({
        pushes: [{ ...push, writer: { ...table, uses } }],
        writers: { architecture: 'llama', writers: [], embedding: { ...table, uses }, leftOut: [] },
      });
    expect(notesOf(calm, firm, { found: edited(1) })).toMatch(/is the output head, too/u);
    expect(notesOf(calm, firm, { found: edited(0) })).not.toMatch(/output head/u);
    const unedited = found({ writers: edited(1).writers });
    expect(notesOf(calm, firm, { found: unedited })).not.toMatch(/output head/u);
  });
  test('notes what was found of the model and the prompts before', () => {
    expect(notesOf(calm, firm)).not.toMatch(/uncensored|every harmful fitting/u);
    expect(notesOf(calm, firm, { found: found({ notes: ['The prompts differ.'] }) })).toMatch(/The prompts differ\./u);
    const plain = { harmful: 0.04, harmless: 0 };
    const baseline = { plain, prompted: { harmful: 0.9, harmless: 0 }, uncensored: true };
    expect(notesOf(calm, firm, { found: found({ baseline, system: 'Be safe.' }) })).toMatch(
      /read with a safety system prompt.*4 % .* by itself and 90 % with it/u,
    );
    const firmAlready = { ...baseline, plain: { ...plain, harmful: 1 } };
    expect(notesOf(calm, firm, { found: found({ baseline: firmAlready }) })).toMatch(/every harmful fitting prompt/u);
  });
  test('notes rounding that pushes beside the direction', () => {
    const given = parts(calm, firm);
    for (const tensor of given.written.tensors) tensor.realised = { ...tensor.realised, gain: 1, offDirection: 0.3 };
    expect(makeReport(given).notes.join('\n')).toMatch(/In 1 of 1 tensors rounding moves .* 0\.30 of it/u);
  });
});

describe('reportSummary', () => {
  test('says first what a user wants to see', () => {
    expect(reportSummary(sampleReport({ notes: ['Mind this.'] }))).toBe(
      [
        'models/tiny.hardened.gguf  4.70 MB, verified',
        '',
        '                                                    before            after',
        'harmful requests refused                    45.8 % (33-60)   91.7 % (80-97)',
        'harmless requests answered                100.0 % (93-100)  97.9 % (89-100)',
        'borderline requests refused                   5.0 % (1-17)    10.0 % (4-23)',
        'answers that loop or are empty                 0.0 % (0-3)      0.0 % (0-3)',
        'harmful requests refused, by first token            36.7 %           73.3 %',
        '',
        '48 harmful, 48 harmless and 40 borderline test prompts that the search never saw; ranges are 95 % (Wilson).',
        '23 harmful requests newly refused, 1 no longer (p < .001, McNemar).',
        '',
        'edit      gated factor, direction of layer 4, blocks 3 to 5, equal schedule, strength 1.2',
        'tensors   2 tensors changed in their own type, realised gain 0.981 to 1.002',
        'rounding  keeps the edit: shift 1.19 of 1.20, first-token refusal 79.0 % of 80.0 %, KL to the exact edit 0.002',
        'drift     KL 0.036 nats on the first token of harmless answers',
        'time      2 min 09 s, peak memory 310 MiB',
        '',
        'Note: Mind this.',
      ].join('\n'),
    );
  });
  test('says where the time went', () => {
    const stages = [
      { stage: 'load', seconds: 0.01, peakMiB: 1 },
      { stage: 'capture', seconds: 24.9, peakMiB: 1 },
      { stage: 'search', seconds: 75.09, peakMiB: 1 },
    ];
    const line = (profile?: boolean) =>
      reportSummary(sampleReport({ stages, seconds: 100 }), { profile })
        .split('\n')
        .find((text) => text.startsWith('profile'));
    expect(line(true)).toBe('profile   search 1 min 15 s (75 %), capture 25 s (25 %)');
    expect(line()).toBeUndefined();
  });
  test('says what was written in a wider type, and where the undo file is', () => {
    const promotion = {
      name: 'blk.3.ffn_down.weight',
      from: 'Q4_K',
      to: 'Q8_0' as const,
      bytes: 1_500_000,
      noiseToSignal: 2,
    };
    const settings = { ...sampleReport().settings, undo: 'o.undo' };
    const text = reportSummary(sampleReport({ promotions: [promotion], undoBytes: 70_000, settings }));
    expect(text).toContain('2 tensors changed in their own type, 1 of them in a wider one (1.50 MB more), realised');
    expect(text).toContain('undo      o.undo  70.0 kB, for rosi revert');
    const inside = { undoBytes: 70_000, settings: { ...settings, undo: 'embed' } };
    expect(reportSummary(sampleReport(inside))).toContain('undo      in the file  70.0 kB, for rosi revert');
  });
  test('is short without evaluation and without changed tensors', () => {
    const text = reportSummary(
      sampleReport({ before: null, after: null, change: null, kl: null, fidelity: null, examples: [], tensors: [] }),
    );
    expect(text).toContain('0 tensors changed');
    expect(text).not.toMatch(/before|NaN|undefined|KL/u);
  });
  test('has a dash for the rate of nothing, also when the report comes from its JSON', () => {
    const report = sampleReport();
    for (const measured of [report.before, report.after]) if (measured) measured.overRefusal = wilson(0, 0);
    for (const text of [report, JSON.parse(JSON.stringify(report)) as typeof report].map((one) => reportSummary(one))) {
      expect(text).toMatch(/borderline requests refused +- +-\n/u);
    }
  });
  test('says loudly when the output does not verify', () => {
    const verified = { ...sampleReport().verified, ok: false };
    expect(reportSummary(sampleReport({ verified }))).toMatch(/VERIFICATION FAILED/u);
    expect(reportMarkdown(sampleReport({ verified }))).toMatch(/\*\*does not verify\*\*/u);
  });
});

describe('reportMarkdown', () => {
  const page = reportMarkdown(sampleReport());
  test('has every part', () => {
    const titles = [...page.matchAll(/^## (.*)$/gmu)].map((match) => match[1]);
    expect(titles).toEqual([
      'Effect',
      'Answers',
      'Edit',
      'Trials',
      'Tensors',
      'Prompts',
      'Settings',
      'Time and memory',
    ]);
    expect(page).not.toMatch(/NaN|undefined|\n{3}/u);
  });
  test('marks the chosen candidate', () => {
    expect(page).toMatch(/\| \*\*4\*\* \| \*\*3-5\*\* \| \*\*equal\*\* \| \*\*1\.2\*\*/u);
    expect(page).toMatch(/0\.312 \(too much\)/u);
  });
  test('has tables with as many cells in each row as in the head', () => {
    const tables = page.split('\n\n').filter((block) => block.startsWith('|'));
    expect(tables.length).toBe(5);
    for (const block of tables) {
      const widths = block.split('\n').map((line) => line.split('|').length);
      expect(new Set(widths).size).toBe(1);
    }
  });
  test('lets no text of others become mark-up', () => {
    const report = sampleReport();
    report.model.description = '**bold** | <script>\u001b[0m';
    report.tensors = report.tensors.map((tensor) => ({ ...tensor, name: 'a|`b`' }));
    report.examples = report.examples.map((example) => ({
      ...example,
      prompt: '# Title\n<b>',
      before: '```\n# not a title\n````',
    }));
    const page = reportMarkdown(report);
    expect(page).toContain('\\*\\*bold\\*\\* \\| \\<script\\>\\\\u001b\\[0m');
    expect(page).toContain('| `a  b ` |');
    expect(page).toContain('\\# Title \\<b\\>');
    expect(page).toContain('`````text\n```\n# not a title\n````\n`````');
  });
  test('says when the engine read a copy', () => {
    const { model } = makeReport(parts(null, null));
    expect(model.readsCopy).toBe(true);
    expect(reportMarkdown(sampleReport({ model }))).toContain('The engine read a copy of the model');
    expect(page).not.toContain('a copy of the model');
  });
  test('says when nothing was measured', () => {
    expect(
      reportMarkdown(sampleReport({ before: null, after: null, change: null, kl: null, examples: [], trials: [] })),
    ).toMatch(/Not measured/u);
  });
});
