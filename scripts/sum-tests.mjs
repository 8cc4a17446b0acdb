// Adds up every jest result below build/test-results, for CI's last line.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './lay-out-engine.mjs';

const folder = join(root, 'build', 'test-results');
const total = { passed: 0, failed: 0, skipped: 0 };
for (const name of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
  const result = JSON.parse(readFileSync(join(folder, name), 'utf8'));
  total.passed += result.numPassedTests;
  total.failed += result.numFailedTests + result.numRuntimeErrorTestSuites;
  total.skipped += result.numPendingTests;
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
