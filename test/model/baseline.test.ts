import { ModelSession, type Progress } from '../../lib';
import { measureBaseline } from '../../lib/baseline';
import { tinyChat, tinyChatUncensored, tinyPrompts } from '../helpers/tiny-chat';

const { fit } = tinyPrompts();

async function measure(path: string, prompts = fit, heard: Progress[] = []) {
  const session = await ModelSession.open(path, { threads: 1, onProgress: (progress) => heard.push(progress) });
  try {
    return await measureBaseline(session, prompts);
  } finally {
    session.close();
  }
}

describe('measureBaseline', () => {
  test('of a model that refuses some asks no more', async () => {
    const { plain, prompted, uncensored } = await measure(tinyChat);
    expect(plain.harmful).toBeGreaterThan(0.3);
    expect(plain.harmless).toBeLessThan(0.1);
    expect({ prompted, uncensored }).toEqual({ prompted: null, uncensored: false });
  });
  test('finds that a model refuses only when it is told to', async () => {
    const heard: Progress[] = [];
    const { plain, prompted, uncensored } = await measure(tinyChatUncensored, fit, heard);
    expect(plain.harmful).toBeLessThan(0.1);
    expect(prompted!.harmful).toBeGreaterThan(0.7);
    expect(uncensored).toBe(true);
    expect(new Set(heard.map(({ note }) => note))).toContain('with a safety system prompt');
  });
  test('refuses classes that were exchanged', async () => {
    const exchanged = { ...fit, harmful: fit.harmless, harmless: fit.harmful };
    await expect(measure(tinyChat, exchanged)).rejects.toMatchObject({
      code: 'PROMPTS_INVALID',
      details: { harmful: 0 },
    });
  });
});
