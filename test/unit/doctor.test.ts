import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { RosiError } from '../../lib/errors';
import { blockValues, f32, noise, q4k, q6k, q8 } from '../../lib/doctor/block-values';
import { doctor, variantOf } from '../../lib/doctor/doctor';
import { describeGpus } from '../../lib/doctor/gpu';
import { testKernels } from '../../lib/doctor/kernel-test';
import { folderSize, freeSpace } from '../../lib/doctor/machine';
import { findGpuPackages } from '../../lib/gpu-packages';
import { selfTest } from '../../lib/doctor/self-test';
import { wrapped } from '../../lib/text';
import { sampleDevice } from '../helpers/doctor';
import { kernels, type Kernels } from '../helpers/kernels';
import { dequantise, tensorTypes } from '../helpers/reference';
import { folderPerTest } from '../helpers/temporary';

const folder = folderPerTest();
function write(name: string, content: string): string {
  const path = join(folder(), name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

test.each([f32, q8, q4k, q6k])('values of $name are those of the reference', (type) => {
  const bytes = kernels._quantize(type.id, noise(512, 'values'), 512, 1);
  const reference = tensorTypes.find(({ id }) => id === type.id)!;
  expect(blockValues(type, bytes)).toEqual(dequantise(reference, bytes));
});

describe('the self-test of the kernels', () => {
  type Update = Kernels['_addRankOne'];
  const broken = (change: (result: ReturnType<Update>, args: Parameters<Update>) => ReturnType<Update>): Kernels => ({
    ...kernels,
    _addRankOne: (...args) => change(kernels._addRankOne(...args), args),
    _quantize: (...args) => kernels._quantize(...args),
    _dequantize: (...args) => kernels._dequantize(...args),
  });
  const isQ4K = ([type]: Parameters<Update>) => type === q4k.id;

  test('passes', () => expect(testKernels(kernels)).toBe('rank-one updates of F32, Q8_0, Q4_K, Q6_K'));
  test.each<[string, Kernels, RegExp]>([
    ['nothing is added', broken((result, args) => ({ ...result, bytes: args[1] })), /^F32: 0\.0000 of an update/u],
    [
      'a type gets twice the update',
      broken((result, args) => {
        const [type, bytes, nIn, nOut, left, ...rest] = args;
        return isQ4K(args)
          ? kernels._addRankOne(
              type,
              bytes,
              nIn,
              nOut,
              left.map((x) => 2 * x),
              ...rest,
            )
          : result;
      }),
      /^Q4_K: (1\.99|2\.00)\d* of an update arrives/u,
    ],
    [
      'one weight of float32 is off',
      broken((result, [type]) => {
        if (type === f32.id) result.bytes[1]! ^= 1;
        return result;
      }),
      /^F32: (a weight is off|an update of zero)/u,
    ],
    [
      'two threads differ from one',
      broken((result, args) => {
        if (isQ4K(args) && args[6] === 2) result.bytes[20]! ^= 1;
        return result;
      }),
      /^Q4_K: two threads/u,
    ],
    [
      'the report is of another update',
      broken((result, args) =>
        isQ4K(args) ? { ...result, realised: { ...result.realised, gain: result.realised.gain + 0.001 } } : result,
      ),
      /^Q4_K: a gain of [\d.]+ is reported/u,
    ],
    [
      'an update of zero requantises',
      broken((result, args) => {
        if (isQ4K(args) && args[4].every((x) => x === 0)) result.bytes[20]! ^= 1;
        return result;
      }),
      /^Q4_K: an update of zero/u,
    ],
    [
      'weights are read wrongly',
      {
        ...broken((result) => result),
        _dequantize: (type, ...rest) => kernels._dequantize(type, ...rest).map((x) => (type === q6k.id ? -x : x)),
      },
      /^Q6_K: weights are not read/u,
    ],
  ])('fails where %s', (_, probes, message) => {
    expect(() => testKernels(probes)).toThrow(message);
  });
});

describe('a self-test', () => {
  test('that throws has failed, with the reason', async () => {
    const tested = await selfTest('x', () => Promise.reject(new RosiError('FILE_FAILED', 'disk full')));
    expect(tested).toEqual({ name: 'x', result: 'failed', detail: 'disk full' });
  });
  test('that is stopped has not', async () => {
    const aborted = expect.objectContaining({ code: 'ABORTED' }) as unknown;
    await expect(selfTest('x', () => Promise.reject(new RosiError('ABORTED', 'stopped')))).rejects.toEqual(aborted);
    await expect(doctor({ signal: AbortSignal.abort() })).rejects.toEqual(aborted);
  });
});

test('options are checked', async () => {
  const details = { option: 'gpu', value: 'yes' };
  await expect(doctor({ gpu: 'yes' as unknown as boolean })).rejects.toMatchObject({ code: 'OPTION_INVALID', details });
});

test.each([
  ['/a/libggml-cpu-haswell.so', 'haswell'],
  ['/a/libggml-cpu-armv8.2_1.so', 'armv8.2_1'],
  ['/a/ggml-cpu-zen4.dll', 'zen4'],
  ['/a/libggml-cpu.so', 'native'],
  ['', 'native'],
])('the CPU variant of %j is %s', (library, variant) => expect(variantOf(library)).toBe(variant));

test('a folder has the size of all files in it', async () => {
  write('cache/a', 'four');
  write('cache/deep/er/b', 'seven..');
  expect(await folderSize(join(folder(), 'cache'))).toEqual({ bytes: 11, files: 2 });
  expect(await folderSize(join(folder(), 'none'))).toEqual({ bytes: 0, files: 0 });
});

test('the free space of a folder that is not there is that of where it would be made', async () => {
  const free = await freeSpace(folder());
  expect(free).toBeGreaterThan(0);
  expect(Math.abs((await freeSpace(join(folder(), 'x', 'y')))! - free!)).toBeLessThan(1e9); // others write meanwhile
});

describe('GPUs', () => {
  const system = { linux: 'linux', darwin: 'mac', win32: 'win' }[process.platform as string]!;
  const name = `${system}-${process.arch}-cuda`;
  const gpu = sampleDevice({ name: 'CUDA0', kind: 'gpu' });
  const answer = { version: '', commit: '', devices: [sampleDevice(), gpu], notLoaded: [] };
  const never = () => Promise.reject(new Error('asked'));
  const install = (version = '3.22.1') => {
    write(`node_modules/@node-llama-cpp/${system}-${process.arch}/package.json`, '{"version":"3.22.1"}');
    write(`node_modules/@node-llama-cpp/other-${process.arch}-cuda/package.json`, '{"version":"3.22.1"}');
    write(`node_modules/@node-llama-cpp/${name}/bins/${name}/libggml-base.so`, '');
    write(`node_modules/@node-llama-cpp/${name}/package.json`, JSON.stringify({ version }));
    return write(`node_modules/@node-llama-cpp/${name}/bins/${name}/libggml-cuda.so`, '');
  };
  const found = () => findGpuPackages([join(folder(), 'deep', 'er'), folder()]);

  test('are looked for in packages of this platform, in node_modules above', async () => {
    expect(findGpuPackages([folder()])).toEqual([]);
    const library = install();
    const packages = found();
    expect(packages).toEqual([
      {
        name: `@node-llama-cpp/${name}`,
        version: '3.22.1',
        folder: join(folder(), 'node_modules', '@node-llama-cpp', name),
      },
    ]);
    const asked: string[][] = [];
    const ask = (libraries: string[]) => (asked.push(libraries), Promise.resolve(answer));
    expect(await describeGpus([], packages, '3.22.1', ask)).toEqual({ packages, devices: [gpu], note: null });
    expect(asked).toEqual([[library]]);
  });
  test('are not looked for without a package', async () => {
    const note = "none of @node-llama-cpp's GPU packages is installed";
    expect(await describeGpus([sampleDevice()], [], '3.22.1', never)).toEqual({ packages: [], devices: [], note });
    // Of an engine that was compiled with its backend.
    expect(await describeGpus([gpu], [], '3.22.1', never)).toEqual({ packages: [], devices: [gpu], note: null });
  });
  test('a package of another version is not loaded', async () => {
    install('3.19.0');
    const { devices, note } = await describeGpus([], found(), '3.22.1', never);
    expect({ devices, note }).toEqual({
      devices: [],
      note: `@node-llama-cpp/${name} 3.19.0 does not fit the engine, which is of 3.22.1`,
    });
  });
  test('a library that does not load is named: this one is empty', async () => {
    const library = install();
    expect(await describeGpus([], found(), '3.22.1')).toMatchObject({
      devices: [],
      note: `${library} could not be loaded: is the GPU's driver installed?`,
    });
  });
  test('a driver that ends the process that asks does no more harm', async () => {
    install();
    const { devices, note } = await describeGpus([], found(), '3.22.1', () =>
      Promise.reject(new Error('killed\nhere')),
    );
    expect({ devices, note }).toEqual({ devices: [], note: 'asking for GPUs failed: killed here' });
  });
});

test('text is broken at spaces, and long words stay whole', () => {
  expect(wrapped('a bb ccc dddddddd e', 6)).toEqual(['a bb', 'ccc', 'dddddddd', 'e']);
  expect(wrapped('', 6)).toEqual(['']);
});
