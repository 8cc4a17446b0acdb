import { open, type FileHandle } from 'node:fs/promises';

import { RosiError } from '../errors';

/** Files read as one, each after the one before: a GGUF, or all of a split one. */
export class JoinedFiles {
  private readonly files: { handle: FileHandle; begin: number; end: number }[] = [];

  static async open(paths: readonly string[]): Promise<JoinedFiles> {
    const joined = new JoinedFiles();
    try {
      for (const path of paths) await joined.add(await open(path, 'r'));
    } catch (error) {
      await joined.close();
      throw error;
    }
    return joined;
  }

  /** Of all files. */
  get bytes(): number {
    return this.files.at(-1)?.end ?? 0;
  }

  /** Exactly `bytes` bytes. @throws RosiError `FILE_FAILED` when the files end before. */
  async read(from: number, bytes: number): Promise<Buffer> {
    const buffer = Buffer.alloc(bytes);
    for (let at = 0; at < bytes;) {
      const place = from + at;
      const file = this.files.find(({ end }) => place < end);
      const wanted = Math.min(bytes - at, (file?.end ?? 0) - place);
      const read = await file?.handle.read(buffer, at, wanted, place - file.begin);
      if (!read?.bytesRead) throw new RosiError('FILE_FAILED', `a file ended at byte ${place} while it was read`);
      at += read.bytesRead;
    }
    return buffer;
  }

  async close(): Promise<void> {
    for (const { handle } of this.files) await handle.close();
  }

  private async add(handle: FileHandle): Promise<void> {
    const begin = this.bytes;
    const file = { handle, begin, end: begin };
    this.files.push(file);
    file.end += (await handle.stat()).size;
  }
}
