import { byteCount, counted, duration, oneLine, printable, shortName, table } from '../../lib/text';

describe('printable', () => {
  test('makes visible what a terminal would obey', () => {
    expect(printable('a\u001b[2Jb\u0007\u009b1m\u0000')).toBe('a\\u001b[2Jb\\u0007\\u009b1m\\u0000');
    expect(printable('user\u202egnp.exe\u2066')).toBe('user\\u202egnp.exe\\u2066');
  });
  test('leaves text alone', () => {
    const text = 'line\n\ttab  é 漢字 🙂 "quote" \\u';
    expect(printable(text)).toBe(text);
    expect(printable('a\r\nb')).toBe('a\nb');
  });
});

test('shortName keeps the beginning and the end', () => {
  expect(shortName('model.Q4_K_M + safety prompt', 15)).toBe('model.…y prompt');
  expect(shortName('a\nb', 3)).toBe('a b');
  expect([...shortName('🙂'.repeat(9), 4)]).toEqual(['🙂', '…', '🙂', '🙂']);
});

test('oneLine folds white space and cuts at a width in characters, not in halves of them', () => {
  expect(oneLine(' a\n\n b\tc ')).toBe('a b c');
  expect(oneLine('🙂🙂🙂', 2)).toBe('🙂…');
  expect(oneLine('abc', 3)).toBe('abc');
});

test('table aligns columns and leaves no space at line ends', () => {
  expect(
    table([
      ['', 'n'],
      ['long', '10'],
      ['x', ''],
    ]),
  ).toEqual(['       n', 'long  10', 'x']);
  expect(
    table(
      [
        ['a', 'bb'],
        ['ccc', 'd'],
      ],
      'left',
    ),
  ).toEqual(['a    bb', 'ccc  d']);
  expect(table([])).toEqual([]);
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.00 kB'],
  [4_700_128, '4.70 MB'],
  [999_600, '1.00 MB'],
  [491_400_000, '491 MB'],
  [1.5e12, '1.50 TB'],
  [5e15, '5.00e+3 TB'],
])('byteCount of %d is %s', (bytes, text) => expect(byteCount(bytes)).toBe(text));

test.each([
  [0.04, '0.0 s'],
  [9.96, '10 s'],
  [59.4, '59 s'],
  [59.6, '1 min 00 s'],
  [125.4, '2 min 05 s'],
  [3599.7, '1 h 00 min'],
  [3725, '1 h 02 min'],
  [Infinity, '?'],
])('duration of %d seconds is %s', (seconds, text) => expect(duration(seconds)).toBe(text));

test('counted knows one from many', () => {
  expect([0, 1, 2].map((n) => counted(n, 'file'))).toEqual(['0 files', '1 file', '2 files']);
});
