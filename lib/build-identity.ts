import { statSync } from 'node:fs';

import { addonPath } from './native';
import { version } from './version';

/**
 * Changes with every build of this package: results that are kept on disk are of one build, since another may frame
 * prompts otherwise, or compute in another order.
 */
export function buildIdentity(): string {
  const times = [addonPath(), __filename].map((path) => statSync(path).mtimeMs);
  return [version, ...times].join('/');
}
