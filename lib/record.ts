import { RosiError } from './errors';
import type { Inspection } from './native';

/** What a hardened file says of its changed tensors. @throws RosiError `GGUF_INVALID` when its record can't be read. */
export function readRecord({ metadata }: Inspection): { name: string; sha256: string }[] {
  const text = metadata['rosi.tensors'];
  try {
    const record = JSON.parse(String(text)) as { name: string; sha256: string }[];
    if (Array.isArray(record) && record.every((one) => typeof one?.name === 'string' && typeof one.sha256 === 'string'))
      return record;
  } catch {
    // Said below.
  }
  throw new RosiError('GGUF_INVALID', "the file's record of changed tensors (rosi.tensors) is damaged", {
    key: 'rosi.tensors',
  });
}
