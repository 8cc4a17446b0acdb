import { finished, library } from '../helpers/command';
import { sampleDevice, sampleDoctorReport } from '../helpers/doctor';

const withReport = (changes: Parameters<typeof sampleDoctorReport>[0]) =>
  library({ doctor: () => Promise.resolve(sampleDoctorReport(changes)) });

test('says what rosi runs on, in the width of a terminal', async () => {
  const { out, err, status } = await finished(['doctor']);
  expect({ err, status }).toEqual({ err: '', status: 0 });
  expect(out).toBe(
    [
      'rosi         1.2.3, Node 22.9.0, linux-x64',
      'addon        /opt/rosi/prebuilds/linux-x64/rosi.node',
      '             prebuilt',
      'engine       llama.cpp v0.5.0, ggml 0.25.1',
      '             CPU backend zen4: SSE3 SSSE3 AVX AVX2 F16C FMA BMI2 AVX512',
      '             AVX512_VBMI AVX512_VNNI AVX512_BF16 LLAMAFILE REPACK',
      'processor    A Processor \\u001b[2J',
      '             8 cores, 2 usable; 2 threads unless --threads is given, in the',
      '             engine the fastest number up to that',
      'memory       16.0 GB, limited to 12.0 GB, 9.50 GB free',
      'GPU          none found',
      '             no package is installed',
      '             rosi computes on the CPU unless told otherwise',
      'cache        /home/a/.cache/rosi',
      '             12.3 MB in 14 files, 51.0 GB free',
      'this folder  /home/a',
      '             free space unknown',
      '',
      'ok       addon: loaded',
      'not run  GPU kernels: there are none',
      '',
      'this installation works',
      '',
    ].join('\n'),
  );
});

test('a self-test that failed is named with every line of its reason, and ends it with 1', async () => {
  const tests = [
    { name: 'addon', result: 'failed' as const, detail: 'could not be loaded\n  looked here' },
    { name: 'engine', result: 'not run' as const, detail: 'no addon' },
  ];
  const nothing = withReport({
    ok: false,
    addon: null,
    engine: { name: 'llama.cpp', version: null, ggml: null, cpu: null },
    tests,
  });
  const { out, status } = await finished(['doctor'], nothing);
  expect(status).toBe(1);
  expect(out).toMatch(/^addon +none could be loaded\nengine +llama\.cpp of unknown version\n/mu);
  expect(out).toMatch(
    /\n\nfailed {3}addon: could not be loaded\n {11}looked here\nnot run {2}engine: no addon\n\nNOT ok: 1 self-test failed\n$/u,
  );
});

test('lists GPUs, by which package, and what is missing', async () => {
  const device = sampleDevice({ name: 'CUDA0', description: 'A GPU', kind: 'gpu', totalBytes: 80e9, freeBytes: 79e9 });
  const packages = [{ name: '@node-llama-cpp/linux-x64-cuda', version: '3.22.1', folder: '/n' }];
  const { out } = await finished(['doctor'], withReport({ gpu: { packages, devices: [device], note: 'x failed' } }));
  expect(out).toMatch(
    /^GPU +CUDA0: A GPU, 80\.0 GB, 79\.0 GB free\n +by @node-llama-cpp\/linux-x64-cuda 3\.22\.1\n +x failed\n +rosi computes on the CPU unless told otherwise$/mu,
  );
});

test('hands --gpu to the library, and prints JSON', async () => {
  const lib = library();
  const { out, status } = await finished(['doctor', '--gpu', '--json'], lib);
  expect(status).toBe(0);
  expect(JSON.parse(out)).toEqual(sampleDoctorReport());
  expect(lib.calls).toEqual([{ name: 'doctor', args: [{ gpu: true, signal: expect.any(AbortSignal) as unknown }] }]);
  expect((await finished(['doctor', '--json'], withReport({ ok: false }))).status).toBe(1);
});

test.each([[['doctor', 'model.gguf']], [['doctor', '--cuda']]])('%j is refused', async (argv) => {
  const lib = library();
  expect(await finished(argv, lib)).toMatchObject({ status: 2, out: '' });
  expect(lib.calls).toEqual([]);
});
