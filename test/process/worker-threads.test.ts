import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { Child, clean, timeToEnd, writeSlowModel } from '../helpers/child';
import { temporaryFolder } from '../helpers/temporary';

const folder = temporaryFolder();
const source = writeSlowModel(join(folder, 'source.gguf'));
const threads = (scenario: string, work = '') =>
  new Child(['threads.mjs', scenario, work, source, join(folder, 'output.gguf')]);

async function expectSameAnswers(child: Child, count: number): Promise<void> {
  const answers = await child.said<string[][]>('answers');
  expect(answers).toHaveLength(count);
  expect(answers[0]!.join('')).toMatch(/bake/);
  expect(answers).toEqual(Array(count).fill(answers[0]));
  expect(await child.ended).toMatchObject(clean);
  expect(readdirSync(folder)).toEqual(['source.gguf']);
}

test('two workers and the main thread use the library at once', () => expectSameAnswers(threads('together'), 3));

test('the main thread uses it after the worker that loaded it has gone', () => expectSameAnswers(threads('alone'), 2));

test.each([
  ['generation', 'generate'],
  ['an update in the middle of its file', 'update'],
  ['a draft', 'draft'],
])('terminate() ends a worker with %s at once, and nothing else', async (_, work) => {
  const child = threads('terminate', work);
  expect((await child.said<{ milliseconds: number }>('worker ended')).milliseconds).toBeLessThan(1500);
  await expectSameAnswers(child, 2);
});

test('process.exit() in a worker ends that worker alone', async () => {
  const child = threads('exit', 'exit');
  const { code, milliseconds } = await child.said<{ code: number; milliseconds: number }>('worker ended');
  expect(code).toBe(3);
  expect(milliseconds).toBeLessThan(3000); // it begins with the worker's start
  await expectSameAnswers(child, 2);
});

test.each([
  ['generation', 'generate'],
  ['an update in the middle of its file', 'update'],
])('process.exit(0) ends a worker with %s too', async (_, work) => {
  const child = threads('exit-main', work);
  await child.said('under way');
  expect(await timeToEnd(child)).toBeLessThan(1500);
  expect(await child.ended).toMatchObject(clean);
  expect(readdirSync(folder)).toEqual(['source.gguf']);
});
