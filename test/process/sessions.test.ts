import { Child, clean } from '../helpers/child';

test('200 sessions leave no memory behind', async () => {
  // glibc, as it comes, keeps what was freed for each thread that freed it, and more or less of it by chance.
  const env = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '65536' };
  const child = new Child(['many-sessions.mjs', '200'], { node: ['--expose-gc'], env });
  const least = async (...after: number[]) =>
    Math.min(...(await Promise.all(after.map((n) => child.said<number>(`held after ${n}`)))));
  const growth = (await least(160, 180, 200)) - (await least(20, 40, 60));
  expect(await child.ended).toMatchObject(clean);
  // 100 KiB kept by each of 140 sessions would be 14 MiB, a context of each 400 MiB.
  expect(growth / 2 ** 20).toBeLessThan(6);
}, 60_000);

test('sessions at work at once do not disturb each other', async () => {
  const child = new Child(['sessions-at-once.mjs']);
  const { alone, others } = await child.said<{ alone: string[]; others: string[][] }>('answers');
  expect(alone).toHaveLength(6);
  expect(alone.join('')).toMatch(/bake/);
  expect(others).toEqual(Array(6).fill(alone));
  expect(await child.ended).toMatchObject(clean);
});

describe('closing a session while it works', () => {
  const closed = { code: 'OPTION_INVALID', name: 'RosiError' };
  test.each(['capture', 'logits', 'adapter'])('lets %s end with its result', async (operation) => {
    const child = new Child(['close-while-busy.mjs', operation], { node: ['--expose-gc'] });
    const result = await child.said<{ code: string; count: number; finite: boolean }>('result');
    expect(result).toMatchObject({ code: 'FULFILLED', finite: true });
    expect(result.count).toBeGreaterThan(100);
    expect(await child.said('afterwards')).toMatchObject(closed);
    expect(await child.said('again')).toMatchObject(closed);
    expect(await child.ended).toMatchObject(clean);
  });

  test('ends generate with a typed error: its tokens can no longer be read', async () => {
    const child = new Child(['close-while-busy.mjs', 'generate'], { node: ['--expose-gc'] });
    expect(await child.said('result')).toMatchObject(closed);
    expect(await child.ended).toMatchObject(clean);
  });
});
