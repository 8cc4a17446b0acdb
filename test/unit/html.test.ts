import { createHash } from 'node:crypto';

import { evaluationHtml, reportHtml, reportMarkdown, type Evaluation } from '../../lib';
import { escape, markup, raw } from '../../lib/html/escape';
import { colours } from '../../lib/html/theme';
import { fullEvaluation, sampleEvaluation } from '../helpers/evaluation';
import { sampleReport } from '../helpers/report';

const hostile = `</script></style></title><img src=x onerror="alert(1)"> & ' \` {{1}} \u202e\u001b[2J`;

/** The value with each string in it, keys and words of ours apart, made hostile. */
function poisoned<T>(value: T, kept: readonly string[]): T {
  if (typeof value === 'string') return `${value}${hostile}` as T;
  if (Array.isArray(value)) return value.map((one) => poisoned(one as unknown, kept)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, kept.includes(name) ? one : poisoned(one as unknown, kept)]),
  ) as T;
}

/** Names of the elements that are open where they must not be, or closed without being open. */
function unbalanced(page: string): string[] {
  const faults: string[] = [];
  const open: string[] = [];
  const plain = page.replace(/<(style|script)>[\s\S]*?<\/\1>/gu, '').replace(/^<!doctype html>/u, '');
  for (const [, close, name, self] of plain.matchAll(/<(\/?)([a-z][\w-]*)(?:\s[^<>]*?)?(\/?)>/giu)) {
    if (self === '/') continue;
    if (close === '') open.push(name!);
    else if (open.pop() !== name) faults.push(name!);
  }
  return [...faults, ...open, ...(plain.replace(/<\/?[a-z][^<>]*>/giu, '').match(/[<>]/gu) ?? [])];
}

function checkPage(page: string): void {
  expect(unbalanced(page)).toEqual([]);
  expect(page).not.toMatch(/https?:|\bundefined\b|NaN|\[object/u);
  expect(page).not.toMatch(/<(?:link|iframe|object|embed|img|base)\b|url\(|@import/u);
  expect(page).not.toMatch(/<[^<>]* (?:src|srcset|on[a-z]+)="/u);
  const ids = [...page.matchAll(/ id="([^"]*)"/gu)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const [, target] of page.matchAll(/ (?:aria-labelledby|href)="#?([^"]*)"/gu))
    for (const id of target!.split(' ')) expect(ids).toContain(id);
  expect(page.match(/<(?:svg)\b(?![^>]*(?:aria-hidden="true"|role="img"))/gu)).toBeNull();
  expect([...page.matchAll(/<th(?=[ >])(?![^>]*scope=)/gu)]).toEqual([]);
}

function policyOf(page: string): string {
  return /http-equiv="Content-Security-Policy" content="([^"]*)"/u.exec(page)![1]!;
}

const contrast = (a: string, b: string) => {
  const luminance = (hex: string) => {
    const [r, g, blue] = [1, 3, 5].map((at) => {
      const c = parseInt(hex.slice(at, at + 2), 16) / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    }) as [number, number, number];
    return 0.2126 * r + 0.7152 * g + 0.0722 * blue;
  };
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
};

describe('markup', () => {
  test('escapes what it is given and keeps what is mark-up', () => {
    expect(String(markup`<p title="${'"<'}">${['a&', raw('<b>'), null, 3]}</p>`)).toBe(
      '<p title="&#34;&#60;">a&#38;<b>3</p>',
    );
    expect(escape(hostile)).not.toMatch(/[<>"'`\u202e\u001b]/u);
  });
});

describe('colours', () => {
  test.each(['light', 'dark'] as const)('of the %s theme can be told from what is behind them', (which) => {
    const c = colours[which];
    for (const behind of [c.page, c.card]) {
      for (const text of [c.ink, c.soft, c.link]) expect(contrast(text, behind)).toBeGreaterThanOrEqual(4.5);
      const { first, second, third, fourth, fifth, refused, redirected, partial, complied, degenerate, unknown } = c;
      for (const mark of [
        first,
        second,
        third,
        fourth,
        fifth,
        refused,
        redirected,
        partial,
        complied,
        degenerate,
        unknown,
      ])
        expect(contrast(mark, behind)).toBeGreaterThanOrEqual(3);
    }
    expect(contrast(c.warnInk, c.warn)).toBeGreaterThanOrEqual(4.5);
  });
});

describe('evaluationHtml', () => {
  let page: string;
  beforeAll(async () => {
    page = await evaluationHtml(sampleEvaluation());
  });
  test('is one well-formed file that refers to no other', () => checkPage(page));
  test('allows inline style and its own script, and nothing else', () => {
    const script = /<script>([\s\S]*?)<\/script>/u.exec(page)![1]!;
    const hash = createHash('sha256').update(script).digest('base64');
    expect(policyOf(page)).toBe(
      `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`,
    );
    expect(page.match(/<script/gu)).toHaveLength(1);
  });
  test('has the numbers of the headline, with intervals and the test', () => {
    const text = page.replace(/<[^>]*>/gu, '');
    for (const { results } of sampleEvaluation().suites)
      for (const { tallies, shifts } of results) {
        const { share, low, high, count, total } = tallies[0]!.declined;
        expect(text).toContain(
          `${(100 * share).toFixed(1)} % (${(100 * low).toFixed(0)}-${(100 * high).toFixed(0)}) ${count}/${total}`,
        );
        for (const { gained, lost } of shifts ?? []) expect(text).toContain(`+${gained} −${lost}, p = `);
      }
  });
  test('has drift, utility and the agreement of judges, where they were measured', async () => {
    const full = await evaluationHtml(fullEvaluation());
    checkPage(full);
    for (const text of ['0.0123', '63.0 % (53-73)', '50.0 % (40-60) *', '13.57', 'rules and guard', 'Agreement'])
      expect(full).toContain(text);
    for (const text of ['Utility', 'Agreement']) expect(page).not.toContain(text);
  });

  test('has every answer, and folds away what helps with a harmful request', () => {
    const { rows } = sampleEvaluation().suites[0]!;
    expect(page.match(/<article /gu)).toHaveLength(rows.length);
    const met = rows.flatMap(({ answers }) => answers.filter(({ verdicts }) => verdicts[0]!.label === 'complied'));
    expect(page.match(/<summary>Show what may be harmful/gu)).toHaveLength(met.length);
  });
  test('folds away what a judge finds harmful, whatever its label', async () => {
    const evaluation = sampleEvaluation();
    evaluation.suites[0]!.role = 'harmless';
    evaluation.suites[0]!.rows[1]!.answers[0]!.verdicts[0]!.harmful = true;
    expect((await evaluationHtml(evaluation)).match(/<summary>Show what may be harmful/gu)).toHaveLength(1);
  });
  test('lets no text of others become mark-up', async () => {
    const page = await evaluationHtml(poisoned(sampleEvaluation(), ['role', 'label']));
    checkPage(page);
    expect(page.match(/<script/gu)).toHaveLength(1);
    expect(page).not.toMatch(/<img|[\u202e\u001b]/u);
  });
  test('is made of the JSON of an evaluation, too, with a suite of which no label is known', async () => {
    const evaluation = sampleEvaluation();
    for (const row of evaluation.suites[0]!.rows) for (const { verdicts } of row.answers) verdicts[0]!.label = null;
    const empty = { count: 0, total: 0, share: NaN, low: NaN, high: NaN };
    for (const { tallies } of evaluation.suites[0]!.results)
      Object.assign(tallies[0]!, { declined: empty, met: empty });
    checkPage(await evaluationHtml(JSON.parse(JSON.stringify(evaluation)) as Evaluation));
  });
});

describe('reportHtml', () => {
  test('is one well-formed file without any script', async () => {
    const page = await reportHtml(sampleReport());
    checkPage(page);
    expect(policyOf(page)).toContain("script-src 'none'");
    expect(page).not.toContain('<script');
    const titles = [...page.matchAll(/<h2[^>]*>([^<]*)/gu)].map(([, title]) => title);
    expect(titles).toEqual(['Effect', 'Edit', 'Search', 'Tensors', 'Answers', 'Prompts and settings']);
  });
  test('has the numbers of the headline', async () => {
    const text = (await reportHtml(sampleReport())).replace(/<[^>]*>/gu, '');
    for (const words of ['45.8 % (33-60) 22/48', '91.7 % (80-97) 44/48', '+23 −1, p &#60; .001', 'KL 0.0361'])
      expect(text).toContain(words);
  });
  test('has the tables of a full evaluation', async () => {
    const page = await reportHtml(sampleReport({ evaluation: sampleEvaluation() }));
    checkPage(page);
    const titles = [...page.matchAll(/<h2[^>]*>([^<]*)/gu)].map(([, title]) => title);
    expect(titles.slice(0, 5)).toEqual(['Effect', 'Longer answers', 'Labels', 'Categories', 'Edit']);
    expect(page.replace(/<[^>]*>/gu, '')).toContain('cosine 0.970 (0.950 to 0.980)');
    const range = { mean: 0.8, low: 0.7, high: 0.9 };
    const own = { refusal: { harmful: 0.85, harmless: 0.02, borderline: 0.3 }, kl: 0.03 };
    const effect = { own, refusal: { harmful: range, harmless: range, borderline: range }, kl: range, resamples: 8 };
    const { edit } = sampleReport();
    const full = sampleReport({ edit: { ...edit, stability: { ...edit.stability, effect } } });
    for (const text of [await reportHtml(full), reportMarkdown(full)])
      expect(text).toContain('70.0 % to 90.0 % of harmful ones (itself 85.0 %)');
  });
  test('leaves out what was not measured', async () => {
    const none = { before: null, after: null, change: null, kl: null, fidelity: null, baseline: null };
    const page = await reportHtml(sampleReport({ ...none, examples: [], trials: [], searchedFrom: null, tensors: [] }));
    checkPage(page);
    expect(page).toContain('Not measured');
    expect(plotsOf(page)).toEqual(['separation', 'projections']);
  });
  test('plots what was seen of the model, the search and the tensors', async () => {
    const second = { ...sampleReport().trials[0]!, number: 3, layer: 2, score: 0.2 };
    const page = await reportHtml(sampleReport({ trials: [...sampleReport().trials, second] }));
    const search = ['trials-plot', 'strength-refusal', 'strength-drift'];
    const tensors = ['tensor-change', 'tensor-gain', 'tensor-noise'];
    expect(plotsOf(page)).toEqual(['separation', 'layer-effect', 'projections', ...search, ...tensors]);
    expect(page).toContain('layer 2: 20.0 %; layer 4: 70.0 %');
    expect(page).toContain('1 beyond 3 times the bound are not drawn');
  });
  test('lets no text of others become mark-up', async () => {
    const kept = ['role', 'beforeLabel', 'afterLabel', 'mode', 'class'];
    const page = await reportHtml(poisoned(sampleReport(), kept));
    checkPage(page);
    expect(page).not.toMatch(/<img|<script|[\u202e\u001b]/u);
  });
  test('says loudly when the output does not verify', async () => {
    const verified = { ...sampleReport().verified, ok: false };
    expect(await reportHtml(sampleReport({ verified }))).toContain('<strong>does not verify</strong>');
  });
});

function plotsOf(page: string): string[] {
  return [...page.matchAll(/<svg[^>]* aria-labelledby="([\w-]+)-t /gu)].map(([, id]) => id!);
}
