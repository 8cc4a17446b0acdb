import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { throwIfAborted, toRosiError } from './errors';

/** An item that has no result yet. */
export interface Missing<Item> {
  key: string;
  item: Item;
}

/**
 * Results on disk, so that a run that was cut off goes on where it was: one file for everything that was made in one way,
 * `identity`. Each batch is one line that is written at once; a line that a killed process left unfinished counts as not
 * written. Whoever may write the file is trusted with its contents, not with their form.
 */
export class ResultStore<T> {
  private readonly results = new Map<string, T>();

  private constructor(
    private readonly path: string | null,
    private readonly identity: string,
  ) {}

  /**
   * @param folder - Null: results are kept in memory alone.
   * @param isResult - What else is found under a key is not there.
   * @throws RosiError `FILE_FAILED` when the folder can't be made or the file not read.
   */
  static open<T>(
    folder: string | null,
    kind: string,
    identity: string,
    isResult: (value: unknown) => value is T,
  ): ResultStore<T> {
    if (folder === null) return new ResultStore<T>(null, identity);
    const path = join(folder, kind, `${sha256(identity)}.jsonl`);
    const store = new ResultStore<T>(path, identity);
    try {
      mkdirSync(join(folder, kind), { recursive: true });
      for (const line of readIfThere(path).split('\n')) store.take(line, isResult);
    } catch (error) {
      throw toRosiError(error);
    }
    return store;
  }

  get(key: string): T | undefined {
    return this.results.get(key);
  }

  /** Of items with these keys, those without a result, each key once. */
  missing<Item>(items: readonly Item[], keys: readonly string[]): Missing<Item>[] {
    const found = new Map<string, Item>();
    keys.forEach((key, i) => {
      if (!this.results.has(key) && !found.has(key)) found.set(key, items[i]!);
    });
    return [...found].map(([key, item]) => ({ key, item }));
  }

  /**
   * Makes what is missing in batches, in order, each stored whole: a run that was stopped goes on with the very batches it
   * would have had.
   *
   * @param make - One result for each item; `place`: which of all, for people.
   * @throws What `make` throws, and RosiError `ABORTED`, `FILE_FAILED`.
   */
  async fill<Item>(
    missing: readonly Missing<Item>[],
    { atOnce, signal }: { atOnce: number; signal?: AbortSignal | undefined },
    make: (items: Item[], place: { from: number; to: number; total: number }) => Promise<readonly T[]>,
  ): Promise<void> {
    for (let from = 0; from < missing.length; from += atOnce) {
      throwIfAborted(signal);
      const batch = missing.slice(from, from + atOnce);
      const place = { from: from + 1, to: from + batch.length, total: missing.length };
      const made = await make(
        batch.map(({ item }) => item),
        place,
      );
      this.add(batch.map(({ key }, i) => [key, made[i]!] as const));
    }
  }

  /** All of them are stored, or none. @throws RosiError `FILE_FAILED`. */
  add(batch: readonly (readonly [key: string, result: T])[]): void {
    if (batch.length === 0) return;
    for (const [key, result] of batch) this.results.set(key, result);
    if (this.path === null) return;
    // The line end before it closes a line that was left unfinished.
    const line = `\n${JSON.stringify({ identity: this.identity, results: batch })}\n`;
    try {
      const file = openSync(this.path, 'a', 0o600);
      try {
        writeSync(file, line);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
    } catch (error) {
      throw toRosiError(error);
    }
  }

  private take(line: string, isResult: (value: unknown) => value is T): void {
    if (line === '') return;
    let batch: unknown;
    try {
      batch = JSON.parse(line);
    } catch {
      return;
    }
    const { identity, results } = (batch ?? {}) as { identity?: unknown; results?: unknown };
    if (identity !== this.identity || !Array.isArray(results)) return;
    for (const entry of results as unknown[]) {
      if (!Array.isArray(entry)) continue;
      const [key, result] = entry as unknown[];
      if (typeof key === 'string' && isResult(result)) this.results.set(key, result);
    }
  }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
