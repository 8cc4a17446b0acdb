import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { exitCodes } from '../../lib';
import { finished, library } from '../helpers/command';
import { samplePlan } from '../helpers/plan';
import { temporaryFolder } from '../helpers/temporary';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const calls = (lib: ReturnType<typeof library>) => lib.calls.map(({ name }) => name);

describe('rosi plan', () => {
  test('hands its options to the library and writes what it is asked for', async () => {
    const lib = library();
    const argv = ['plan', 'm.gguf', '-o', at('p.json'), '--lora', at('l.gguf'), '--peft', at('peft')];
    const more = [
      '--control-vector',
      at('c.gguf'),
      '--layer',
      '3',
      '--layers',
      '1-2',
      '--threads',
      '2',
      '--max-kl',
      '.2',
    ];
    const { status, out, err } = await finished([...argv, ...more], lib);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out.split('\n')).toEqual([
      '3 tensors of blocks 1 to 2: direction after block 1, strength 1.5, equal, gated',
      ...['p.json', 'l.gguf', 'peft', 'c.gguf'].map((name) => `wrote ${at(name)}`),
      '',
    ]);
    const [made, written] = lib.calls;
    expect(made).toEqual({
      name: 'makePlan',
      args: [
        'm.gguf',
        undefined,
        {
          layer: 3,
          layers: [1, 2],
          threads: 2,
          maxKl: 0.2,
          outputs: { plan: at('p.json'), lora: at('l.gguf'), peft: at('peft'), controlVector: at('c.gguf') },
          signal: expect.any(AbortSignal) as unknown,
          onProgress: expect.any(Function) as unknown,
        },
      ],
    });
    const paths = { plan: at('p.json'), lora: at('l.gguf'), peft: at('peft'), controlVector: at('c.gguf') };
    expect(written).toEqual({
      name: 'writeOutputs',
      args: [paths, samplePlan(), { overwrite: undefined, inputs: ['m.gguf'] }],
    });
  });

  test('writes MODEL.plan.json beside the model unless told, and prints JSON', async () => {
    const lib = library();
    const { out } = await finished(['plan', at('model.gguf'), '--json'], lib);
    const { plan } = samplePlan();
    expect(JSON.parse(out)).toEqual({
      edit: plan.edit,
      tensors: plan.tensors.map(({ name }) => name),
      outputs: [at('model.plan.json')],
    });
  });

  test.each([
    ['an existing output', ['--lora', 'there'], exitCodes.OUTPUT_EXISTS],
    ['the model as output', ['--lora', 'm.gguf', '--overwrite'], exitCodes.OPTION_INVALID],
    ['one file for two outputs', ['--lora', 'x', '--control-vector', 'x'], exitCodes.OPTION_INVALID],
    ['a folder that is not there', ['--peft', 'none/peft'], exitCodes.FILE_FAILED],
    ['an option of harden alone', ['--evaluate', 'none'], 2],
  ])('refuses %s before it begins', async (_, argv, wanted) => {
    for (const name of ['there', 'm.gguf']) writeFileSync(at(name), 'x');
    const lib = library();
    const paths = argv.map((word) => (word.startsWith('--') ? word : at(word)));
    const { status } = await finished(['plan', at('m.gguf'), ...paths], lib);
    expect({ status, calls: lib.calls }).toEqual({ status: wanted, calls: [] });
  });
});

describe('rosi apply', () => {
  test('reads the plan, writes the copy and what else it is asked for', async () => {
    const lib = library();
    const argv = ['apply', at('p.json'), at('m.gguf'), '-o', at('o.gguf'), '--modelfile', at('Modelfile')];
    const { status, out, err } = await finished([...argv, '--threads', '2'], lib);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out.split('\n')).toEqual([
      `${at('o.gguf')}  4.70 MB, 2 tensors changed`,
      `wrote ${at('Modelfile')}`,
      'the model is the one that the plan was made with',
      '',
    ]);
    expect(calls(lib)).toEqual(['readPlan', 'applyPlan', 'writeOutputs']);
    expect(lib.calls[1]!.args).toEqual([
      samplePlan(),
      at('m.gguf'),
      {
        output: at('o.gguf'),
        overwrite: false,
        threads: 2,
        signal: expect.any(AbortSignal) as unknown,
        onProgress: expect.any(Function) as unknown,
      },
    ]);
    expect(lib.calls[2]!.args).toEqual([
      { modelfile: at('Modelfile') },
      samplePlan(),
      { overwrite: false, inputs: [at('p.json'), at('m.gguf'), at('o.gguf')], gguf: at('o.gguf') },
    ]);
  });

  test('says when the model is not the one that the plan was made with', async () => {
    const lib = library();
    const { applyPlan } = lib;
    lib.applyPlan = async (...args) => ({ ...(await applyPlan(...args)), sourceMatches: false });
    expect((await finished(['apply', 'p.json', at('m.gguf')], lib)).out).toMatch(
      /not the file that the plan was made/u,
    );
    expect(JSON.parse((await finished(['apply', 'p.json', at('m.gguf'), '--json'], lib)).out)).toMatchObject({
      output: at('m.hardened.gguf'),
      sourceMatches: false,
      outputs: [],
    });
  });

  test.each([
    ['the plan as output', ['-o', 'p.json', '--overwrite'], exitCodes.OPTION_INVALID],
    ['the new file for another output', ['-o', 'o', '--lora', 'o'], exitCodes.OPTION_INVALID],
    ['an existing output', ['-o', 'there'], exitCodes.OUTPUT_EXISTS],
    ['an existing Modelfile', ['--modelfile', 'there'], exitCodes.OUTPUT_EXISTS],
  ])('refuses %s before it begins', async (_, argv, wanted) => {
    for (const name of ['there', 'p.json', 'm.gguf']) writeFileSync(at(name), 'x');
    const lib = library();
    const paths = argv.map((word) => (word.startsWith('-') ? word : at(word)));
    const { status } = await finished(['apply', at('p.json'), at('m.gguf'), ...paths], lib);
    expect({ status, calls: lib.calls }).toEqual({ status: wanted, calls: [] });
    expect(existsSync(at('o'))).toBe(false);
  });
});
