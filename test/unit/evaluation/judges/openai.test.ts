import { execFile } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { openAiJudge, rubrics, type Judged, type OpenAiJudgeOptions, type Progress } from '../../../../lib';

interface Asked {
  path: string;
  key: string | undefined;
  body: { model: string; temperature?: number; max_tokens?: number; messages: { role: string; content: string }[] };
}
type Handler = (asked: Asked, response: ServerResponse) => unknown;

const items: Judged[] = Array.from({ length: 9 }, (_, i) => ({
  role: 'harmful',
  request: `request ${i}`,
  answer: `answer ${i}`,
}));
const one = items.slice(0, 1);
/** Pauses before another try that the test need not wait for. */
const soon = { 'retry-after-ms': '1', 'content-type': 'application/json' };

let handler: Handler;
let asked: Asked[] = [];
const server = createServer((request: IncomingMessage, response: ServerResponse) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    // What a call of an earlier test still sends, perhaps late, is not this test's.
    const [, of, path] = /^\/(\d+)(\/.*)$/u.exec(request.url!)!;
    if (Number(of) !== turn) return void response.destroy();
    const body = JSON.parse(Buffer.concat(parts).toString()) as Asked['body'];
    const entry = { path: path!, key: request.headers.authorization, body };
    asked.push(entry);
    void handler(entry, response);
  });
});
/** Of a test. Its endpoint's addresses begin with it. */
let turn = 0;
let baseURL: string;
const before = { ...process.env };

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  asked = [];
  baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/${++turn}/v1`;
  delete process.env['OPENAI_API_KEY'];
  delete process.env['OPENAI_BASE_URL'];
});
afterEach(async () => {
  process.env = { ...before };
  server.closeAllConnections();
  await later(20); // for the client to see it, or its next request goes down a closed one
});

function reply(response: ServerResponse, content: string | null): void {
  response.writeHead(200, soon);
  response.end(
    JSON.stringify({ object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content } }] }),
  );
}
function refuse(response: ServerResponse, status: number, message = 'no'): void {
  response.writeHead(status, soon);
  response.end(JSON.stringify({ error: { message, type: 'x' } }));
}
const judge = (options: Partial<OpenAiJudgeOptions> = {}) => openAiJudge({ model: 'tiny', baseURL, ...options });
const later = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe('openAiJudge', () => {
  test('asks for each item and reads the replies, in order', async () => {
    handler = async ({ body }, response) => {
      const i = Number(/answer (\d)/u.exec(body.messages[1]!.content)![1]);
      await later((9 - i) * 3);
      reply(response, i % 2 === 0 ? 'refused' : JSON.stringify({ reason: 'r', label: 'complied', harmful: true }));
    };
    const heard: Progress[] = [];
    const verdicts = await judge({ apiKey: 'k' }).judge(items, { onProgress: (progress) => heard.push(progress) });
    expect(verdicts.map(({ label }) => label)).toEqual(items.map((_, i) => (i % 2 === 0 ? 'refused' : 'complied')));
    expect(verdicts[1]).toEqual({ label: 'complied', harmful: true, reason: 'r' });
    expect(heard.at(-1)).toEqual({ stage: 'judge', done: 1, total: 9, unit: 'answers', note: 'openai:tiny' });
    expect(asked).toHaveLength(9);
    expect(asked[0]).toMatchObject({
      path: '/v1/chat/completions',
      key: 'Bearer k',
      body: { model: 'tiny', temperature: 0, max_tokens: 256, stream: false },
    });
    expect(asked[0]!.body.messages).toEqual([
      { role: 'system', content: rubrics.labels.system },
      { role: 'user', content: rubrics.labels.user(items[0]!) },
    ]);
  });

  test('takes endpoint and key from the environment', async () => {
    handler = (_, response) => reply(response, '#scores\n1.b 0\n2.b 5\n3.b 5');
    process.env['OPENAI_BASE_URL'] = `${baseURL}/`;
    process.env['OPENAI_API_KEY'] = 'from-environment';
    const [verdict] = await openAiJudge({ model: 'tiny', rubric: 'strongreject' }).judge(one, {});
    expect(verdict).toMatchObject({ label: 'complied', harmful: true });
    expect(asked[0]!.key).toBe('Bearer from-environment');
  });

  test('sends further fields, and leaves out those that an endpoint refuses', async () => {
    handler = (_, response) => reply(response, 'refused');
    await judge({ request: { temperature: undefined, max_tokens: undefined, seed: 3 } }).judge(one, {});
    expect(Object.keys(asked[0]!.body).sort()).toEqual(['messages', 'model', 'seed', 'stream']);
  });

  test('a rubric without a system text has no system turn', async () => {
    handler = (_, response) => reply(response, 'refused');
    await judge({ rubric: { ...rubrics.labels, system: ' ' } }).judge(one, {});
    expect(asked[0]!.body.messages.map(({ role }) => role)).toEqual(['user']);
  });

  test.each([[null], [''], ['I would say that it refuses.']])('does not guess what %j says', async (content) => {
    handler = (_, response) => reply(response, content);
    const [verdict] = await judge().judge(one, {});
    expect(verdict).toMatchObject({ label: null, harmful: null });
    expect(asked).toHaveLength(1);
  });

  test('has as many requests under way as it may, and no more', async () => {
    let most = 0;
    const waiting: ServerResponse[] = [];
    handler = async (_, response) => {
      most = Math.max(most, waiting.push(response));
      if (waiting.length !== 3) return; // all nine come in threes, or the call does not end
      await later(20); // for a fourth
      for (const held of waiting.splice(0)) reply(held, 'refused');
    };
    await judge({ concurrency: 3 }).judge(items, {});
    expect(most).toBe(3);
  });

  test('asks nothing about nothing', async () => {
    expect(await judge().judge([], {})).toEqual([]);
    expect(asked).toEqual([]);
  });

  test.each([429, 500, 503, 408])('tries again after status %d', async (status) => {
    handler = (_, response) => (asked.length < 3 ? refuse(response, status) : reply(response, 'refused'));
    const [verdict] = await judge({ retries: 2 }).judge(one, {});
    expect(verdict!.label).toBe('refused');
    expect(asked).toHaveLength(3);
  });
});

describe('JUDGE_FAILED', () => {
  const failure = async (options: Partial<OpenAiJudgeOptions> = {}) => {
    const error: unknown = await judge({ retries: 1, ...options })
      .judge(items, {})
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'RosiError', code: 'JUDGE_FAILED', details: { judge: 'openai:tiny' } });
    return error as Error & { details: Record<string, unknown> };
  };

  test.each([
    [401, 1, /check the key/u],
    [404, 1, /check model and baseURL/u],
    [400, 1, /what the server refuses/u],
    [429, 2, /lower concurrency/u],
    [500, 2, /what the server says/u],
  ])('names endpoint and status %d after %d tries, and what to do', async (status, tries, mend) => {
    handler = (_, response) => refuse(response, status, 'these are\nthe reasons');
    const error = await failure({ concurrency: 1 });
    expect(error.details).toMatchObject({ endpoint: baseURL, status });
    expect(error.message).toMatch(mend);
    expect(error.message).toContain(`${baseURL} answered with status ${status}`);
    expect(error.message).toContain('these are the reasons');
    expect(asked).toHaveLength(tries);
  });

  test('one failed item fails the call and gives up the others', async () => {
    handler = ({ body }, response) => {
      // The other is left waiting.
      if (body.messages[1]!.content.includes('answer 1')) refuse(response, 400);
    };
    await failure({ concurrency: 2 });
    await later(20);
    expect(asked.length).toBeLessThan(3);
  });

  test('of an endpoint that is not there', async () => {
    const error = await failure({ baseURL: 'http://127.0.0.1:9/v1', retries: 0 });
    expect(error.message).toMatch(/http:\/\/127.0.0.1:9\/v1 could not be reached in one try: .*check baseURL/u);
    expect(error.details['status']).toBeNull();
  });

  test.each([
    ['JSON that is cut', 'application/json', '{"choices": ['],
    ['a page', 'text/html', '<html>Welcome</html>'],
    ['another object', 'application/json', '{"error": "soon"}'],
    ['no choices', 'application/json', '{"choices": []}'],
    ['null', 'application/json', 'null'],
  ])('of an endpoint that answers with %s', async (_, type, text) => {
    handler = (_, response) => void response.writeHead(200, { 'content-type': type }).end(text);
    const error = await failure();
    expect(error.message).toMatch(/answered with what is no chat completion: .*baseURL/u);
  });
});

describe('an abort', () => {
  test('stops what is under way', async () => {
    const controller = new AbortController();
    let closed = 0;
    handler = (_, response) => {
      response.on('close', () => ++closed);
      if (asked.length === 2) controller.abort(new Error('enough'));
    };
    const judging = judge({ concurrency: 2 }).judge(items, { signal: controller.signal });
    await expect(judging).rejects.toMatchObject({ name: 'RosiError', code: 'ABORTED' });
    for (let waits = 0; closed < 2 && waits < 100; ++waits) await later(20);
    expect(closed).toBe(2);
    expect(asked).toHaveLength(2);
  });
  test('before the call asks nothing', async () => {
    const signal = AbortSignal.abort();
    await expect(judge().judge(items, { signal })).rejects.toMatchObject({ code: 'ABORTED' });
    expect(asked).toEqual([]);
  });
  test('while it waits to try again ends the wait', async () => {
    const controller = new AbortController();
    handler = (_, response) => {
      response.writeHead(500, { 'retry-after-ms': '6000' }).end();
      setTimeout(() => controller.abort(), 10);
    };
    const start = Date.now();
    await expect(judge().judge(one, { signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' });
    expect(Date.now() - start).toBeLessThan(5000);
  });
});

describe('options', () => {
  test.each<[string, Partial<OpenAiJudgeOptions>]>([
    ['model', { model: ' ' }],
    ['concurrency', { concurrency: 0 }],
    ['concurrency', { concurrency: 1.5 }],
    ['retries', { retries: -1 }],
    ['timeout', { timeout: 0 }],
    ['timeout', { timeout: NaN }],
    ['baseURL', { baseURL: 'localhost' }],
    ['baseURL', { baseURL: 'http://user:secret@localhost/v1' }],
    ['rubric', { rubric: 'toString' as 'labels' }],
    ['apiKey', { baseURL: 'https://api.openai.com/v1/' }],
  ])('%s is checked: %j', (option, change) => {
    expect(() => judge(change)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID', details: { option } }));
  });

  test('decide the identity, but for those that change no verdict', () => {
    const same = [{}, { apiKey: 'k' }, { concurrency: 9 }, { retries: 0 }, { timeout: 5 }, { name: 'x' }];
    const other: Partial<OpenAiJudgeOptions>[] = [
      { model: 'm' },
      { baseURL: 'http://other/v1' },
      { rubric: 'strongreject' },
      { request: { seed: 1 } },
    ];
    const identity = (change: Partial<OpenAiJudgeOptions>) => judge(change).identity!;
    expect(new Set(same.map(identity)).size).toBe(1);
    expect(new Set([{}, ...other].map(identity)).size).toBe(5);
    expect(judge({ name: 'x' }).name).toBe('x');
  });
});

// In a process of its own, since errors of another realm are none to the package.
describe('in the built library', () => {
  const run = async (script: string) => {
    const cwd = join(__dirname, '..', '..', '..', '..');
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', script, baseURL], { cwd });
    return stdout.trim();
  };
  const judging = (options: string) => `rosi.openAiJudge({ model: 'm', baseURL: process.argv[1], ${options} })
    .judge([{ role: 'harmful', request: 'r', answer: 'a' }], {})`;

  test('the client is loaded with the first verdict, not with the library', async () => {
    handler = (_, response) => reply(response, 'refused');
    const loaded = 'Object.keys(require.cache).some((path) => /node_modules.openai/.test(path))';
    const script = `const rosi = require('./dist'); const before = ${loaded};
      ${judging('')}.then(([{ label }]) => console.log(before, ${loaded}, label));`;
    expect(await run(script)).toBe('false true refused');
  });
  test('an ES module judges, too', async () => {
    handler = (_, response) => reply(response, 'partial');
    const script = `import('./dist/index.mjs').then((rosi) => ${judging('')}).then(([{ label }]) => console.log(label));`;
    expect(await run(script)).toBe('partial');
  });
  test('an endpoint that does not answer in time fails', async () => {
    handler = () => {};
    const script = `const rosi = require('./dist');
      ${judging('timeout: 40, retries: 0')}.catch((error) => console.log(error.code, error.message));`;
    expect(await run(script)).toMatch(/^JUDGE_FAILED .* gave no answer within 40 ms in one try. .*raise timeout/u);
  });
  test('an endpoint that begins to answer and does not go on fails, too', async () => {
    handler = (_, response) => void response.writeHead(200, soon).write('{"choices": ');
    const script = `const rosi = require('./dist');
      ${judging('timeout: 1000, retries: 1')}.catch((error) => console.log(error.code, error.message));`;
    expect(await run(script)).toMatch(/^JUDGE_FAILED .* gave no answer within 1000 ms in 2 tries/u);
    expect(asked.length).toBeGreaterThan(0); // a machine that is busy may not get to send each
  });
  test.each([
    ['an abort', 'setTimeout(() => controller.abort(), 300)', 'ABORTED'],
    ['the failure of another request', '0', 'JUDGE_FAILED'],
  ])('%s leaves no pause behind that keeps the process', async (_, abort, code) => {
    handler = ({ body }, response) => {
      if (abort === '0' && body.messages[1]!.content.includes('fails')) {
        setTimeout(() => refuse(response, 400), 200);
      } else response.writeHead(500, { 'retry-after-ms': '60000' }).end();
    };
    const script = `const rosi = require('./dist');
      const controller = new AbortController();
      const items = ['waits', 'fails'].map((answer) => ({ role: 'harmful', request: 'r', answer }));
      const judge = rosi.openAiJudge({ model: 'm', baseURL: process.argv[1] });
      judge.judge(items, { signal: controller.signal }).catch((error) => console.log(error.code));
      ${abort};`;
    const start = Date.now();
    expect(await run(script)).toBe(code);
    expect(Date.now() - start).toBeLessThan(30_000);
  });
  test('an endpoint that is not there says why', async () => {
    const script = `const rosi = require('./dist'); process.argv[1] = 'http://127.0.0.1:2/v1';
      ${judging('retries: 0')}.catch((error) => console.log(error.code, error.message));`;
    expect(await run(script)).toMatch(/^JUDGE_FAILED .* could not be reached in one try: .*ECONNREFUSED/u);
  });
});
