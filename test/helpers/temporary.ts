import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder that is gone after the tests of the file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rosi-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** An empty folder for every test. The function says which, in a test or in a `beforeEach` that comes later. */
export function folderPerTest(): () => string {
  const root = temporaryFolder();
  let folder = root;
  let n = 0;
  beforeEach(() => {
    folder = join(root, String(n++));
    mkdirSync(folder);
  });
  return () => folder;
}
