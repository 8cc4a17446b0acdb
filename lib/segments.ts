/** A stretch of a prompt. The prompt's tokens are the segments' tokens, one after the other. */
export interface Segment {
  text: string;
  /** Whether control tokens spelled out in `text` are to become tokens: true in the template's own text only. */
  parseSpecial: boolean;
}

/** Text of the template, or of the conversation. */
export interface Piece {
  text: string;
  /** Of the conversation: nothing in it may become a control token. */
  data: boolean;
}

/**
 * Cuts a prompt so that no text of the conversation becomes a control token.
 *
 * @param controlTokens - Text of each; where they are not known, every text of the conversation is fenced off.
 */
export function toSegments(pieces: readonly Piece[], controlTokens: readonly string[] | undefined): Segment[] {
  const segments = controlTokens ? fence(pieces, controlTokens) : apart(pieces);
  return segments.filter((segment) => segment.text !== '');
}

/** Cuts between the template and every text. */
function apart(pieces: readonly Piece[]): Segment[] {
  const segments = pieces.map(({ text, data }) => ({ text, parseSpecial: !data }));
  segments.forEach((segment, i) => {
    const next = segments[i + 1];
    if (!segment.parseSpecial || next === undefined || next.parseSpecial) return;
    // "User: " and "Why" are other tokens than "User:" and " Why", which is what "User: Why" is made of.
    const text = segment.text.replace(/ +$/u, '');
    next.text = segment.text.slice(text.length) + next.text;
    segment.text = text;
  });
  return segments;
}

/** Cuts the prompt only where a control token would take in characters of the conversation. */
function fence(pieces: readonly Piece[], controlTokens: readonly string[]): Segment[] {
  const whole = pieces.map((piece) => piece.text).join('');
  const isData = pieces.flatMap(({ text, data }) => new Array<boolean>(text.length).fill(data));
  const isFenced = new Array<boolean>(whole.length).fill(false);
  for (const token of controlTokens) {
    if (token === '') continue;
    for (let at = whole.indexOf(token); at >= 0; at = whole.indexOf(token, at + 1)) {
      // Characters of the template stay outside the fence, lest a text disarm the token that ends its own turn.
      for (let i = at; i < at + token.length; ++i) isFenced[i] ||= isData[i] === true;
    }
  }
  const segments: Segment[] = [];
  for (let from = 0, to = 0; from < whole.length; from = to) {
    while (to < whole.length && isFenced[to] === isFenced[from]) ++to;
    segments.push({ text: whole.slice(from, to), parseSpecial: !isFenced[from] });
  }
  return segments;
}
