// A model spread over RPC servers of the engine, which `npm run test:rpc` builds: each in a network of its own.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

import {
  captureActivations,
  evaluate,
  findWriters,
  generate,
  harden,
  ModelSession,
  plainSuite,
  type EvaluateOptions,
} from '../../lib';
import type { ModelWriters } from '../../lib/writers';
import { freePort } from '../helpers/free-port';
import { RpcServer, rpcServer, whyNoNamespaces } from '../helpers/rpc-servers';
import { kernels } from '../helpers/kernels';
import { folderPerTest, temporaryFolder } from '../helpers/temporary';
import { tinyChat, tinyPrompts } from '../helpers/tiny-chat';

const ownFolder = folderPerTest();
// Of quantised weights the engine rounds the inputs as well, and where a processor has instructions for them (AMX) it reads them
// otherwise in this process than in a server: the same to some thousandths, which hides whether all else is the same.
const floatChat = join(temporaryFolder(), 'float.gguf');
const threads = 1;
const { test: prompts } = tinyPrompts(24);
const whyShared = rpcServer === null ? null : whyNoNamespaces();
if (rpcServer === null) console.warn('no RPC server is built: npm run test:rpc');
else if (whyShared !== null) console.warn(`the servers share this machine's network: ${whyShared}`);
const withServers = rpcServer === null ? describe.skip : describe;
const withNetworks = rpcServer === null || whyShared !== null ? test.skip : test;

let servers: RpcServer[] = [];
let rpc: string[];
beforeAll(async () => {
  if (rpcServer === null) return;
  kernels._engineQuantize(tinyChat, floatChat, 0, threads);
  servers = await Promise.all([0, 1, 2].map(() => RpcServer.start(whyShared === null)));
  rpc = servers.map(({ endpoint }) => endpoint);
});
afterAll(() => Promise.all(servers.map((server) => server.end())));

async function withSession<T>(
  more: { rpc?: string[]; gpuLayers?: number },
  use: (session: ModelSession) => Promise<T>,
) {
  const session = await ModelSession.open(floatChat, { threads, ...more });
  try {
    return await use(session);
  } finally {
    session.close();
  }
}

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** How far `b` is from `a`, in norms of `a`. */
function difference(a: Float32Array, b: Float32Array): number {
  expect(b).toHaveLength(a.length);
  return Math.sqrt(
    a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.reduce((sum, value) => sum + value ** 2, 0),
  );
}

withServers('three RPC servers', () => {
  let found: ModelWriters;
  beforeAll(async () => void (found = await withSession({}, findWriters)));
  const activations = (session: ModelSession) =>
    captureActivations(session, { ...prompts, borderline: [] }, found.writers, { seed: 0 });

  test.each([
    ['all blocks', undefined],
    ['the last two', 2],
  ])('give the activations that this machine gives: %s', async (_, gpuLayers) => {
    const here = await withSession({}, activations);
    const there = await withSession({ rpc, gpuLayers }, activations);
    for (const role of ['harmful', 'harmless'] as const) {
      expect(difference(here.streams[role].data, there.streams[role].data)).toBeLessThan(1e-5);
      for (const [writer, inputs] of here.inputs)
        expect(difference(inputs[role].data, there.inputs.get(writer)![role].data)).toBeLessThan(1e-5);
    }
    expect([...there.inputs.keys()]).toEqual(found.writers.map(({ name }) => name));
  });

  test('find the same writers', async () => {
    expect(await withSession({ rpc }, findWriters)).toEqual(found);
  });

  test('harden to the same file', async () => {
    const folder = ownFolder();
    const how = { threads, trials: 3, maxTokens: 8, cache: false } as const;
    const small = { fit: tinyPrompts().fit, validation: tinyPrompts(8).validation, test: tinyPrompts(8).test };
    const output = (name: string) => join(folder, `${name}.gguf`);
    const here = await harden(floatChat, small, { ...how, output: output('here') });
    const there = await harden(floatChat, small, { ...how, output: output('there'), rpc });
    expect(there.edit).toEqual(here.edit);
    expect(there.after).toEqual(here.after);
    expect(sha256(output('there'))).toBe(sha256(output('here')));
  });

  test('when one is killed in the middle, the run ends within seconds and names it; a rerun goes on', async () => {
    const cache = join(ownFolder(), 'cache');
    const suites = [plainSuite('harmful', 'harmful', tinyPrompts(120).test.harmful)];
    const options = { threads, maxTokens: 64, rpc } satisfies EvaluateOptions;
    const undisturbed = await evaluate([tinyChat], suites, { ...options, cache: false });
    let killed = 0;
    const batches: string[] = [];
    const running = evaluate([tinyChat], suites, {
      ...options,
      cache,
      onProgress: ({ stage, note = '', done }) => {
        if (stage !== 'answer') return;
        if (!batches.includes(note)) batches.push(note);
        // In the second of the batches that are stored whole.
        if (batches.length < 2 || done < 0.3 || killed > 0) return;
        killed = performance.now();
        void servers[1]!.kill();
      },
    });
    await expect(running).rejects.toMatchObject({
      code: 'SERVER_FAILED',
      details: { server: rpc[1] },
    });
    expect(performance.now() - killed).toBeLessThan(10_000);
    await servers[1]!.restart();
    const later: string[] = [];
    const resumed = await evaluate([tinyChat], suites, {
      ...options,
      cache,
      onProgress: ({ stage, note = '' }) => {
        if (stage === 'answer' && !later.includes(note)) later.push(note);
      },
    });
    expect(resumed.suites).toEqual(undisturbed.suites);
    expect(batches[0]).toMatch(/answers 1 to 48 of /u);
    expect(later[0]).toMatch(new RegExp(`answers 1 to 48 of ${suites[0]!.items.length - 48}$`, 'u'));
  });

  test('a session of a lost server says so each time, and closes', async () => {
    const session = await ModelSession.open(tinyChat, { threads, rpc });
    const partly = await ModelSession.open(tinyChat, { threads, rpc, gpuLayers: 3 });
    const prompt = session.encode(prompts.harmless[0]!);
    await session.generate([prompt], { maxTokens: 4 });
    await servers[2]!.kill();
    const failed = { code: 'SERVER_FAILED', details: { server: rpc[2] } };
    await expect(session.generate([prompt], { maxTokens: 4 })).rejects.toMatchObject(failed);
    await expect(session.nextTokenLogits([prompt])).rejects.toMatchObject(failed);
    await expect(partly.generate([prompt], { maxTokens: 4 })).rejects.toMatchObject(failed);
    await expect(generate(tinyChat, ['x'], { threads, rpc })).rejects.toMatchObject(failed);
    await servers[2]!.restart();
    // Another server is there; what this session had is not.
    await expect(session.generate([prompt], { maxTokens: 4 })).rejects.toMatchObject(failed);
    session.close();
    partly.close();
    expect(await generate(tinyChat, [prompts.harmless[0]!], { threads, rpc, maxTokens: 4 })).toEqual(
      await generate(tinyChat, [prompts.harmless[0]!], { threads, maxTokens: 4 }),
    );
  });

  test('two sessions that compute at once do not get in each other’s way', async () => {
    const tokens = await withSession({}, async (session) => prompts.harmless.map((prompt) => session.encode(prompt)));
    const answers = (session: ModelSession, some: Int32Array[]) => session.generate(some, { maxTokens: 24 });
    const here = await withSession({}, (session) => answers(session, tokens));
    const halves = [tokens.slice(0, 12), tokens.slice(12)];
    const both = await Promise.all(halves.map((half) => withSession({ rpc }, (session) => answers(session, half))));
    expect(both.flatMap(({ texts }) => texts)).toEqual(here.texts);
  });

  withNetworks('a network that is cut without a word is found out', async () => {
    const cut = await RpcServer.start(true);
    try {
      const session = await ModelSession.open(tinyChat, { threads, rpc: [cut.endpoint] });
      const prompt = session.encode(prompts.harmless[0]!);
      const started = performance.now();
      cut.cut();
      await expect(session.generate([prompt], { maxTokens: 4 })).rejects.toMatchObject({ code: 'SERVER_FAILED' });
      expect(performance.now() - started).toBeLessThan(20_000);
      session.close();
    } finally {
      await cut.end();
    }
  });
});

describe('what is no RPC server', () => {
  const refused = (endpoint: string, reason: RegExp) =>
    expect(generate(tinyChat, ['x'], { threads, rpc: [endpoint] })).rejects.toMatchObject({
      code: 'SERVER_FAILED',
      details: { server: endpoint, reason: expect.stringMatching(reason) as string },
    });
  const listening = (talk: (socket: Socket) => void): Promise<Server> =>
    new Promise((resolve) => {
      const server = createServer(talk).listen(0, '127.0.0.1', () => resolve(server));
    });
  const at = (server: Server) => `127.0.0.1:${(server.address() as AddressInfo).port}`;

  test('nothing', async () => {
    await refused(`127.0.0.1:${await freePort()}`, /nothing answers there/u);
  });

  test('a name that there is not', async () => {
    await refused('no-such-host.invalid:50052', /nothing answers there/u);
  });

  test.each<[string, (socket: Socket) => void]>([
    ['one that talks about something else', (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['one that hangs up', (socket) => socket.end()],
    ['one that says nothing', () => {}],
  ])('%s', async (_, talk) => {
    const sockets: Socket[] = [];
    const server = await listening((socket) => {
      sockets.push(socket.on('error', () => {}));
      talk(socket);
    });
    try {
      await refused(at(server), /no RPC server of the engine's version answers/u);
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });
});
