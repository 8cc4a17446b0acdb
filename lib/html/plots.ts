// Plots as SVG, drawn when the page is made. Colours are the theme's variables, so that they follow light and dark.
import type * as Vega from 'vega';

import { escape, markup, type Markup, raw, type Piece } from './escape';
import { colour } from './theme';

export interface Plot {
  /** Of an element; unique in its page. */
  id: string;
  title: string;
  /** What a reader who can't see the plot should know. */
  description: string;
  /** Above the plot, after its title. */
  caption?: Piece;
  spec: Vega.Spec;
}

/** CSS pixels, so that a plot fits on a phone at full size: of all of it, or of the frame where no axis stands beside it. */
export const plotWidth = { whole: 350, frame: 325 };

/** Of a plot with an axis at its left: the frame takes what the axis leaves. */
export const fitted = { width: plotWidth.whole, autosize: { type: 'fit-x', contains: 'padding' } } as const;

/**
 * A plot and what stands beside it. Loads the library at the first one, since it takes longer than the command.
 * Widths of text are estimated, generously, as there is no canvas: titles of axes are short.
 */
export async function figure({ id, title, description, caption, spec }: Plot): Promise<Markup> {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const vega = require('vega') as typeof Vega;
  const view = new vega.View(vega.parse({ ...common, ...spec }), { renderer: 'none' });
  const drawn = await view.toSVG();
  view.finalize();
  return markup`<figure><figcaption><b>${title}</b>${caption === undefined ? null : markup`<br />${caption}`}</figcaption>
${raw(framed(drawn, id, title, description))}</figure>
`;
}

/** The library's SVG with a name and words of its own, and without what HTML doesn't need. */
function framed(svg: string, id: string, title: string, description: string): string {
  const [, viewBox] = /viewBox="([-\d. ]+)"/u.exec(svg)!;
  const inner = svg
    .slice(svg.indexOf('>') + 1)
    .replace(/<[^<>]*>/gu, (tag) =>
      tag
        .replace(/ (?:aria-[a-z]+|role|pointer-events|class|font-family)="[^"]*"/gu, '')
        .replace(/(\.\d\d)\d+/gu, '$1'),
    )
    .replace(/<path d="M0,0h[-\d.]+v[-\d.]+h[-\d.]+Z"\/>|<path d="" display="none"\/>/gu, '');
  const words = `<title id="${id}-t">${escape(title)}</title><desc id="${id}-d">${escape(description)}</desc>`;
  return `<svg viewBox="${viewBox}" role="img" aria-labelledby="${id}-t ${id}-d" font-family="inherit">${words}${inner}`;
}

const common: Partial<Vega.Spec> = {
  padding: { left: 2, right: 8, top: 6, bottom: 2 },
  autosize: 'pad',
  config: {
    axis: {
      aria: false,
      labelFontSize: 11,
      titleFontSize: 11.5,
      titleFontWeight: 'normal',
      labelColor: colour('soft'),
      titleColor: colour('ink'),
      domainColor: colour('soft'),
      tickColor: colour('soft'),
      gridColor: colour('line'),
      labelLimit: 200,
      titlePadding: 6,
    },
    text: { fontSize: 11.5, fill: colour('ink') },
  } as Vega.Config,
};

/** A dashed line across the frame. */
export function dashed(
  at: { x: object; height: number } | { y: object },
  { from, stroke = colour('soft') }: { from?: string; stroke?: string } = {},
): Vega.Mark {
  const ends =
    'x' in at
      ? { x: at.x, y: { value: 0 }, y2: { value: at.height } }
      : { y: at.y, x: { value: 0 }, x2: { signal: 'width' } };
  return {
    type: 'rule',
    ...(from === undefined ? {} : { from: { data: from } }),
    encode: { enter: { ...ends, stroke: { value: stroke }, strokeDash: { value: [4, 3] } } },
  };
}

/** The axis of shares, 0 to 100 %. */
export const shareAxis = (orient: 'bottom' | 'left', scale: string, title?: string): Vega.Axis => ({
  orient,
  scale,
  title,
  format: '.0%',
  tickCount: 5,
  grid: true,
});
