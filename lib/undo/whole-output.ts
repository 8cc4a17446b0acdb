import { createHash, randomBytes, type Hash } from 'node:crypto';
import { type FileHandle, link, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { RosiError } from '../errors';

/** A file written from its beginning to its end, under a temporary name until it is published; hashed on the way. */
export class WholeOutput {
  private readonly hash: Hash = createHash('sha256');
  private written = 0;

  private constructor(
    readonly path: string,
    private readonly partial: string,
    private readonly file: FileHandle,
  ) {}

  static async create(path: string): Promise<WholeOutput> {
    const partial = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.partial`);
    return new WholeOutput(path, partial, await open(partial, 'wx'));
  }

  get bytes(): number {
    return this.written;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.hash.update(bytes);
    for (let at = 0; at < bytes.length;)
      at += (await this.file.write(bytes, at, bytes.length - at, this.written + at)).bytesWritten;
    this.written += bytes.length;
  }

  /** To read what was written. */
  reader(): Promise<FileHandle> {
    return open(this.partial, 'r');
  }

  /** SHA-256 of all that was written; nothing can be written afterwards. */
  digest(): string {
    return this.hash.digest('hex');
  }

  /** Gives it its name, in one step. @throws RosiError `OUTPUT_EXISTS` */
  async publish(overwrite: boolean): Promise<void> {
    await this.file.sync();
    await this.file.close();
    if (overwrite) return rename(this.partial, this.path);
    try {
      await link(this.partial, this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      throw new RosiError('OUTPUT_EXISTS', `${this.path} exists; name another file or allow overwriting`, {
        path: this.path,
      });
    }
    await rm(this.partial);
  }

  /** Removes it unless it is published. Any number of calls. */
  async discard(): Promise<void> {
    await this.file.close().catch(() => undefined);
    await rm(this.partial, { force: true });
  }
}
