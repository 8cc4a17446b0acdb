import type { Progress } from '../../lib';
import type { Tick } from '../../lib/native';
import { runStage, ticker } from '../../lib/stage';

function listen() {
  const heard: Progress[] = [];
  return { heard, options: { onProgress: (progress: Progress) => heard.push(progress) } };
}
const task = <T>(done: Promise<T>) => ({ done, cancel: () => {} });

test('progress of a stage never goes back, nor does it repeat itself', () => {
  const { heard, options } = listen();
  const tick = ticker(options, 'write', 3, 'tensors', 'a note');
  for (const done of [0, 0.5, 0.5, 0.25, NaN, 0.75]) tick(done);
  expect(heard.map(({ done }) => done)).toEqual([0, 0.5, 0.75]);
  expect(heard[0]).toEqual({ stage: 'write', done: 0, total: 3, unit: 'tensors', note: 'a note' });
});

test('a stage that succeeds ends at 1, and a tick that comes later is not heard', async () => {
  const { heard, options } = listen();
  let tick: Tick | undefined;
  const result = await runStage(options, { stage: 'read' }, (given) => {
    tick = given;
    given(0.4);
    return task(Promise.resolve('done'));
  });
  tick!(0.9);
  expect(result).toBe('done');
  expect(heard).toEqual([
    { stage: 'read', done: 0.4 },
    { stage: 'read', done: 1 },
  ]);
});

test('a stage that fails does not say that it is done', async () => {
  const { heard, options } = listen();
  const failing = runStage(options, { stage: 'read' }, (tick) => {
    tick(0.4);
    return task(Promise.reject(Object.assign(new Error('no'), { code: 'ENGINE_FAILED' })));
  });
  await expect(failing).rejects.toMatchObject({ name: 'RosiError', code: 'ENGINE_FAILED' });
  expect(heard).toEqual([{ stage: 'read', done: 0.4 }]);
});
