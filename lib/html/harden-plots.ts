import type { Mark, Spec } from 'vega';

import type { HardenReport } from '../report';
import { wellScreened } from '../search/pareto';
import { sameShape, type Trial } from '../search/trial';
import { percent } from '../text';
import { markup, type Markup } from './escape';
import { keys } from './pieces';
import { dashed, figure, fitted, shareAxis } from './plots';
import { colour } from './theme';

const height = 220;
// Of the KL bound.
const farthest = 3;

/** What refusal costs in drift: every trial of the search; null without a search. */
export async function trialPlot(report: HardenReport): Promise<Markup | null> {
  const { trials, front, edit, searchedFrom, settings } = report;
  if (trials.length === 0) return null;
  const point = ({ screening: { kl, refusal } }: Pick<Trial, 'screening'>) => ({ kl, refused: refusal.harmful });
  const fill = ({ number, breaks }: Trial) =>
    breaks.includes('maxKl') ? 'none' : front.includes(number) ? colour('second') : colour('soft');
  const well = wellScreened(trials);
  // Far past the bound a trial says nothing but that, and would leave the others no room.
  const drawn = trials.filter(({ screening }) => settings.maxKl === 0 || screening.kl <= farthest * settings.maxKl);
  const points = drawn.map((trial) => ({
    ...point(trial),
    size: well.includes(trial) ? 55 : 18,
    fill: fill(trial),
    line: front.includes(trial.number) ? colour('second') : colour('soft'),
  }));
  const chosen = trials.filter(({ number }) => number === edit.trial).map(point);
  const start = searchedFrom === null ? [] : [{ kl: 0, refused: searchedFrom.screening.refusal.harmful }];
  const symbols = (data: string, enter: object): Mark => ({
    type: 'symbol',
    from: { data },
    encode: { enter: { x: { scale: 'x', field: 'kl' }, y: { scale: 'y', field: 'refused' }, ...enter } },
  });
  const bounded = settings.maxKl > 0 && trials.some(({ screening: { kl } }) => kl > settings.maxKl / 2);
  const spec: Spec = {
    ...fitted,
    height,
    data: [
      { name: 'points', values: points },
      { name: 'chosen', values: chosen },
      { name: 'start', values: start },
      { name: 'bound', values: bounded ? [{ kl: settings.maxKl }] : [] },
    ],
    scales: [
      {
        name: 'x',
        type: 'sqrt',
        domain: { fields: [{ data: 'points', field: 'kl' }, { data: 'bound', field: 'kl' }, [0]] },
        range: 'width',
        nice: true,
        zero: true,
      },
      {
        name: 'y',
        domain: {
          fields: [
            { data: 'points', field: 'refused' },
            { data: 'start', field: 'refused' },
          ],
        },
        range: 'height',
        nice: true,
        zero: false,
      },
    ],
    axes: [
      {
        orient: 'bottom',
        scale: 'x',
        title: 'KL, nats (square-root axis)',
        tickCount: 5,
        labelOverlap: true,
      },
      shareAxis('left', 'y', 'harmful refused'),
    ],
    marks: [
      dashed({ x: { scale: 'x', field: 'kl' }, height }, { from: 'bound', stroke: colour('third') }),
      symbols('points', {
        fill: { field: 'fill' },
        stroke: { field: 'line' },
        strokeWidth: { value: 1.5 },
        size: { field: 'size' },
      }),
      symbols('start', { shape: { value: 'diamond' }, fill: { value: colour('first') }, size: { value: 80 } }),
      symbols('chosen', {
        fill: { value: 'none' },
        stroke: { value: colour('ink') },
        strokeWidth: { value: 2 },
        size: { value: 190 },
      }),
    ],
  };
  const words = `${trials.length} trials; the chosen one refuses ${chosen.map(({ refused, kl }) => `${percent(refused, 1)} at KL ${kl.toFixed(3)}`).join()}${start.map(({ refused }) => `, the original ${percent(refused, 1)}`).join('')}.`;
  return figure({
    id: 'trials-plot',
    title: 'Refusal against drift',
    description: words,
    caption: markup`By first token. Ringed: chosen. Blue: Pareto front (over-refusal counts, too). Hollow: past the KL bound${bounded ? ' (dashed)' : ''}.${well.length < trials.length ? ' Small: tried on fewer prompts.' : ''}${drawn.length < trials.length ? ` ${trials.length - drawn.length} beyond ${farthest} times the bound are not drawn.` : ''} Diamond: original.`,
    spec,
  });
}

const measures = [
  { name: 'harmful', fill: colour('second') },
  { name: 'borderline', fill: colour('third') },
  { name: 'harmless', fill: colour('fourth') },
] as const;

/** What each strength of the chosen shape does; none unless two were tried. */
export async function strengthPlots(report: HardenReport): Promise<Markup[]> {
  const { trials, edit, searchedFrom } = report;
  const tried = wellScreened(trials.filter((trial) => sameShape(edit, trial)))
    .sort((a, b) => a.strength - b.strength)
    .map(({ strength, screening }) => ({ strength, ...screening }));
  if (tried.length < 2) return [];
  const all = searchedFrom === null ? tried : [{ strength: 0, ...searchedFrom.screening, kl: 0 }, ...tried];
  const refused = all.flatMap(({ strength, refusal }) =>
    measures.map(({ name, fill }) => ({ strength, value: refusal[name], name, fill })),
  );
  const drift = all.map(({ strength, kl }) => ({ strength, value: kl, name: 'KL', fill: colour('fifth') }));
  const said = (values: typeof refused | typeof drift) =>
    values
      .map(({ strength, value, name }) => `${name} at strength ${strength}: ${Number(value.toPrecision(3))}`)
      .join('; ');
  const line = (
    values: typeof refused | typeof drift,
    axis: NonNullable<Spec['axes']>[number],
    top?: number,
  ): Spec => ({
    ...fitted,
    height: 180,
    data: [{ name: 'values', values: values as object[] as never[] }],
    scales: [
      { name: 'x', domain: { data: 'values', field: 'strength' }, range: 'width', nice: true, zero: true },
      {
        name: 'y',
        domain: top === undefined ? { data: 'values', field: 'value' } : [0, top],
        range: 'height',
        nice: true,
        zero: true,
      },
    ],
    axes: [{ orient: 'bottom', scale: 'x', title: 'strength', tickCount: 6 }, axis],
    marks: [
      dashed({ x: { scale: 'x', value: edit.strength }, height: 180 }),
      {
        type: 'group',
        from: { facet: { name: 'one', data: 'values', groupby: 'name' } },
        marks: (['line', 'symbol'] as const).map((type) => ({
          type,
          from: { data: 'one' },
          encode: {
            enter: {
              x: { scale: 'x', field: 'strength' },
              y: { scale: 'y', field: 'value' },
              [type === 'line' ? 'stroke' : 'fill']: { field: 'fill' },
              ...(type === 'line' ? { strokeWidth: { value: 2 } } : { size: { value: 32 } }),
            },
          },
        })),
      },
    ],
  });
  return [
    await figure({
      id: 'strength-refusal',
      title: 'Refusal by strength',
      description: said(refused),
      caption: markup`The chosen blocks and direction, by first token; dashed: chosen.${keys(measures.map(({ name, fill }) => [fill, name]))}`,
      spec: line(refused, shareAxis('left', 'y', 'refused'), 1),
    }),
    await figure({
      id: 'strength-drift',
      title: 'Drift by strength',
      description: said(drift),
      caption: 'KL of the first token on harmless prompts; dashed: chosen.',
      spec: line(drift, { orient: 'left', scale: 'y', title: 'KL, nats', tickCount: 5, grid: true }),
    }),
  ];
}
