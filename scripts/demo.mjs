// Hardens the tiny chat model of the tests and shows what it answers before and after.
//   npm run demo [uncensored]
// Fails when harmful requests are refused no more often than before.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { harden, reportSummary } = createRequire(import.meta.url)(join(root, 'dist', 'index.js'));

const variant = process.argv[2] === 'uncensored' ? 'tiny-chat-uncensored' : 'tiny-chat';
const fixtures = join(root, 'test', 'fixtures');
const entries = JSON.parse(readFileSync(join(fixtures, 'tiny-chat.prompts.json'), 'utf8'));
const of = (split) =>
  Object.fromEntries(
    ['harmful', 'harmless', 'borderline'].map((role) => [
      role,
      entries.filter((entry) => entry.split === split && entry.role === role).map((entry) => entry.prompt),
    ]),
  );

const folder = mkdtempSync(join(tmpdir(), 'rosi-demo-'));
try {
  const report = await harden(
    join(fixtures, `${variant}.Q8_0.gguf`),
    { fit: of('fit'), validation: of('validation'), test: of('test') },
    {
      threads: 1, // a model this small has no work for two
      output: join(folder, `${variant}.hardened.gguf`),
      onProgress: ({ stage, done, note }) => {
        if (done === 1 && process.stderr.isTTY) process.stderr.write(`\r\x1b[K${stage}${note ? ` (${note})` : ''}`);
      },
    },
  );
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  console.log(reportSummary(report));
  for (const example of report.examples) {
    console.log(`\n${example.role}: ${example.prompt}\n  before: ${example.before}\n  after:  ${example.after}`);
  }
  if (!(report.after.harmRefusal.share > report.before.harmRefusal.share)) {
    console.error('\nharmful requests are refused no more often than before: please report it');
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
