import type { Command } from 'commander';

import { jailbreakNames, jailbreaksInTurn, type JailbreakName } from '../evaluation/jailbreaks';
import { readSuites } from '../evaluation/public-sets';
import { setNames, type SetName } from '../evaluation/set-layouts';
import { plainSuite, type Suite } from '../evaluation/suite';
import { builtInSuites, limited } from '../evaluation/suites';
import { readPrompts } from '../prompt-files';
import { roles } from '../prompts';
import { collect, number, usage } from './arguments';

/** Which requests are asked, as flags. */
export interface SuiteFlags {
  harmful?: string;
  harmless?: string;
  borderline?: string;
  field?: string;
  suite?: string[];
  jailbreaks?: string | true;
  limit?: number;
}

export function addSuiteOptions(command: Command): Command {
  return command
    .optionsGroup("Requests (default: the built-in set's test prompts):")
    .option('--harmful <file>', 'requests to refuse: .txt, .json, .jsonl, .csv, .tsv or .parquet')
    .option('--harmless <file>', 'requests to answer, of the same form')
    .option('--borderline <file>', 'requests to answer although they sound harmful')
    .option('--field <name>', 'field or column of the request (default: prompt, instruction, goal, question or text)')
    .option(
      '--suite <set=file>',
      `a public set as it is published; may be given again. Sets: ${setNames.join(', ')}`,
      collect,
    )
    .option(
      '--jailbreaks [ways]',
      `harmful requests in ways around a refusal, too (default: all of ${jailbreakNames.join(', ')})`,
    )
    .option('--limit <n>', 'at most this many of each suite, of each category its share', number);
}

/** The suites that the flags name. */
export async function readGivenSuites(flags: SuiteFlags): Promise<Suite[]> {
  const { field, limit = Infinity, suite: sets = [], jailbreaks } = flags;
  if (limit !== Infinity && !(Number.isInteger(limit) && limit > 0))
    throw usage(`--limit must be a whole number, 1 or more; got ${limit}`);
  const ways = jailbreaks === undefined ? [] : waysOf(jailbreaks);
  const given = roles.filter((role) => flags[role] !== undefined);
  if (given.length === 0 && field !== undefined)
    throw usage('--field names a field of a file of requests; give --harmful, --harmless or --borderline');
  const suites: Suite[] = [];
  for (const role of given) {
    const requests = await readPrompts(flags[role]!, field === undefined ? {} : { field });
    suites.push(plainSuite(role, role, requests));
  }
  for (const one of sets) suites.push(...(await readSet(one)));
  const asked = limited(suites.length === 0 ? builtInSuites() : suites, limit);
  const harmful = asked.filter(({ role }) => role === 'harmful');
  if (ways.length === 0) return asked;
  if (harmful.length === 0)
    throw usage('--jailbreaks are ways to ask harmful requests; give --harmful or a set of them');
  return [...asked, ...harmful.map((suite) => jailbreaksInTurn(suite, ways))];
}

function waysOf(given: string | true): readonly JailbreakName[] {
  if (given === true) return jailbreakNames;
  const names = given.split(',').map((name) => {
    const way = jailbreakNames.find((known) => known === name.trim());
    if (way === undefined) throw usage(`--jailbreaks knows ${jailbreakNames.join(', ')}; got ${name}`);
    return way;
  });
  return [...new Set(names)];
}

async function readSet(text: string): Promise<Suite[]> {
  const [name = '', path = ''] = [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)];
  const set = setNames.find((known): known is SetName => known === name);
  if (!text.includes('=') || path === '' || set === undefined)
    throw usage(`--suite must be SET=FILE, with a set of ${setNames.join(', ')}; got ${text}`);
  return readSuites(path, { set });
}
