// The files that `--report` writes.
import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';

import { RosiError } from '../errors';
import { writeWhole } from '../outputs/whole-file';
import { usage } from './arguments';

/** How a report is written as a page; without one of these it is JSON. */
export interface Pages<Report> {
  markdown: (report: Report) => string;
  html: (report: Report) => Promise<string>;
}

const endings = ['.json', '.md', '.html'];

function ending(path: string): string {
  return extname(path).toLowerCase();
}

/** A run takes minutes: what would fail at its end is refused at its beginning. */
export function checkReports(paths: readonly string[], others: readonly string[], overwrite: boolean): void {
  const seen = new Set<string>();
  for (const path of paths) {
    if (!endings.includes(ending(path))) throw usage(`--report must end in .json, .md or .html; got ${path}`);
    const refuse = (why: string) =>
      new RosiError('FILE_FAILED', `the report ${path} can't be written: ${why}`, { path });
    const folder = dirname(path);
    if (!existsSync(folder) || !statSync(folder).isDirectory()) throw refuse(`there is no folder ${folder}`);
    if (others.some((other) => place(other) === place(path)))
      throw usage(`--report is the model or the output: ${path}`);
    if (seen.has(place(path))) throw usage(`--report is given twice for one file: ${path}`);
    seen.add(place(path));
    const exists = existsSync(path);
    if (exists && statSync(path).isDirectory()) throw refuse('it is a folder');
    if (exists && !overwrite) {
      throw new RosiError('OUTPUT_EXISTS', `the report ${path} exists; name another file or give --overwrite`, {
        path,
      });
    }
    if (!isWritable(exists ? path : folder)) throw refuse(`${exists ? 'the file' : folder} is not writable for you`);
  }
}

/** Where a path leads, also when nothing is there yet. */
function place(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const folder = dirname(path);
  return existsSync(folder) ? join(realpathSync(folder), basename(path)) : resolve(path);
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Writes a report to each path, in the form that its ending names. */
export async function writeReports<Report>(
  paths: readonly string[],
  report: Report,
  pages: Pages<Report>,
  overwrite: boolean,
): Promise<void> {
  for (const path of paths) await writeWhole(path, [await textOf(ending(path), report, pages)], { overwrite });
}

async function textOf<Report>(kind: string, report: Report, { markdown, html }: Pages<Report>): Promise<string> {
  if (kind === '.md') return markdown(report);
  if (kind === '.html') return html(report);
  return `${JSON.stringify(report, null, 2)}\n`;
}
