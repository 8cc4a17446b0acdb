// Small things about text that people read: the command, the report and error messages use them.
import type { Rate } from './statistics';

/**
 * Text of unknown origin, safe to print: control characters, which on a terminal could move the cursor, change the
 * title or hide what was printed before, become visible. Line ends and tabs stay.
 */
export function printable(text: string): string {
  // C0 and C1 controls, the marks that reorder text, and line separators.
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/gu, (character) => {
    const code = character.codePointAt(0) as number;
    return code === 0x0d ? '' : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** The same on one line, with an ellipsis when it is longer than `width` characters. */
export function oneLine(text: string, width = Infinity): string {
  const line = printable(text.replace(/\s+/gu, ' ').trim());
  const characters = [...line];
  return characters.length > width ? `${characters.slice(0, Math.max(0, width - 1)).join('')}…` : line;
}

/** The same with the ellipsis in the middle: what is added to a name at its end tells it apart. */
export function shortName(text: string, width: number): string {
  const characters = [...oneLine(text)];
  if (characters.length <= width) return characters.join('');
  const tail = Math.ceil(width / 2);
  return `${characters.slice(0, width - tail - 1).join('')}…${characters.slice(-tail).join('')}`;
}

/** Lines of at most `width` characters, broken at spaces; a longer word stays whole. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line === undefined || line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines;
}

/** Rows with aligned columns, two spaces apart; the first column is flush left, the others right unless told. */
export function table(rows: readonly (readonly string[])[], align: 'left' | 'right' = 'right'): string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 || align === 'left' ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** `1 file`, `3 files`. */
export function counted(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** `12.3 %` of a share. */
export function percent(share: number, digits = 0): string {
  return `${(100 * share).toFixed(digits)} %`;
}

/** `91.7 % (85-96)`. A rate of nothing, NaN or in JSON null, is a dash. */
export function rateText(rate: Pick<Rate, 'share' | 'low' | 'high' | 'total'>): string {
  if (rate.total === 0) return '-';
  return `${percent(rate.share, 1)} (${(100 * rate.low).toFixed(0)}-${(100 * rate.high).toFixed(0)})`;
}

/** `p = .031`, `p < .001`. */
export function pText(pValue: number): string {
  return pValue < 0.001 ? 'p < .001' : `p = ${pValue.toFixed(3).replace(/^0/u, '')}`;
}

/** `2 %` or `1.9 %`: at most one digit, and none that says nothing. */
export function shortPercent(share: number): string {
  return `${Number((100 * share).toFixed(1))} %`;
}

/** `512 B`, `4.7 MB`, `1.23 GB`: powers of ten, as disks are sold. */
export function byteCount(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    ++unit;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}

/** `0.4 s`, `41 s`, `2 min 05 s`, `1 h 02 min`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (n: number) => String(Math.floor(n)).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two((whole % 3600) / 60)} min`;
}
