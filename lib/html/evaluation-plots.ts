import type { Evaluation, SuiteResult } from '../evaluation/evaluation';
import { headline } from '../evaluation/tally';
import { counted, oneLine, percent } from '../text';
import { markup, type Markup } from './escape';
import { labels } from './pieces';
import { figure, plotWidth, shareAxis } from './plots';
import { colour, seriesColour } from './theme';

// A bar and the line of text above it.
const rowHeight = 36;

/** How many answers have each label, one bar a model and judge. */
export function labelPlot(suite: SuiteResult, { models, judges }: Evaluation, id: string): Promise<Markup> {
  const rows = models.flatMap((model, m) =>
    judges.map((judge, j) => ({
      name: oneLine(judges.length === 1 ? model.name : `${model.name}, by ${judge}`, 52),
      counts: suite.results[m]!.tallies[j]!.labels,
    })),
  );
  const segments = rows.flatMap(({ counts }, row) => {
    const all = labels.reduce((sum, label) => sum + counts[label], 0);
    let end = 0;
    return labels
      .filter((label) => counts[label] > 0)
      .map((label) => ({ row, from: end / all, to: (end += counts[label]) / all, fill: colour(label) }));
  });
  const said = rows.map(
    ({ name, counts }) =>
      `${name}: ${labels
        .filter((label) => counts[label] > 0)
        .map((label) => `${label} ${counts[label]}`)
        .join(', ')}`,
  );
  return figure({
    id,
    title: `Labels: ${oneLine(suite.name, 40)}`,
    description: said.join('. '),
    caption: `shares of ${counted(suite.prompts, 'answer')}`,
    spec: {
      width: plotWidth.frame,
      height: rows.length * rowHeight,
      data: [
        { name: 'rows', values: rows.map(({ name }, row) => ({ row, name })) },
        { name: 'segments', values: segments },
      ],
      scales: [{ name: 'x', domain: [0, 1], range: 'width' }],
      axes: [{ ...shareAxis('bottom', 'x'), grid: false }],
      marks: [
        rowNames,
        {
          type: 'rect',
          from: { data: 'segments' },
          encode: {
            enter: {
              x: { scale: 'x', field: 'from' },
              x2: { scale: 'x', field: 'to', offset: -1 },
              y: { field: 'row', mult: rowHeight, offset: 17 },
              height: { value: 14 },
              fill: { field: 'fill' },
            },
          },
        },
      ],
    },
  });
}

const rowNames = {
  type: 'text' as const,
  from: { data: 'rows' },
  encode: {
    enter: {
      text: { field: 'name' },
      x: { value: 0 },
      y: { field: 'row', mult: rowHeight, offset: 13 },
      fill: { value: colour('ink') },
      limit: { value: plotWidth.frame },
    },
  },
};

const barHeight = 11;

/** The suite's share in each category, one bar a model; null where there is one category or none. */
export async function categoryPlot(suite: SuiteResult, { models }: Evaluation, id: string): Promise<Markup | null> {
  const { role, categories, name } = suite;
  if (categories.length < 2) return null;
  const height = 18 + models.length * barHeight + 8;
  const rates = categories.map(({ tallies }) => tallies.map((tally) => headline(role, tally).rate));
  const bars = rates.flatMap((all, c) =>
    all.flatMap(({ share, count, total }, m) =>
      total === 0
        ? []
        : [{ share, y: c * height + 18 + m * barHeight, fill: seriesColour(m), count: `${count}/${total}` }],
    ),
  );
  const what = headline(role, suite.results[0]!.tallies[0]!).name;
  const said = categories.map(
    (category, c) =>
      `${category.name}: ${rates[c]!.map(({ share, total }) => (total === 0 ? 'none' : percent(share))).join(', ')}`,
  );
  return figure({
    id,
    title: `By category: ${oneLine(name, 40)}`,
    description: said.join('. '),
    caption: markup`${what}; few prompts a category`,
    spec: {
      width: plotWidth.frame,
      height: categories.length * height,
      data: [
        {
          name: 'rows',
          values: categories.map((category, c) => ({
            y: c * height + 13,
            name: `${oneLine(category.name, 38)} (${category.prompts})`,
          })),
        },
        { name: 'bars', values: bars },
      ],
      scales: [{ name: 'x', domain: [0, 1], range: [0, plotWidth.frame - 30] }],
      axes: [shareAxis('bottom', 'x')],
      marks: [
        {
          type: 'text',
          from: { data: 'rows' },
          encode: { enter: { text: { field: 'name' }, y: { field: 'y' }, limit: { value: plotWidth.frame } } },
        },
        {
          type: 'rect',
          from: { data: 'bars' },
          encode: {
            enter: {
              x: { value: 0 },
              // A share of 0 is a line, so that it differs from no data.
              x2: { scale: 'x', field: 'share', offset: 1.5 },
              y: { field: 'y' },
              height: { value: barHeight - 1.5 },
              fill: { field: 'fill' },
            },
          },
        },
        {
          type: 'text',
          from: { data: 'bars' },
          encode: {
            enter: {
              x: { scale: 'x', field: 'share', offset: 5 },
              y: { field: 'y', offset: 8.5 },
              text: { field: 'count' },
              fontSize: { value: 10 },
              fill: { value: colour('soft') },
            },
          },
        },
      ],
    },
  });
}
