import type { HardenReport } from '../report';
import { percent } from '../text';
import { markup, type Markup } from './escape';
import { keys } from './pieces';
import { dashed, figure, fitted } from './plots';
import { colour, seriesColour } from './theme';

type Tensor = HardenReport['tensors'][number];

const measures: readonly {
  id: string;
  title: string;
  caption: string;
  format: string;
  value: (tensor: Tensor) => number | null;
}[] = [
  {
    id: 'gain',
    title: 'Gain',
    caption: 'share of the planned change that the file has, 1 (dashed) is all',
    format: '.4~f',
    value: ({ realised }) => realised.gain,
  },
  {
    id: 'noise',
    title: 'Noise',
    caption: 'what else rounding moved, beside the planned change',
    format: '.3~f',
    value: ({ realised }) => realised.collateral,
  },
];

/** What the update became in each tensor after rounding, by layer and kind of matrix. */
export async function tensorPlots({ tensors }: HardenReport): Promise<Markup | null> {
  const kinds = [...new Set(tensors.map(({ writer }) => writer.kind))];
  const changed = tensors.filter(({ realised }) => realised.mode !== 'copy');
  if (changed.length === 0) return null;
  const figures = [await changeMap(changed, kinds)];
  for (const { id, title, caption, format, value } of measures) {
    const points = changed.flatMap((tensor) => {
      const y = value(tensor);
      const kind = kinds.indexOf(tensor.writer.kind);
      return y === null || !Number.isFinite(y)
        ? []
        : [
            {
              layer: tensor.writer.layer,
              y,
              name: tensor.name,
              fill: seriesColour(kind),
              shape: shapes[kind % shapes.length],
            },
          ];
    });
    if (points.length === 0) continue;
    figures.push(
      await figure({
        id: `tensor-${id}`,
        title,
        caption,
        description: points.map(({ name, y }) => `${name}: ${Number(y.toPrecision(4))}`).join('; '),
        spec: {
          ...fitted,
          height: 150,
          data: [
            { name: 'points', values: points },
            { name: 'whole', values: id === 'gain' ? [{ y: 1 }] : [] },
            { name: 'least', values: id === 'gain' ? gainRange : [] },
          ],
          scales: [
            { name: 'x', domain: { data: 'points', field: 'layer' }, range: 'width', zero: false, padding: 12 },
            {
              name: 'y',
              domain: {
                fields: [
                  { data: 'points', field: 'y' },
                  { data: 'whole', field: 'y' },
                  { data: 'least', field: 'y' },
                ],
              },
              range: 'height',
              nice: true,
              zero: id !== 'gain',
            },
          ],
          axes: [
            { orient: 'bottom', scale: 'x', title: 'layer', format: 'd', tickMinStep: 1, tickCount: 8 },
            { orient: 'left', scale: 'y', format, tickCount: 4, grid: true },
          ],
          marks: [
            dashed({ y: { scale: 'y', field: 'y' } }, { from: 'whole' }),
            {
              type: 'symbol',
              from: { data: 'points' },
              encode: {
                enter: {
                  x: { scale: 'x', field: 'layer' },
                  y: { scale: 'y', field: 'y' },
                  fill: { field: 'fill' },
                  shape: { field: 'shape' },
                  size: { value: 60 },
                },
              },
            },
          ],
        },
      }),
    );
  }
  return markup`${keys(kinds.map((kind, i) => [seriesColour(i), kind]))}<div class="plots">${figures}</div>`;
}

const cell = 24;

/** How much of each matrix changed along the direction, as a map of layers and kinds: the darker, the more. */
function changeMap(tensors: readonly Tensor[], kinds: readonly string[]): Promise<Markup> {
  const change = ({ realised: { relativeChange, gain } }: Tensor) => relativeChange * gain;
  const most = Math.max(...tensors.map(change));
  const layers = tensors.map(({ writer }) => writer.layer);
  const [first, last] = [Math.min(...layers), Math.max(...layers)];
  const cells = tensors.map((tensor) => ({
    layer: tensor.writer.layer,
    kind: tensor.writer.kind,
    opacity: 0.08 + 0.92 * (change(tensor) / (most || 1)),
  }));
  return figure({
    id: 'tensor-change',
    title: 'Realised change',
    caption: `along the direction, as a share of the matrix; full colour: ${percent(most, 2)}`,
    description: tensors.map((tensor) => `${tensor.name}: ${percent(change(tensor), 2)}`).join('; '),
    spec: {
      ...fitted,
      height: cell * kinds.length,
      data: [{ name: 'cells', values: cells }],
      scales: [
        {
          name: 'x',
          type: 'band',
          domain: Array.from({ length: last - first + 1 }, (_, i) => first + i),
          range: 'width',
          padding: 0.06,
        },
        { name: 'y', type: 'band', domain: [...kinds], range: 'height', padding: 0.06 },
      ],
      axes: [
        { orient: 'bottom', scale: 'x', title: 'layer', labelOverlap: true, ticks: false, domain: false },
        { orient: 'left', scale: 'y', ticks: false, domain: false },
      ],
      marks: [
        {
          type: 'rect',
          from: { data: 'cells' },
          encode: {
            enter: {
              x: { scale: 'x', field: 'layer' },
              width: { scale: 'x', band: 1 },
              y: { scale: 'y', field: 'kind' },
              height: { scale: 'y', band: 1 },
              fill: { value: colour('second') },
              fillOpacity: { field: 'opacity' },
            },
          },
        },
      ],
    },
  });
}

// A plot of gains shows at least this, so that a thousandth doesn't look like much.
const gainRange = [{ y: 0.99 }, { y: 1.01 }];
const shapes = ['circle', 'square', 'triangle-up', 'diamond', 'cross'];
