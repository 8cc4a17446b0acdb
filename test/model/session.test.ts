import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpuUsage } from 'node:process';

import { captureActivations, findWriters, generate, ModelSession, type Progress } from '../../lib';
import { native, runTask, type RankOneFactors, type SessionHandle } from '../../lib/native';
import { inChild } from '../helpers/in-child';
import { temporaryFolder } from '../helpers/temporary';
import { tinyChat, tinyPrompts } from '../helpers/tiny-chat';
import { readGguf } from '../helpers/tiny-gguf';
import { tinyModel } from '../helpers/tiny-model';

const folder = temporaryFolder();
const threads = 1;
const prompts = tinyPrompts(16).test.harmless;
let session: ModelSession;
beforeAll(async () => void (session = await ModelSession.open(tinyChat, { threads })));
afterAll(() => session.close());

async function withHandle<T>(path: string, use: (handle: SessionHandle) => Promise<T>): Promise<T> {
  const handle = await runTask(() => native.openSession(path, { threads }, () => {}));
  try {
    return await use(handle);
  } finally {
    native.closeHandle(handle);
  }
}

/** The tiny chat model with another context length. */
function withContext(length: number): string {
  const bytes = readFileSync(tinyChat);
  bytes.writeUInt32LE(length, readGguf(tinyChat).entries.find(({ key }) => key === 'llama.context_length')!.at);
  const path = join(folder, `context-${length}.gguf`);
  writeFileSync(path, bytes);
  return path;
}

/** `length` tokens that no other prompt begins with. */
const long = (length: number) => Int32Array.from({ length }, (_, i) => 300 + (i % 1000));

describe('calls that wait for another', () => {
  test('end within a second of their abort', () =>
    withHandle(tinyChat, async (handle) => {
      const work = Array.from({ length: 500 }, (_, i) => long(100).map((token) => 300 + ((token + i) % 1000)));
      const busy = native.nextTokenLogits(handle, { prompts: work, threads }, () => {});
      let ended = false;
      const running = busy.done.then(() => (ended = true));
      const controller = new AbortController();
      const tokens = prompts.map((prompt) => session.encode(prompt));
      const waiting = [
        runTask(() => native.generate(handle, { prompts: tokens, maxTokens: 4, threads }, () => {}), controller.signal),
        runTask(() => native.nextTokenLogits(handle, { prompts: tokens, threads }, () => {}), controller.signal),
        runTask(
          () => native.capture(handle, { prompts: tokens, streams: [], writers: [], threads }, () => {}),
          controller.signal,
        ),
      ];
      const settled = Promise.allSettled(waiting);
      setTimeout(() => controller.abort(), 20);
      for (const result of await settled) expect(result).toMatchObject({ reason: { code: 'ABORTED' } });
      expect(ended).toBe(false); // or they would have got their turn
      busy.cancel();
      await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
    }));
});

describe('generate', () => {
  const tokens = () => prompts.map((prompt) => session.encode(prompt));

  test('gives the same answers, in prompt order, with room for few at once', () =>
    withHandle(tinyChat, async (handle) => {
      const request = { prompts: [...tokens(), long(200), ...tokens()], maxTokens: 12, threads };
      const answers = async (limits: { parallel: number; cells?: number }) => {
        const result = await runTask(() => native.generate(handle, { ...request, ...limits }, () => {}));
        return result.answers.map((answer) => [...answer]);
      };
      const alone = await answers({ parallel: 1 });
      expect(alone.slice(0, prompts.length)).toEqual(alone.slice(prompts.length + 1));
      expect(await answers({ parallel: 24 })).toEqual(alone);
      expect(await answers({ parallel: 24, cells: 300 })).toEqual(alone);
      expect(await answers({ parallel: 24, cells: 0 })).toEqual(alone);
    }));

  test('takes memory for what the prompts need, not for all as long as the longest', () => {
    const others = tokens().map((prompt) => [...prompt]);
    const measure = `
      const session = await addon.openSession(args.path, { threads: 1 }, () => {}).done;
      const run = (prompts) =>
        addon.generate(session, { prompts: prompts.map((p) => Int32Array.from(p)), maxTokens: 2, parallel: 16, threads: 1 }, () => {}).done;
      await run([args.long]);
      const before = process.resourceUsage().maxRSS;
      await run([...args.others, args.long]);
      print(process.resourceUsage().maxRSS - before);`;
    const { lines } = inChild(measure, { path: withContext(8192), others, long: [...long(1500)] });
    // Kilobytes. A cell is 6 blocks x (keys + values) x 2 heads x 64 x 2 bytes = 3 KiB: 16 x 1500 cells were 72 MB.
    expect(lines[0]).toBeLessThan(30_000);
  });

  test('keeps the white space of a raw continuation', async () => {
    const prompt = 'You need a';
    const [raw] = await generate(tinyChat, [prompt], { raw: true, maxTokens: 4, threads });
    expect(raw!.text).toMatch(/^ \S/);
    const tokens = session.encodeText(prompt);
    expect((await session.generate([tokens], { maxTokens: 4 })).texts[0]).toBe(raw!.text.trim());
  });
});

describe('encodeConversation', () => {
  test('of a single turn is encode', () => {
    const conversation = { user: 'Who?', system: 'Be brief.', assistantPrefix: 'Me' };
    expect(session.encodeConversation(conversation)).toEqual(session.encode('Who?', 'Be brief.', 'Me'));
  });
  test('makes no control token of what was said in earlier turns', () => {
    const control = (text: string) => {
      const tokens = session.encodeConversation({ history: [{ user: text, assistant: text }], user: text });
      return [...tokens].filter((token) => session.decode(Int32Array.of(token)) === '');
    };
    expect(session.info.controlTokens).not.toHaveLength(0);
    expect(control(session.info.controlTokens.join(' '))).toEqual(control('Why?'));
  });
});

describe('errors are RosiErrors', () => {
  test('of an adapter without factors', () => {
    expect(() => session.loadAdapter([])).toThrow(
      expect.objectContaining({ name: 'RosiError', code: 'OPTION_INVALID' }),
    );
  });

  test.each<[string, Partial<RankOneFactors>]>([
    ['a tensor that is not there', { name: 'blk.3.attn_out.weight' }],
    ['a short left factor', { left: new Float32Array(255) }],
    ['a long right factor', { right: new Float32Array(512) }],
    ['experts where there are none', { nExperts: 2 }],
    ['experts that do not divide the numbers', { nExperts: 3 }],
    ['no experts at all', { nExperts: 0, left: new Float32Array(0) }],
  ])('of an adapter for %s', (_, change) => {
    const factors = { name: 'blk.3.attn_output.weight', left: new Float32Array(256), right: new Float32Array(256) };
    expect(() => session.loadAdapter([factors])).not.toThrow();
    expect(() => session.loadAdapter([{ ...factors, ...change }])).toThrow(
      expect.objectContaining({ name: 'RosiError', code: 'OPTION_INVALID' }),
    );
  });

  test('of an adapter made for another session', async () => {
    const other = await ModelSession.open(tinyChat, { threads });
    const left = new Float32Array(256).fill(0.01);
    const adapter = other.loadAdapter([{ name: 'blk.3.attn_output.weight', left, right: left }]);
    const tokens = [session.encode(prompts[0]!)];
    const edit = { adapter, scale: 1 };
    await expect(session.nextTokenLogits(tokens, edit)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    await expect(session.generate(tokens, { maxTokens: 1, edit })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    expect(await other.nextTokenLogits(tokens, edit)).not.toEqual(await session.nextTokenLogits(tokens));
    native.closeHandle(adapter);
    other.close();
  });

  test('of a session that is closed', async () => {
    const closed = await ModelSession.open(tinyChat, { threads });
    closed.close();
    closed.close();
    const refused = expect.objectContaining({ name: 'RosiError', code: 'OPTION_INVALID' });
    expect(() => closed.encode('Hello')).toThrow(refused);
    expect(() => closed.decode(Int32Array.of(300))).toThrow(refused);
    expect(() => closed.loadAdapter([])).toThrow(refused);
    await expect(closed.nextTokenLogits([Int32Array.of(300)])).rejects.toEqual(refused);
  });

  test('of a token that the vocabulary does not have', () => {
    const refused = expect.objectContaining({ name: 'RosiError', code: 'OPTION_INVALID' });
    expect(() => session.decode(Int32Array.of(-1))).toThrow(refused);
    expect(() => session.decode(Int32Array.of(session.info.nVocab))).toThrow(refused);
  });

  test('of a prompt beyond the context, which is named', async () => {
    const text = `Tell me about ${'bread and '.repeat(400)}`;
    const tokens = [session.encode(prompts[0]!), session.encode(text)];
    const details = { prompt: text, tokens: tokens[1]!.length, nContext: 512 };
    const refused = { name: 'RosiError', code: 'PROMPTS_INVALID', details };
    await expect(session.nextTokenLogits(tokens)).rejects.toMatchObject(refused);
    await expect(session.capture(tokens, { streams: true, writers: [] })).rejects.toMatchObject(refused);
    const generating = session.generate(tokens, { maxTokens: 8 });
    await expect(generating).rejects.toMatchObject({ ...refused, details: { ...details, room: 8 } });
    await expect(generating).rejects.toThrow(
      `the prompt "${text.slice(0, 59)}…" has ${tokens[1]!.length} tokens and 8 for its answer; ` +
        `this model's context is 512: remove or shorten it, or lower maxTokens`,
    );
    await expect(session.nextTokenLogits([new Int32Array()])).rejects.toMatchObject({ code: 'PROMPTS_INVALID' });
  });
});

describe('progress', () => {
  test('the engine tells the same share once', () =>
    withHandle(tinyChat, async (handle) => {
      const ticks: number[] = [];
      const tokens = prompts.map((prompt) => session.encode(prompt));
      await runTask(() =>
        native.generate(handle, { prompts: tokens, maxTokens: 16, threads }, (done) => ticks.push(done)),
      );
      expect(ticks.length).toBeGreaterThan(1);
      expect(ticks.filter((done, i) => done === ticks[i - 1])).toEqual([]);
    }));

  test('every stage ends at 1, that of measuring threads too', async () => {
    const heard: Progress[] = [];
    const measured = await ModelSession.open(tinyChat, { onProgress: (progress) => heard.push(progress) });
    const tokens = prompts.map((prompt) => measured.encode(prompt));
    await measured.capture(tokens, { streams: true, writers: [] });
    await measured.nextTokenLogits(tokens);
    await measured.generate(tokens, { maxTokens: 8 });
    measured.close();
    const stages = [...new Set(heard.map(({ stage }) => stage))];
    expect(stages).toEqual([
      'load',
      ...(stages.includes('threads') ? ['threads'] : []),
      'capture',
      'logits',
      'generate',
    ]);
    for (const stage of stages) {
      const done = heard.filter((progress) => progress.stage === stage).map((progress) => progress.done);
      expect(done.at(-1)).toBe(1);
      expect(done).toEqual([...done].sort((a, b) => a - b));
    }
  });
});

describe('capture', () => {
  const tokens = () => tinyPrompts(48).fit.harmless.map((prompt) => session.encode(prompt));

  test('of the first blocks equals the first of all', async () => {
    const writers = ['blk.1.ffn_down.weight', 'blk.0.attn_output.weight'];
    const all = await session.capture(tokens(), { streams: true, writers });
    const some = await session.capture(tokens(), { streams: true, writers, nLayer: 2 });
    const width = all.dModel;
    const first = tokens().map((_, i) => all.streams.subarray(i * 6 * width, (i * 6 + 2) * width));
    expect(some.streams).toEqual(Float32Array.from(first.flatMap((rows) => [...rows])));
    expect(some.inputs).toEqual(all.inputs);
    expect(some.streams.some((value) => value !== 0)).toBe(true);
  });

  test('with logits runs on, and gives what each call alone would', async () => {
    const request = { streams: true, nLayer: 2, writers: ['blk.0.attn_output.weight'] };
    const both = await session.capture(tokens(), { ...request, logits: true });
    const alone = await session.capture(tokens(), request);
    expect(both.streams).toEqual(alone.streams);
    expect(both.inputs).toEqual(alone.inputs);
    expect(both.logits).toEqual(await session.nextTokenLogits(tokens()));
    expect(alone.logits).toBeNull();
    const positions = tokens().map((prompt) => [0, prompt.length - 2]);
    expect((await session.capture(tokens(), { ...request, positions, logits: true })).logits).toEqual(both.logits);
  });

  test('runs to the last block that is needed', async () => {
    const many = Array.from({ length: 3 }, tokens).flat();
    const cost = async (nLayer: number, writers: string[] = []) => {
      const before = cpuUsage();
      await session.capture(many, { streams: true, nLayer, writers });
      return cpuUsage(before).user;
    };
    await cost(6);
    const whole = Math.min(await cost(6), await cost(6));
    expect(Math.min(await cost(1), await cost(1))).toBeLessThan(0.6 * whole);
    expect(Math.min(await cost(0, ['blk.0.ffn_down.weight']), await cost(0, ['blk.0.ffn_down.weight']))).toBeLessThan(
      0.6 * whole,
    );
  });

  test('more blocks than there are', async () => {
    const refused = { code: 'OPTION_INVALID' };
    await expect(session.capture(tokens(), { streams: true, nLayer: 7, writers: [] })).rejects.toMatchObject(refused);
    await expect(session.capture(tokens(), { streams: true, nLayer: -1, writers: [] })).rejects.toMatchObject(refused);
  });

  test('captureActivations reads as many blocks as it is told', async () => {
    const writers = (await findWriters(session)).writers.filter(({ layer }) => layer < 2);
    const { fit } = tinyPrompts(16);
    const { nLayer, streams, inputs } = await captureActivations(session, { borderline: [], ...fit }, writers, {
      seed: 1,
      system: 'Be kind.',
      nLayer: 2,
    });
    expect(nLayer).toBe(2);
    expect(streams.harmful).toMatchObject({ count: 16, width: 2 * session.info.dModel });
    expect([...inputs.keys()]).toEqual(writers.map(({ name }) => name));
  });
});

describe('the first token of a text', () => {
  test('of a byte-pair vocabulary', () => {
    const first = (text: string) => session.decode(Int32Array.of(session.firstToken(text)!));
    expect(first('I cannot')).toBe('I');
    expect(first(' I cannot')).toBe(' I');
    expect(first('\nI cannot')).toBe('I');
    expect(session.firstToken('')).toBeUndefined();
    expect(session.firstToken(' \n')).toBeUndefined();
  });

  test('of a vocabulary that puts a space before every text', async () => {
    const pieces = ['▁I', '▁▁', '▁', 'I', 'c', 'a', 'n'];
    const path = tinyModel({ pieces }).write(join(folder, 'spm.gguf'));
    const spm = await ModelSession.open(path, { threads });
    const [withSpace, bare] = ['▁I', 'I'].map((piece) => 259 + pieces.indexOf(piece));
    expect([...spm.encodeText('I can')].slice(0, 1)).toEqual([withSpace]);
    expect(spm.decode(spm.encodeText(' I').subarray(0, 1)).trim()).toBe(''); // what firstToken() is for
    expect(spm.firstToken('I can')).toBe(withSpace);
    expect([withSpace, bare]).toContain(spm.firstToken(' I can'));
    expect(spm.firstToken('\nI can')).toBe(bare);
    expect(spm.decode(spm.encodeText('I can'))).toBe(' I can'); // as the tokens spell it
    spm.close();
  });
});
