import type { DoctorReport } from '../../lib/doctor/doctor';
import type { EngineDevice } from '../../lib/native';

export function sampleDevice(changes: Partial<EngineDevice> = {}): EngineDevice {
  return {
    name: 'CPU',
    description: 'A Processor',
    kind: 'cpu',
    backend: 'CPU',
    library: '/opt/rosi/libggml-cpu-zen4.so',
    features: ['AVX2'],
    freeBytes: null,
    totalBytes: null,
    ...changes,
  };
}

/** Of no real machine. */
export function sampleDoctorReport(changes: Partial<DoctorReport> = {}): DoctorReport {
  return {
    ok: true,
    rosi: '1.2.3',
    node: '22.9.0',
    platform: 'linux-x64',
    addon: { path: '/opt/rosi/prebuilds/linux-x64/rosi.node', origin: 'prebuilt' },
    engine: {
      name: 'llama.cpp',
      version: 'v0.5.0',
      ggml: '0.25.1',
      cpu: {
        variant: 'zen4',
        library: '/opt/rosi/libggml-cpu-zen4.so',
        features: 'SSE3 SSSE3 AVX AVX2 F16C FMA BMI2 AVX512 AVX512_VBMI AVX512_VNNI AVX512_BF16 LLAMAFILE REPACK'.split(
          ' ',
        ),
      },
    },
    machine: {
      processor: 'A Processor \u001b[2J',
      cores: 8,
      usableCores: 2,
      memory: { total: 16e9, available: 9.5e9, limit: 12e9 },
    },
    threads: 2,
    gpu: { packages: [], devices: [], note: 'no package is installed' },
    cache: { path: '/home/a/.cache/rosi', bytes: 12_300_000, files: 14, free: 51e9 },
    folder: { path: '/home/a', free: null },
    tests: [
      { name: 'addon', result: 'ok', detail: 'loaded' },
      { name: 'GPU kernels', result: 'not run', detail: 'there are none' },
    ],
    ...changes,
  };
}
