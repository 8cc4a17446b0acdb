import { EventEmitter } from 'node:events';

import { tolerateClosedPipes } from '../../lib/cli/pipes';

describe('a reader that goes away', () => {
  function pipes() {
    const [stdout, stderr] = [new EventEmitter(), new EventEmitter()];
    const exits: number[] = [];
    tolerateClosedPipes(stdout, stderr, (code) => exits.push(code));
    return { stdout, stderr, exits };
  }
  const closed = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
  const failed = Object.assign(new Error('write EIO'), { code: 'EIO' });

  test('ends the command when it read the results', () => {
    const { stdout, exits } = pipes();
    stdout.emit('error', closed);
    expect(exits).toEqual([0]);
  });
  test('does not when it read messages alone', () => {
    const { stderr, exits } = pipes();
    stderr.emit('error', closed); // throws without a listener
    expect(exits).toEqual([]);
  });
  test.each(['stdout', 'stderr'] as const)('is not a %s that failed', (name) => {
    const { exits, ...streams } = pipes();
    streams[name].emit('error', failed);
    expect(exits).toEqual([1]);
  });
});
