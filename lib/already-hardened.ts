import { RosiError } from './errors';
import type { Inspection } from './native';

/** A second edit would be measured against the first, and the record of the first is lost. */
export function requireFirst({ metadata }: Inspection, path: string, again: boolean): void {
  const by = metadata['rosi.version'];
  if (by === undefined || again) return;
  throw new RosiError(
    'ALREADY_HARDENED',
    `${path} was hardened by rosi ${String(by)} already: take the original, or get it back with its undo file; to edit it once more set options.again`,
    { path, version: by },
  );
}
