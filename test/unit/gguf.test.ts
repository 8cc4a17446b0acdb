import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { native, runTask } from '../../lib/native';
import { temporaryFolder } from '../helpers/temporary';
import {
  blockWeights,
  floats,
  tensorBytes,
  tinyGguf,
  typeNames,
  type TinyOptions,
  type TinyValue,
} from '../helpers/tiny-gguf';

const folder = temporaryFolder();
const inspect = (path: string) => runTask(() => native.inspect(path));
let n = 0;
const written = (options: TinyOptions) => tinyGguf(options).write(join(folder, `${n++}.gguf`));

describe('inspect', () => {
  test.each([2, 3])('reads version %i', async (version) => {
    const model = tinyGguf({ version });
    const file = await inspect(model.write(join(folder, `version${version}.gguf`)));
    expect(file).toEqual({
      version,
      alignment: 32,
      fileBytes: model.bytes.length,
      infosOffset: model.place('infos'),
      dataOffset: model.place('data'),
      metadata: { 'general.architecture': 'tiny' },
      tensors: [{ name: 'w', type: 'F32', shape: [8, 4], offset: model.place('data:w'), bytes: 128, canUpdate: true }],
    });
  });

  test('knows every tensor type by name and size', async () => {
    const tensors = typeNames.map((type) => ({ name: `t.${type}`, type, shape: [3 * blockWeights(type), 5] }));
    const file = await inspect(written({ tensors }));
    expect(typeNames).toHaveLength(35);
    expect(file.tensors.map(({ name, type, shape, bytes }) => ({ name, type, shape, bytes }))).toEqual(
      tensors.map(({ name, type, shape }) => ({ name, type, shape, bytes: tensorBytes(type, shape) })),
    );
  });

  test('gives metadata of every type', async () => {
    const values: [TinyValue, unknown][] = [
      [{ uint8: 255 }, 255],
      [{ int8: -128 }, -128],
      [{ uint16: 65535 }, 65535],
      [{ int16: -32768 }, -32768],
      [{ uint32: 4294967295 }, 4294967295],
      [{ int32: -2147483648 }, -2147483648],
      [{ float32: 0.5 }, 0.5],
      [{ float64: 0.1 }, 0.1],
      [{ bool: true }, true],
      [{ bool: false }, false],
      [{ string: 'Straße 北京 🙂' }, 'Straße 北京 🙂'],
      [{ string: '' }, ''],
      [{ uint64: 2n ** 53n }, 2 ** 53],
      [{ uint64: 2n ** 64n - 1n }, '18446744073709551615'], // what a double can't hold comes as digits
      [{ int64: -(2n ** 53n) }, -(2 ** 53)],
      [{ int64: -(2n ** 63n) }, '-9223372036854775808'],
      [{ array: ['string', ['a', '', 'c']] }, ['a', '', 'c']],
      [{ array: ['int16', [-1, 2]] }, [-1, 2]],
      [{ array: ['bool', [true, false]] }, [true, false]],
      [{ array: ['float32', []] }, []],
    ];
    const file = await inspect(written({ metadata: Object.fromEntries(values.map(([value], i) => [`k${i}`, value])) }));
    expect(values.map((_, i) => file.metadata[`k${i}`])).toEqual(values.map(([, expected]) => expected));
  });

  test('sums up arrays of more than 32 elements', async () => {
    const strings = Array.from({ length: 33 }, (_, i) => `token ${i}`);
    const file = await inspect(
      written({ metadata: { all: { array: ['string', strings.slice(0, 32)] }, many: { array: ['string', strings] } } }),
    );
    expect(file.metadata).toMatchObject({ all: strings.slice(0, 32), many: { type: 'string', length: 33 } });
  });

  test('a key named __proto__ is a key like others', async () => {
    const metadata = Object.fromEntries([['__proto__', { array: ['uint8', [1]] } as TinyValue]]);
    const file = await inspect(written({ metadata }));
    expect(Object.getOwnPropertyDescriptor(file.metadata, '__proto__')?.value).toEqual([1]);
  });

  test.each([8, 64, 4096])('alignment %i moves the tensors', async (alignment) => {
    const tensors = ['a', 'b'].map((name) => ({ name, type: 'F32' as const, shape: [3, 1] }));
    const model = tinyGguf({ alignment, tensors });
    const file = await inspect(model.write(join(folder, `alignment${alignment}.gguf`)));
    expect(file).toMatchObject({ alignment, dataOffset: model.place('data') });
    expect(file.tensors[1]!.offset).toBe(model.place('data') + Math.ceil(12 / alignment) * alignment);
  });

  test('gaps between tensors, missing padding at the end and a split of one part are fine', async () => {
    const tensors = [
      { name: 'a', type: 'F32' as const, shape: [3, 1] },
      { name: 'b', type: 'F32' as const, shape: [3, 1], gap: 64 },
    ];
    const model = tinyGguf({ tensors, metadata: { 'split.count': { uint16: 1 } } }).truncate(20);
    expect((await inspect(model.write(join(folder, 'gap.gguf')))).tensors).toHaveLength(2);
  });

  test('paths may hold any characters but a zero byte', async () => {
    mkdirSync(join(folder, 'Modèle 模型'));
    const path = tinyGguf().write(join(folder, 'Modèle 模型', 'a b🙂.gguf'));
    expect((await inspect(path)).tensors).toHaveLength(1);
    await expect(inspect(`${path}\0.txt`)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });
});

describe('meanRows', () => {
  const tensors = [
    { name: 'w', type: 'F32' as const, shape: [40, 7] },
    { name: 'norm', type: 'F32' as const, shape: [40] },
    { name: 'coded', type: 'IQ3_S' as const, shape: [256, 2] },
    { name: 'integers', type: 'I32' as const, shape: [40, 2] },
  ];
  const model = tinyGguf({ tensors });
  const path = join(folder, 'mean.gguf');
  const meanRows = (names: string[]) => runTask(() => native.meanRows(path, names));
  beforeAll(() => model.write(path));

  test('is the mean over rows, in the order of the names', async () => {
    const w = floats(model.bytes.subarray(model.place('data:w'), model.place('data:w') + 4 * 40 * 7));
    const mean = Array.from({ length: 40 }, (_, j) => w.filter((_, i) => i % 40 === j).reduce((a, b) => a + b) / 7);
    const [first, second] = await meanRows(['w', 'w']);
    expect([...first!]).toEqual(mean.map(Math.fround)); // summed in float64 there too
    expect(second).toEqual(first);
    expect(await meanRows([])).toEqual([]);
  });

  test('is there for types that only the engine reads', async () => {
    const [mean] = await meanRows(['coded']);
    expect(mean).toHaveLength(256);
    expect(mean!.some((value) => value !== 0 && Number.isFinite(value))).toBe(true);
  });

  test('rowMeans has the mean of each row', async () => {
    const w = floats(model.bytes.subarray(model.place('data:w'), model.place('data:w') + 4 * 40 * 7));
    const means = Array.from({ length: 7 }, (_, i) => w.slice(i * 40, (i + 1) * 40).reduce((a, b) => a + b) / 40);
    const [found] = await runTask(() => native.rowMeans(path, ['w']));
    expect([...found!]).toEqual(means.map(Math.fround));
  });

  test.each([
    ['none', 'OPTION_INVALID'],
    ['norm', 'TENSOR_UNSUPPORTED'],
    ['integers', 'TENSOR_UNSUPPORTED'],
  ])('refuses %s', async (tensor, code) => {
    await expect(meanRows(['w', tensor])).rejects.toMatchObject({ code, details: { tensor } });
  });
});

describe('what is not a GGUF file', () => {
  const plain = (content: Buffer | string) => {
    const path = join(folder, `${n++}.bin`);
    writeFileSync(path, content);
    return path;
  };

  test('an empty file', () =>
    expect(inspect(plain(''))).rejects.toMatchObject({ code: 'GGUF_INVALID', details: { check: 'empty' } }));
  test('a text', () =>
    expect(inspect(plain('It was a dark and stormy night'))).rejects.toMatchObject({
      code: 'GGUF_INVALID',
      details: { check: 'magic', found: '49 74 20 77' },
    }));
  test('a folder', () =>
    expect(inspect(folder)).rejects.toMatchObject({ code: 'GGUF_INVALID', details: { path: folder } }));
  test('a device', () =>
    expect(inspect('/dev/null')).rejects.toMatchObject({ code: 'GGUF_INVALID', details: { path: '/dev/null' } }));
  test('nothing at all', () =>
    expect(inspect(join(folder, 'none'))).rejects.toMatchObject({
      code: 'FILE_FAILED',
      details: { path: join(folder, 'none') },
    }));
});
