import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type FileHandle, link, open, rename, rm } from 'node:fs/promises';

import { RosiError } from '../errors';

/** A file written from its beginning to its end, under a temporary name until it is published. */
export class WholeOutput {
  private written = 0;
  private replaced = false;

  private constructor(
    readonly path: string,
    private readonly partial: string,
    private readonly file: FileHandle,
  ) {}

  static async create(path: string): Promise<WholeOutput> {
    const partial = `${path}.partial-${process.pid}-${randomBytes(6).toString('hex')}`;
    return new WholeOutput(path, partial, await open(partial, 'wx'));
  }

  get bytes(): number {
    return this.written;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;)
      at += (await this.file.write(bytes, at, bytes.length - at, this.written + at)).bytesWritten;
    this.written += bytes.length;
  }

  /** To read what was written. */
  reader(): Promise<FileHandle> {
    return open(this.partial, 'r');
  }

  /** Waits until the disk has it; nothing can be written afterwards. */
  async finish(): Promise<void> {
    await this.file.sync();
    await this.file.close();
  }

  /** Gives it its name, in one step, when it is finished. @throws RosiError `OUTPUT_EXISTS` */
  async publish(overwrite: boolean): Promise<void> {
    if (overwrite) {
      this.replaced = existsSync(this.path);
      return rename(this.partial, this.path);
    }
    try {
      await link(this.partial, this.path);
    } catch (error) {
      // Some file systems have no links: there the name is looked at, and taken a moment later.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' && !existsSync(this.path))
        return rename(this.partial, this.path);
      throw new RosiError('OUTPUT_EXISTS', `${this.path} exists; name another file or allow overwriting`, {
        path: this.path,
      });
    }
    await rm(this.partial);
  }

  /** Removes what was published, unless it has replaced another file. Whether it is gone. */
  async withdraw(): Promise<boolean> {
    if (!this.replaced) await rm(this.path, { force: true });
    return !this.replaced;
  }

  /** Removes it unless it is published. Any number of calls. */
  async discard(): Promise<void> {
    await this.file.close().catch(() => undefined);
    await rm(this.partial, { force: true });
  }
}
