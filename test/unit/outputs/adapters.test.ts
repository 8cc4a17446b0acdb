import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { inspect, writeLoraAdapter, writePeftAdapter, type RankOneFactors } from '../../../lib';
import { peftModule } from '../../../lib/outputs/peft';
import { randomFactors } from '../../helpers/plan';
import { folderPerTest } from '../../helpers/temporary';
import { floats, readGguf } from '../../helpers/tiny-gguf';

const folder = folderPerTest();
const at = (name: string) => join(folder(), name);
const two = [randomFactors('blk.0.attn_output.weight', 5, 3, 1), randomFactors('blk.11.ffn_down.weight', 7, 3, 3)];

const wrong: [string, RankOneFactors[], object][] = [
  ['no factors', [], {}],
  ['a tensor twice', [two[0]!, two[0]!], { tensor: two[0]!.name }],
  ['an empty factor', [{ ...two[0]!, left: new Float32Array(0) }], { side: 'left' }],
  ['a factor that experts can not share', [{ ...two[0]!, nExperts: 2 }], { side: 'left', values: 3 }],
  ['no experts', [{ ...two[0]!, nExperts: 0 }], { nExperts: 0 }],
  ['a value that is no number', [{ ...two[0]!, right: Float32Array.of(1, NaN) }], { side: 'right', index: 1 }],
];

describe('writeLoraAdapter', () => {
  test('writes A = rightᵀ and B = left, rank and alpha 1', async () => {
    await writeLoraAdapter(at('a.gguf'), 'qwen2', two);
    const { metadata, version } = await inspect(at('a.gguf'));
    expect(version).toBe(3);
    expect(metadata).toMatchObject({
      'general.type': 'adapter',
      'general.architecture': 'qwen2',
      'adapter.type': 'lora',
      'adapter.lora.alpha': 1,
    });
    const { tensors } = readGguf(at('a.gguf'));
    expect([...tensors.keys()]).toEqual(two.flatMap(({ name }) => [`${name}.lora_a`, `${name}.lora_b`]));
    for (const { name, left, right } of two) {
      const [a, b] = [tensors.get(`${name}.lora_a`)!, tensors.get(`${name}.lora_b`)!];
      expect([a.type, a.shape, b.type, b.shape]).toEqual(['F32', [right.length, 1], 'F32', [1, left.length]]);
      expect([a.offset % 32, b.offset % 32]).toEqual([0, 0]);
      expect([floats(a.bytes), floats(b.bytes)]).toEqual([[...right], [...left]]);
    }
  });

  test('writes a pair for each expert', async () => {
    const experts = randomFactors('blk.0.ffn_down_exps.weight', 4, 3, 1, 2);
    await writeLoraAdapter(at('a.gguf'), 'llama', [experts]);
    const { tensors } = readGguf(at('a.gguf'));
    const [a, b] = ['a', 'b'].map((side) => tensors.get(`${experts.name}.lora_${side}`)!);
    expect([a!.shape, b!.shape]).toEqual([
      [4, 1, 2],
      [1, 3, 2],
    ]);
    expect([floats(a!.bytes), floats(b!.bytes)]).toEqual([[...experts.right], [...experts.left]]);
    expect((await inspect(at('a.gguf'))).tensors).toHaveLength(2);
  });

  test.each(wrong)('refuses %s and writes nothing', async (_, factors, details) => {
    const refused = { code: 'OPTION_INVALID', details };
    await expect(writeLoraAdapter(at('a.gguf'), 'llama', factors)).rejects.toMatchObject(refused);
    await expect(writePeftAdapter(at('p'), { architecture: 'llama' }, factors)).rejects.toMatchObject(refused);
    expect(readdirSync(folder())).toEqual([]);
  });
});

/** From the format's description, so that a mistake of lib/'s can't hide here. */
function readSafetensors(path: string) {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const data = bytes.subarray(8 + length);
  return { header, length, data, values: (name: string) => floats(data.subarray(...header[name]!.data_offsets)) };
}

describe('writePeftAdapter', () => {
  const model = { architecture: 'qwen2' };

  test('writes lora_A = rightᵀ and lora_B = left under the names of transformers', async () => {
    await writePeftAdapter(at('p'), { ...model, baseModel: 'models/base' }, two);
    expect(readdirSync(at('p')).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
    const { header, length, data, values } = readSafetensors(at('p/adapter_model.safetensors'));
    const names = ['model.layers.0.self_attn.o_proj', 'model.layers.11.mlp.down_proj'];
    const keys = names.flatMap((name) => ['A', 'B'].map((side) => `base_model.model.${name}.lora_${side}.weight`));
    expect(Object.keys(header)).toEqual(['__metadata__', ...keys]);
    expect(length % 8).toBe(0);
    let end = 0;
    for (const key of keys) {
      const { dtype, shape, data_offsets: place } = header[key]!;
      expect([dtype, place]).toEqual(['F32', [end, end + 4 * shape[0]! * shape[1]!]]);
      end = place[1];
    }
    expect(data).toHaveLength(end);
    two.forEach(({ left, right }, i) => {
      const [a, b] = [keys[2 * i]!, keys[2 * i + 1]!];
      expect([header[a]!.shape, header[b]!.shape]).toEqual([
        [1, right.length],
        [left.length, 1],
      ]);
      expect([values(a), values(b)]).toEqual([[...right], [...left]]);
    });
    expect(JSON.parse(readFileSync(at('p/adapter_config.json'), 'utf8'))).toMatchObject({
      peft_type: 'LORA',
      base_model_name_or_path: 'models/base',
      r: 1,
      lora_alpha: 1,
      lora_dropout: 0,
      bias: 'none',
      use_rslora: false,
      fan_in_fan_out: false,
      target_modules: names,
    });
  });

  test.each([
    ['an architecture that is not known', 'mamba', 'blk.0.ffn_down.weight'],
    ['a name of every object', 'constructor', 'blk.0.ffn_down.weight'],
    ['experts', 'llama', 'blk.0.ffn_down_exps.weight'],
    ['a matrix outside the blocks', 'llama', 'output.weight'],
    ['a kind that every object has', 'llama', 'blk.0.toString.weight'],
  ])('refuses %s, naming the tensor', async (_, architecture, tensor) => {
    const factors = [randomFactors(tensor, 4, 3)];
    await expect(writePeftAdapter(at('p'), { architecture }, factors)).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      details: { architecture, tensor },
    });
    expect(readdirSync(folder())).toEqual([]);
  });

  test.each([
    ['llama', 'ffn_down', 'model.layers.3.mlp.down_proj'],
    ['starcoder2', 'ffn_down', 'model.layers.3.mlp.c_proj'],
    ['phi2', 'attn_output', 'model.layers.3.self_attn.dense'],
  ])('%s %s is %s', (architecture, kind, module) => {
    expect(peftModule(architecture, `blk.3.${kind}.weight`)).toBe(module);
  });

  test('pads the header to a multiple of 8 bytes, whatever its length', async () => {
    for (const layer of [1, 22, 333, 4444]) {
      const path = at(String(layer));
      await writePeftAdapter(path, model, [randomFactors(`blk.${layer}.ffn_down.weight`, 4, 3)]);
      const { header, length } = readSafetensors(join(path, 'adapter_model.safetensors'));
      expect(length % 8).toBe(0);
      expect(Object.keys(header)).toHaveLength(3);
    }
  });

  test('leaves nothing when the second file fails', async () => {
    const unfit = { ...model, baseModel: 1n as never }; // JSON has no such number
    await expect(writePeftAdapter(at('p'), unfit, two)).rejects.toThrow(TypeError);
    expect(readdirSync(folder())).toEqual([]);
  });

  test('keeps an older adapter unless told, and other files of the folder always', async () => {
    mkdirSync(at('p'));
    writeFileSync(at('p/README.md'), 'mine');
    await writePeftAdapter(at('p'), model, two);
    const before = readFileSync(at('p/adapter_model.safetensors'));
    await expect(writePeftAdapter(at('p'), model, [two[1]!])).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' });
    expect(readFileSync(at('p/adapter_model.safetensors'))).toEqual(before);
    await writePeftAdapter(at('p'), model, [two[1]!], { overwrite: true });
    expect(readFileSync(at('p/adapter_model.safetensors'))).not.toEqual(before);
    expect(readFileSync(at('p/README.md'), 'utf8')).toBe('mine');
  });
});
