// Runs jest projects and adds their counts up: node scripts/run-tests.mjs unit kernels model
// With paths, runs these files alone: node scripts/run-tests.mjs model test/model/real.test.ts
// Projects that load a model run one file at a time: they share the processor, and their tests measure memory.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './lay-out-engine.mjs';

const alone = ['model', 'process', 'package'];
const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
const results = join(root, 'build', 'test-results');
const isPath = (argument) => argument.includes('/');
const wanted = process.argv.slice(2).filter((argument) => !isPath(argument));
const paths = process.argv.slice(2).filter(isPath);
const groups = [
  wanted.filter((name) => !alone.includes(name)),
  ...alone.filter((name) => wanted.includes(name)).map((name) => [name]),
];
const total = { passed: 0, failed: 0, skipped: 0 };
let ok = true;

mkdirSync(results, { recursive: true });
for (const group of groups.filter((names) => names.length > 0)) {
  // The label keeps a second run of the same project, on another model, from replacing the first in CI's sum.
  const file = join(results, `${process.env.ROSI_TEST_LABEL ?? 'default'}-${group.join('+')}.json`);
  rmSync(file, { force: true });
  // A project may be empty yet; a file that was named and has no tests is a mistake.
  const which = paths.length > 0 ? ['--runTestsByPath', ...paths] : ['--passWithNoTests'];
  const args = [...which, '--selectProjects', ...group, '--json', '--outputFile', file];
  if (alone.includes(group[0])) args.push('--runInBand');
  // --json prints the results to stdout as well; people read stderr.
  const { status } = spawnSync(process.execPath, [jest, ...args], {
    cwd: root,
    stdio: ['inherit', 'ignore', 'inherit'],
  });
  ok &&= status === 0;
  const { numPassedTests, numFailedTests, numPendingTests, numRuntimeErrorTestSuites } = JSON.parse(
    readFileSync(file, 'utf8'),
  );
  total.passed += numPassedTests;
  total.failed += numFailedTests + numRuntimeErrorTestSuites;
  total.skipped += numPendingTests;
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = ok && total.failed === 0 ? 0 : 1;
