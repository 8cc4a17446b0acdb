import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { Child, timeToEnd } from '../helpers/child';
import { temporaryFolder } from '../helpers/temporary';
import { tinyChat } from '../helpers/tiny-chat';

const command = join(__dirname, '..', '..', 'dist', 'cli.js');
const folder = temporaryFolder();

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)(
  '%s ends `rosi harden` in mid-search with status %i and leaves nothing',
  async (signal, status) => {
    const output = join(folder, 'output.gguf');
    const report = join(folder, 'report.json');
    const child = new Child([command, 'harden', tinyChat, '-o', output, '--report', report, '--threads', '1']);
    await child.said<string>('stderr', (line) => line.startsWith('search'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.signal(signal);
    expect(await timeToEnd(child)).toBeLessThan(1500);
    const { code, stderr } = await child.ended;
    expect(stderr).toMatch(/stopping; once more to stop at once\n.*\(ABORTED\)\n$/s);
    expect(code).toBe(status);
    expect(readdirSync(folder)).toEqual([]);
  },
  60_000,
);
