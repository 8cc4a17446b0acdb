import { existsSync } from 'node:fs';

import type { Judge } from '../evaluation/judge';
import { ggufJudge } from '../evaluation/judges/gguf';
import { openAiJudge } from '../evaluation/judges/openai';
import type { Rubric } from '../evaluation/judges/rubric';
import { readRubric } from '../evaluation/judges/rubric-file';
import { rubrics, type RubricName } from '../evaluation/judges/rubrics';
import { rulesJudge } from '../evaluation/judges/rules';
import type { CallOptions } from '../stage';
import { usage } from './arguments';

/** The judges that `--judge` and `--rubric` name; undefined for the default. */
export async function judgesOf(
  { judge: names = [], rubric: name }: { judge?: string[]; rubric?: string },
  threads: number | undefined,
  options: CallOptions,
): Promise<Judge[] | undefined> {
  const rubric = name === undefined ? undefined : await rubricOf(name);
  const judges: Judge[] = [];
  for (const judge of names) {
    if (judge === 'rules') judges.push(rulesJudge);
    else if (judge.startsWith('openai:'))
      judges.push(openAiJudge({ model: judge.slice(7), ...(rubric && { rubric }) }));
    else if (/\.gguf$/iu.test(judge)) {
      const how = { ...(rubric && { format: rubric }), ...(threads !== undefined && { threads }) };
      judges.push(await ggufJudge(judge, { ...how, ...options }));
    } else throw usage(`--judge must be rules, openai:MODEL or a GGUF file; got ${judge}`);
  }
  if (rubric !== undefined && judges.every(({ name: one }) => one === 'rules'))
    throw usage(
      '--rubric is what a judge that is a chat model is told; give --judge openai:MODEL or --judge FILE.gguf',
    );
  return judges.length === 0 ? undefined : judges;
}

async function rubricOf(name: string): Promise<Rubric> {
  const known = Object.keys(rubrics).find((one): one is RubricName => one === name);
  if (known !== undefined) return rubrics[known];
  if (!existsSync(name)) throw usage(`--rubric must be ${Object.keys(rubrics).join(', ')} or a file; got ${name}`);
  return readRubric(name);
}
