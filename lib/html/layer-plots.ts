// What was seen of the model before it was edited: where the classes separate, and what an edit along each direction does.
import type { Mark, Spec } from 'vega';

import { roles, type Role } from '../prompts';
import type { HardenReport } from '../report';
import { percent } from '../text';
import { markup, type Markup } from './escape';
import { keys } from './pieces';
import { dashed, figure, fitted, shareAxis } from './plots';
import { colour } from './theme';

const height = 150;
const colours: Readonly<Record<Role, string>> = {
  harmful: colour('second'),
  harmless: colour('fourth'),
  borderline: colour('third'),
};

export async function layerPlots(report: HardenReport): Promise<Markup[]> {
  return [await separationPlot(report), ...(await effectPlot(report)), await projectionPlot(report)];
}

function separationPlot({ separation, edit }: HardenReport): Promise<Markup> {
  return figure({
    id: 'separation',
    title: 'Separation by layer',
    caption: "AUROC of each layer's direction on fitting prompts; dashed: the edit's",
    description: separation.map(({ layer, auroc }) => `layer ${layer}: ${auroc.toFixed(3)}`).join('; '),
    spec: byLayer(
      separation.map(({ layer, auroc }) => ({ layer, y: auroc })),
      edit.layer,
      { orient: 'left', scale: 'y', tickCount: 5, grid: true },
      [0.5, 1],
    ),
  });
}

/** The first trials compare layers at about the same drift; of a layer's the best within the bound. */
async function effectPlot({ trials, edit }: HardenReport): Promise<Markup[]> {
  const compared = trials.filter(({ phase, breaks }) => phase === 'layers' && !breaks.includes('maxKl'));
  const layers = [...new Set(compared.map(({ layer }) => layer))].sort((a, b) => a - b);
  if (layers.length < 2) return [];
  const points = layers.map((layer) => ({
    layer,
    y: Math.max(...compared.filter((trial) => trial.layer === layer).map(({ score }) => score)),
  }));
  const plot = await figure({
    id: 'layer-effect',
    title: 'Causal effect by layer',
    caption:
      "What an edit along each direction gains on validation prompts: the rise of first-token refusal, less what others pay; dashed: the edit's",
    description: points.map(({ layer, y }) => `layer ${layer}: ${percent(y, 1)}`).join('; '),
    spec: byLayer(points, edit.layer, shareAxis('left', 'y')),
  });
  return [plot];
}

function byLayer(
  points: readonly { layer: number; y: number }[],
  chosen: number,
  axis: NonNullable<Spec['axes']>[number],
  domain?: [number, number],
): Spec {
  const xy = { x: { scale: 'x', field: 'layer' }, y: { scale: 'y', field: 'y' } };
  const marks: Mark[] = [
    dashed({ x: { scale: 'x', value: chosen }, height }),
    {
      type: 'line',
      from: { data: 'points' },
      encode: { enter: { ...xy, stroke: { value: colour('second') }, strokeWidth: { value: 2 } } },
    },
    {
      type: 'symbol',
      from: { data: 'points' },
      encode: { enter: { ...xy, fill: { value: colour('second') }, size: { value: 28 } } },
    },
  ];
  return {
    ...fitted,
    height,
    data: [
      { name: 'points', values: [...points] },
      { name: 'chosen', values: [{ layer: chosen }] },
    ],
    scales: [
      {
        name: 'x',
        domain: {
          fields: [
            { data: 'points', field: 'layer' },
            { data: 'chosen', field: 'layer' },
          ],
        },
        range: 'width',
        zero: false,
        padding: 8,
      },
      {
        name: 'y',
        domain: domain ?? { data: 'points', field: 'y' },
        range: 'height',
        nice: true,
        zero: domain === undefined,
      },
    ],
    axes: [{ orient: 'bottom', scale: 'x', title: 'layer', format: 'd', tickMinStep: 1, tickCount: 8 }, axis],
    marks,
  };
}

function projectionPlot({ projections, edit }: HardenReport): Promise<Markup> {
  const points = roles.flatMap((role) =>
    projections[role].map((x) => ({ x, role, fill: colours[role], stroke: colours[role] })),
  );
  const means = roles
    .filter((role) => projections[role].length > 0)
    .map(
      (role) => `${role}: mean ${(projections[role].reduce((a, b) => a + b, 0) / projections[role].length).toFixed(2)}`,
    );
  return figure({
    id: 'projections',
    title: 'Prompts along the direction',
    caption: markup`Each fitting prompt after block ${edit.layer}: 0 is the mean of harmless, 1 of harmful ones.${keys(roles.map((role) => [colours[role], role]))}`,
    description: means.join('; '),
    spec: {
      ...fitted,
      height: 40 * roles.length,
      data: [{ name: 'points', values: points }],
      scales: [
        { name: 'x', domain: { data: 'points', field: 'x' }, range: 'width', nice: true, zero: false },
        { name: 'y', type: 'band', domain: [...roles], range: 'height', padding: 0.25 },
      ],
      axes: [
        { orient: 'bottom', scale: 'x', title: 'projection', tickCount: 6, grid: true },
        { orient: 'left', scale: 'y', ticks: false, domain: false },
      ],
      marks: [
        {
          type: 'rule',
          from: { data: 'points' },
          encode: {
            enter: {
              x: { scale: 'x', field: 'x' },
              y: { scale: 'y', field: 'role' },
              y2: { scale: 'y', field: 'role', band: 1 },
              stroke: { field: 'stroke' },
              strokeWidth: { value: 1.5 },
              strokeOpacity: { value: 0.6 },
            },
          },
        },
      ],
    },
  });
}
