import { createHash } from 'node:crypto';

const piece = 2 ** 20;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

/** `rosi.checksum`: SHA-256 over the SHA-256 of each MiB, with '0' for the 64 digits at `at`, where the file holds it. */
export function checksumOf(file: Uint8Array, at?: number): string {
  const bytes = Buffer.from(file);
  if (at !== undefined) bytes.fill('0', at, at + 64);
  const pieces = Array.from({ length: Math.ceil(bytes.length / piece) }, (_, i) =>
    sha256(bytes.subarray(i * piece, (i + 1) * piece)),
  );
  return sha256(Buffer.concat(pieces)).toString('hex');
}
