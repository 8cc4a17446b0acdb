// Mark-up that can't be confused with text: what a template's braces bring in is escaped unless it is Markup already.
import { printable } from '../text';

/** Text that is HTML. Made by {@link markup} and, of text that is known to be HTML, by {@link raw}. */
export class Markup {
  constructor(private readonly text: string) {}
  toString(): string {
    return this.text;
  }
}

export type Piece = Markup | string | number | null | readonly Piece[];

/** `markup\`<p>${text}</p>\``: strings and numbers are escaped, pieces of Markup are not, null is nothing, lists are joined. */
export function markup(strings: TemplateStringsArray, ...pieces: Piece[]): Markup {
  return new Markup(strings.map((string, i) => (i === 0 ? '' : written(pieces[i - 1]!)) + string).join(''));
}

/** HTML of our own making, or a library's. */
export function raw(text: string): Markup {
  return new Markup(text);
}

/** Safe as the text of an element and as the value of an attribute in double quotes. */
export function escape(text: string): string {
  return printable(text).replace(/[&<>"'`]/gu, (character) => `&#${character.charCodeAt(0)};`);
}

function written(piece: Piece | undefined): string {
  if (piece === null || piece === undefined) return '';
  if (piece instanceof Markup) return piece.toString();
  if (typeof piece === 'string' || typeof piece === 'number') return escape(String(piece));
  return piece.map(written).join('');
}
