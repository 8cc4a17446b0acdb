import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { applyUpdate, harden, trialUpdate } from '../../lib';
import { testGpus } from '../../lib/doctor/gpu-test';
import { findGpuLibrary, openGpuLibrary } from '../../lib/gpu-library';
import { addonPath, native, runTask, type GpuDevice } from '../../lib/native';
import { everyType, everyTypePlan } from '../helpers/every-type';
import { emulatedGpu, kernels, type Kernels } from '../helpers/kernels';
import { factors, noise, tensorTypes } from '../helpers/reference';
import { folderPerTest } from '../helpers/temporary';
import { tinyGguf } from '../helpers/tiny-gguf';

const folder = folderPerTest();
const failed = (message: unknown) => expect.objectContaining({ code: 'GPU_FAILED', message }) as unknown;
const matching = (pattern: RegExp) => expect.stringMatching(pattern) as unknown;
const devicesOf = (library: string): Promise<GpuDevice[]> => runTask(() => native.gpuDevices(library));

async function withLibrary<T>(library: string, use: () => Promise<T>): Promise<T> {
  process.env.ROSI_GPU_LIBRARY = library;
  try {
    return await use();
  } finally {
    delete process.env.ROSI_GPU_LIBRARY;
  }
}

/** A copy with another hash of its sources. */
function otherBuild(): string {
  const bytes = readFileSync(emulatedGpu);
  const { index } = /(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/u.exec(bytes.toString('latin1'))!;
  bytes.write(bytes[index] === 0x30 ? '1' : '0', index);
  writeFileSync(join(folder(), 'other.so'), bytes);
  return join(folder(), 'other.so');
}

describe('the library with the kernels for GPUs', () => {
  test('is the one that is named, and says what it has', async () => {
    expect(findGpuLibrary('/a/b.so')).toBe('/a/b.so');
    const devices = await devicesOf(emulatedGpu);
    expect(devices.map(({ name }) => name)).toEqual(['emulated 0', 'emulated 1']);
    expect(await withLibrary(emulatedGpu, openGpuLibrary)).toEqual({ path: emulatedGpu, devices });
  });
  test.each([
    ['is not there', () => join(folder(), 'none.so'), /none\.so can't be used: .*none\.so/u],
    ['is no library', () => join(folder(), 'text.so'), /text\.so can't be used: /u],
    [
      'is of another build',
      () => otherBuild(),
      /other\.so can't be used: it was built from other sources than the addon/u,
    ],
    ['has other functions', () => addonPath(), /rosi\.node can't be used: it is no library of rosi's kernels/u],
  ])('that %s is named', async (_, path, message) => {
    writeFileSync(join(folder(), 'text.so'), 'text');
    await expect(devicesOf(path())).rejects.toEqual(failed(matching(message)));
  });
  test.each([
    ['a pass that is not for the type', 'flip', 0, 64, 'TENSOR_UNSUPPORTED', /not for this pass/u],
    ['a shape that does not fit', 'add', 0, 63, 'OPTION_INVALID', /252 bytes/u],
  ] as const)('refuses %s', (_, pass, device, nIn, code, message) => {
    const bytes = kernels._quantize(0, noise(64, 1), 64, 1);
    const run = () =>
      kernels._gpuPass(emulatedGpu, device, pass, 0, bytes, nIn, 1, 0, new Float32Array(1), new Float32Array(nIn));
    expect(run).toThrow(message);
    expect(run).toThrow(expect.objectContaining({ code }) as Error);
  });
});

describe.each(tensorTypes)('a GPU’s passes over $name', (type) => {
  test.each([
    [2, 45],
    [1, 1],
  ])('of %d blocks a row and %d rows are the processor’s', (blocks, nOut) => {
    const nIn = blocks * Math.max(type.weights, 3);
    const bytes = kernels._quantize(type.id, noise(nIn * nOut, 3, 0.05), nIn, nOut);
    const mean = kernels._gpuPass(emulatedGpu, 0, 'mean', type.id, bytes, nIn, nOut, 0);
    expect(new Float32Array(mean.bytes.buffer)).toEqual(kernels._columnMean(type.id, bytes, nIn, nOut));
    if (type.weights > 1) return;
    const { left, right } = factors(kernels._dequantize(type.id, bytes, nIn, nOut), nIn, nOut, 0.1, 4);
    const added = kernels._gpuPass(emulatedGpu, 0, 'add', type.id, bytes, nIn, nOut, type.id, left, right);
    const { bytes: expected, realised } = kernels._addRankOne(type.id, bytes, nIn, nOut, left, right, 1);
    if (realised.mode === 'add') expect(added.bytes).toEqual(expected);
    else expect(type.name).not.toBe('F32');
  });
});

describe('the self-test of GPUs', () => {
  const devices = [{ name: 'A', computeCapability: '9.0', totalBytes: 0, freeBytes: 0, bytesPerSecond: 0 }];
  test('passes where every byte is equal', () =>
    expect(testGpus(kernels, emulatedGpu, devices)).toBe("16 types, each byte equal to the processor's, on A (9.0)"));
  test.each(['flip', 'add', 'promote', 'mean'] as const)('fails where a byte of %s is another', (wrong) => {
    const broken = {
      ...kernels,
      ...Object.fromEntries(
        (['_quantize', '_flipCodes', '_addRankOne', '_promote', '_columnMean'] as const).map((name) => [
          name,
          kernels[name],
        ]),
      ),
      _gpuPass: (...args: Parameters<Kernels['_gpuPass']>) => {
        const result = kernels._gpuPass(...args);
        if (args[2] === wrong) result.bytes[7]! ^= 1;
        return result;
      },
    } as Kernels;
    expect(() => testGpus(broken, emulatedGpu, devices)).toThrow(
      new RegExp(`^A: ${wrong} of \\w+ differs from the processor's at byte 7 of \\d+$`, 'u'),
    );
  });
});

describe('an update on GPUs', () => {
  const promoted = {
    ...everyTypePlan,
    tensors: everyTypePlan.tensors.map((tensor) => ({ ...tensor, type: 'Q8_0' as const })),
  };

  test.each([
    ['in the same types', everyTypePlan],
    ['into another', promoted],
  ])('%s writes the same file', async (_, plan) => {
    const model = join(folder(), 'model.gguf');
    tinyGguf(everyType).write(model);
    const write = async (name: string, gpuUpdate: boolean) => {
      const output = join(folder(), name);
      const { tensors } = await applyUpdate(model, plan, { output, threads: 3, gpuUpdate });
      return { bytes: readFileSync(output), tensors };
    };
    const onCpu = await write('cpu.gguf', false);
    const onGpu = await withLibrary(emulatedGpu, () => write('gpu.gguf', true));
    expect(onGpu.bytes.equals(onCpu.bytes)).toBe(true);
    expect(onGpu.tensors).toEqual(onCpu.tensors);
    const { tensors } = await withLibrary(emulatedGpu, () => trialUpdate(model, plan, { gpuUpdate: true }));
    expect(tensors).toEqual(onCpu.tensors);
  });
  test('waits for memory, and computes here what has no room there', async () => {
    const model = join(folder(), 'large.gguf');
    const names = ['a', 'b', 'c', 'd', 'e'];
    const shape = [1024, 1024];
    tinyGguf({ tensors: names.map((name) => ({ name, type: 'Q8_0' as const, shape })) }).write(model);
    const tensors = names.map((name, i) => ({
      name,
      left: noise(1024, i, 0.01),
      right: noise(1024, i + 9),
      ...(name === 'e' && { type: 'F32' as const }), // 18 MB there
    }));
    const update = (gpuUpdate: boolean) => trialUpdate(model, { ...everyTypePlan, tensors }, { threads: 5, gpuUpdate });
    expect((await withLibrary(emulatedGpu, () => update(true))).tensors).toEqual((await update(false)).tensors);
  });
  test('is refused before any work where there is none', async () => {
    const model = join(folder(), 'model.gguf');
    copyFileSync(join(__dirname, '..', 'fixtures', 'tiny-chat.Q8_0.gguf'), model);
    const message = matching(/^options\.gpuUpdate: .*nowhere.* Without it the processor writes the same file$/su);
    const stages: string[] = [];
    await withLibrary('/nowhere', async () => {
      const onProgress = ({ stage }: { stage: string }) => stages.push(stage);
      await expect(harden(model, undefined, { gpuUpdate: true, onProgress })).rejects.toEqual(failed(message));
    });
    expect(stages).toEqual([]);
    const gpuUpdate = 'yes' as unknown as boolean;
    await expect(trialUpdate(model, everyTypePlan, { gpuUpdate })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });
});
