import { ProgressLine } from '../../lib/cli/progress-line';
import type { Progress } from '../../lib/progress';
import { Sink } from '../helpers/command';

describe('ProgressLine', () => {
  const ticks: Progress[] = [
    { stage: 'load', done: 0 },
    { stage: 'load', done: 1 },
    { stage: 'capture', done: 0.25, total: 200, unit: 'prompts' },
    { stage: 'capture', done: 0.5, total: 200, unit: 'prompts', note: 'layer\n4' },
    { stage: 'update', done: 0.1, total: 5e8, unit: 'bytes' },
  ];
  function show(stderr: Sink, quiet = false, list = ticks, step = 10_000): string {
    let clock = 0;
    const line = new ProgressLine(stderr, quiet, () => clock);
    for (const tick of list) {
      line.show(tick);
      clock += step;
    }
    line.end();
    line.end();
    return stderr.text;
  }

  test('is one plain line a stage without a terminal', () => {
    expect(show(new Sink())).toBe('load\ncapture 200 prompts\nupdate 500 MB\n');
  });
  test('says now and then that a long stage lives', () => {
    const long = Array.from({ length: 5 }, (_, i) => ({
      stage: 'search',
      done: i / 10,
      total: 100,
      unit: 'prompts',
      note: 'layer 4',
    }));
    expect(show(new Sink(), false, long)).toBe(
      'search 100 prompts\n  search 30 %  1.0 prompts/s  1 min 10 s left  layer 4\n',
    );
  });
  test('counts rate and time left of the present round', () => {
    const rounds = [0, 0.5, 0.9, 0, 0.5].map((done, i) => ({
      stage: 's',
      done,
      total: 10,
      unit: 'prompts',
      note: i < 3 ? 'a' : 'b',
    }));
    expect(show(new Sink(), false, rounds, 16_000)).toBe(
      's 10 prompts\n  s 90 %  0.28 prompts/s  3.6 s left  a\n  s 50 %  0.31 prompts/s  16 s left  b\n',
    );
  });
  test('knows one from many', () => {
    expect(show(new Sink(), false, [{ stage: 'generate', done: 0, total: 1, unit: 'prompts' }])).toBe(
      'generate 1 prompt\n',
    );
  });
  test('says nothing when quiet', () => {
    expect(show(new Sink(), true)).toBe('');
  });
  test('is a bar with rate and time left on a terminal, and gives the cursor back', () => {
    const stderr = new Sink();
    stderr.isTTY = true;
    const text = show(stderr);
    expect(text).toMatch(/capture {2}#+\.+ {2}50 %/u);
    expect(text).toMatch(/load {2}20 s\n/u);
    expect(text).toMatch(/update {2}10 s\n$/u);
    expect(text.lastIndexOf('\u001b[?25h')).toBeGreaterThan(text.lastIndexOf('\u001b[?25l'));
  });
  test('is plain on a dumb terminal', () => {
    const [stderr, term] = [new Sink(), process.env['TERM']];
    stderr.isTTY = true;
    process.env['TERM'] = 'dumb';
    try {
      expect(show(stderr)).toBe('load\ncapture 200 prompts\nupdate 500 MB\n');
    } finally {
      process.env['TERM'] = term;
    }
  });
});
