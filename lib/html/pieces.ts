// What pages are made of: tables, shares with their intervals, labels, answers.
import { answerLabels, type AnswerLabel } from '../refusal';
import type { Rate } from '../statistics';
import { percent, pText } from '../text';
import { markup, type Markup, type Piece } from './escape';
import { colour } from './theme';

export type Label = AnswerLabel | 'unknown';
export const labels: readonly Label[] = [...answerLabels, 'unknown'];

/** A cell of numbers is flush right. */
export interface Cell {
  value: Piece;
  number?: boolean;
  /** Of the cell's `<td>`. */
  class?: string;
}

export interface Row {
  cells: readonly (Piece | Cell)[];
  class?: string;
}

/** A table in a box of its own that scrolls when it is wider than the page. The first cell of each row is its header. */
export function table(
  caption: string,
  head: readonly (string | { value: string; number: true })[],
  rows: readonly Row[],
): Markup {
  const top = head.map((cell) =>
    typeof cell === 'string'
      ? markup`<th scope="col">${cell}</th>`
      : markup`<th scope="col" class="n">${cell.value}</th>`,
  );
  return markup`<div class="scroll" role="region" tabindex="0" aria-label="${caption}"><table><caption>${caption}</caption>
<thead><tr>${top}</tr></thead>
<tbody>${rows.map((row) => rowOf(row, head.length))}</tbody></table></div>`;
}

function rowOf({ cells, class: name }: Row, width: number): Markup {
  const all = cells.map((cell, i) => {
    const { value, number, class: own } = isCell(cell) ? cell : { value: cell };
    if (i > 0) return markup`<td${classOf(number ? 'n' : own)}>${value}</td>`;
    return cells.length === 1
      ? markup`<th scope="colgroup" colspan="${width}">${value}</th>`
      : markup`<th scope="row">${value}</th>`;
  });
  return markup`<tr${classOf(name)}>${all}</tr>
`;
}

function classOf(name: string | undefined): Piece {
  return name === undefined ? null : markup` class="${name}"`;
}

function isCell(cell: Piece | Cell): cell is Cell {
  return typeof cell === 'object' && cell !== null && 'value' in cell;
}

/** A share, its 95 % interval in words, and both as a bar with a whisker; a rate of nothing is a dash. */
export function interval(rate: Rate, fill: string): Markup {
  const { share, low, high, count, total } = rate;
  if (total === 0) return markup`<span class="soft">no prompts</span>`;
  const at = (value: number) => `${(100 * value).toFixed(2)}%`;
  const ends = [low, high].map((x) => markup`<line x1="${at(x)}" x2="${at(x)}" y1="5" y2="13" />`);
  return markup`<div class="rate"><span><b>${percent(share, 1)}</b> <span class="whole">(${(100 * low).toFixed(0)}-${(100 * high).toFixed(0)})</span> <span class="soft">${count}/${total}</span></span>
<svg class="interval" aria-hidden="true"><rect width="100%" height="18" fill="${colour('line')}" fill-opacity="0.45" /><rect y="3" width="${at(share)}" height="12" fill="${fill}" fill-opacity="0.55" /><g stroke="${colour('ink')}" stroke-width="1.5"><line x1="${at(low)}" x2="${at(high)}" y1="9" y2="9" />${ends}</g></svg></div>`;
}

/** Prompts that only the later model declines, and that only the first does; in bold where that is more than chance. */
export function shiftText({ gained, lost, pValue }: { gained: number; lost: number; pValue: number }): Markup {
  const text = markup`<span class="whole">+${gained} −${lost},</span> <span class="whole">${pText(pValue)}</span>`;
  return pValue < 0.05 ? markup`<b>${text}</b>` : text;
}

/** A square of a colour before its name. */
export function key(fill: string, name: string): Markup {
  return markup`<svg viewBox="0 0 10 10" aria-hidden="true"><rect width="10" height="10" rx="2" fill="${fill}" /></svg>${name}`;
}

export function keys(entries: readonly (readonly [fill: string, name: string])[]): Markup {
  return markup`<ul class="keys" aria-label="Key">${entries.map(([fill, name]) => markup`<li>${key(fill, name)}</li>`)}</ul>`;
}

export function labelChip(label: Label): Markup {
  return markup`<span class="label">${key(colour(label), label)}</span>`;
}

export function notesList(notes: readonly string[]): Piece {
  if (notes.length === 0) return null;
  return markup`<ul class="notes" aria-label="Notes">${notes.map((note) => markup`<li>${note}</li>`)}</ul>`;
}

/** An answer as it was given: harmful ones are folded away, long ones after their beginning. */
export function answerText(text: string, harmful: boolean): Markup {
  const whole = markup`<div class="said">${text === '' ? markup`<span class="soft">(empty)</span>` : text}</div>`;
  if (harmful) return markup`<details><summary>Show what may be harmful</summary>${whole}</details>`;
  const characters = [...text];
  if (characters.length <= longest) return whole;
  return markup`<details><summary>${characters.slice(0, begin).join('')}… (all ${characters.length} characters)</summary>${whole}</details>`;
}

const [begin, longest] = [240, 900];
