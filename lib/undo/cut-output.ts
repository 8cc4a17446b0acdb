import { createHash, type Hash } from 'node:crypto';

import { RosiError, toRosiError } from '../errors';
import { WholeOutput } from './whole-output';

/** What is written as one, cut into files of given sizes: a GGUF, or the files of a split one. Hashed on the way. */
export class CutOutput {
  private readonly hash: Hash = createHash('sha256');
  private readonly files: WholeOutput[] = [];

  private constructor(private readonly sizes: readonly number[]) {}

  static async create(paths: readonly string[], sizes: readonly number[]): Promise<CutOutput> {
    const output = new CutOutput(sizes);
    try {
      for (const path of paths) output.files.push(await WholeOutput.create(path));
    } catch (error) {
      await output.discard();
      throw error;
    }
    return output;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.hash.update(bytes);
    for (let at = 0; at < bytes.length;) {
      const place = this.files.findIndex((file, i) => file.bytes < this.sizes[i]!);
      const file = this.files[place]!;
      const piece = bytes.subarray(at, at + this.sizes[place]! - file.bytes);
      await file.write(piece);
      at += piece.length;
    }
  }

  /** SHA-256 of all that was written; nothing can be written afterwards. */
  digest(): string {
    return this.hash.digest('hex');
  }

  /** Gives the files their names when all are on the disk, the first file last. Where one gets none, none keeps its. */
  async publish(overwrite: boolean): Promise<void> {
    for (const file of this.files) await file.finish();
    const published: WholeOutput[] = [];
    for (const file of [...this.files].reverse()) {
      try {
        await file.publish(overwrite);
        published.push(file);
      } catch (error) {
        await takeBack(published, error);
      }
    }
  }

  /** Removes what is not published. Any number of calls. */
  async discard(): Promise<void> {
    for (const file of this.files) await file.discard();
  }
}

async function takeBack(published: readonly WholeOutput[], cause: unknown): Promise<never> {
  const replaced: string[] = [];
  for (const file of published) if (!(await file.withdraw())) replaced.push(file.path);
  const error = toRosiError(cause);
  if (replaced.length === 0 || !(error instanceof RosiError)) throw error;
  const message = `${error.message}; the files of the output are of two runs now: new ones have replaced ${replaced.join(', ')}`;
  throw new RosiError(error.code, message, { ...error.details, replaced: replaced.join(', ') }, { cause });
}
