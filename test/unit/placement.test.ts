import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { engineRecord } from '../../lib/gpu-packages';
import { checkPlacement, resolvePlacement } from '../../lib/placement';
import { temporaryFolder } from '../helpers/temporary';

const folder = temporaryFolder();
const { packages: expected } = engineRecord()!;
const none = () => [];
const here = { servers: [], gpuLibraries: [], gpuLayers: 0 };

test.each([
  ['without options', {}, here],
  ['no blocks', { gpuLayers: 0 }, here],
  ['no server', { rpc: [] }, here],
  ['all blocks on a server', { rpc: ['a:1'] }, { ...here, servers: ['a:1'], gpuLayers: -1 }],
  [
    'some blocks on servers',
    { rpc: ['10.0.0.2:50052', 'b.example:65535'], gpuLayers: 3 },
    { ...here, servers: ['10.0.0.2:50052', 'b.example:65535'], gpuLayers: 3 },
  ],
  ['a server of no block', { rpc: ['a:1'], gpuLayers: 0 }, { ...here, servers: ['a:1'], gpuLayers: 0 }],
])('%s', (_, options, native) => {
  expect(resolvePlacement(options, none)).toEqual(native);
});

test.each([
  ['rpc', { rpc: ['a'] }],
  ['rpc', { rpc: [''] }],
  ['rpc', { rpc: ['a:0'] }],
  ['rpc', { rpc: ['a:65536'] }],
  ['rpc', { rpc: ['a:1 '] }],
  ['rpc', { rpc: ['http://a:1'] }],
  ['rpc', { rpc: ['[::1]:1'] }],
  ['rpc', { rpc: ['a:1', 'a:1'] }],
  ['rpc', { rpc: ['rpc-0.some-namespace.cluster.local:50052'] }],
  ['rpc', { rpc: 'a:1' as unknown as string[] }],
  ['rpc', { rpc: [1] as unknown as string[] }],
  ['gpuLayers', { gpuLayers: -1 }],
  ['gpuLayers', { gpuLayers: 1.5 }],
  ['gpuLayers', { gpuLayers: '3' as unknown as number }],
])('refuses options.%s: %j', (option, options) => {
  expect(() => checkPlacement(options)).toThrow(
    expect.objectContaining({
      code: 'OPTION_INVALID',
      details: expect.objectContaining({ option }) as object,
    }) as Error,
  );
});

if (process.platform !== 'darwin') {
  const gpu = (version: string, library?: string) => {
    const own = join(folder, version);
    if (library !== undefined) {
      mkdirSync(dirname(join(own, library)), { recursive: true });
      writeFileSync(join(own, library), '');
    }
    return { name: '@node-llama-cpp/linux-x64-cuda', version, folder: own };
  };

  test('GPUs need a package, and say which', () => {
    const thrown = (packages: ReturnType<typeof gpu>[]) => {
      try {
        resolvePlacement({ gpuLayers: 9 }, () => packages);
      } catch (error) {
        return error as Error;
      }
      throw new Error('nothing was thrown');
    };
    expect(thrown([])).toMatchObject({ code: 'ENGINE_FAILED' });
    expect(thrown([]).message).toMatch(new RegExp(`none is installed.*npm install .*-cuda@${expected}`, 'u'));
    expect(thrown([gpu('0.0.1')]).message).toContain('found @node-llama-cpp/linux-x64-cuda 0.0.1');
  });

  test('the libraries of a package that fits are loaded', () => {
    const library = join('bins', 'linux-x64-cuda', process.platform === 'win32' ? 'ggml-cuda.dll' : 'libggml-cuda.so');
    const fitting = gpu(expected, library);
    expect(resolvePlacement({ gpuLayers: 9 }, () => [gpu('0.0.1'), fitting])).toEqual({
      servers: [],
      gpuLibraries: [join(fitting.folder, library)],
      gpuLayers: 9,
    });
  });
}
