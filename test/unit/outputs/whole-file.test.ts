import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { checkOutputs } from '../../../lib';
import { checkFile, writeWhole } from '../../../lib/outputs/whole-file';
import { folderPerTest } from '../../helpers/temporary';

const folder = folderPerTest();
const at = (name: string) => join(folder(), name);

describe('writeWhole', () => {
  test('writes its parts one after the other and leaves nothing else', async () => {
    await writeWhole(at('x'), ['näh', Uint8Array.of(0, 255), Buffer.alloc(0), 'end']);
    expect(readFileSync(at('x'))).toEqual(
      Buffer.concat([Buffer.from('näh'), Buffer.from([0, 255]), Buffer.from('end')]),
    );
    expect(readdirSync(folder())).toEqual(['x']);
  });

  test('replaces an existing file only when told', async () => {
    writeFileSync(at('x'), 'mine');
    await expect(writeWhole(at('x'), ['new'])).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' });
    expect(readFileSync(at('x'), 'utf8')).toBe('mine');
    await writeWhole(at('x'), ['new'], { overwrite: true });
    expect(readFileSync(at('x'), 'utf8')).toBe('new');
    expect(readdirSync(folder())).toEqual(['x']);
  });

  test.each([
    ['itself', (input: string) => input],
    ['by a symbolic link', (input: string) => (symlinkSync(input, at('link')), at('link'))],
    ['by a hard link', (input: string) => (linkSync(input, at('hard')), at('hard'))],
  ])('never writes onto an input, %s', async (_, name) => {
    writeFileSync(at('input'), 'mine');
    const writing = writeWhole(name(at('input')), ['new'], { overwrite: true, inputs: [at('other'), at('input')] });
    await expect(writing).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    expect(readFileSync(at('input'), 'utf8')).toBe('mine');
  });

  test('fails without a folder or onto one, and leaves nothing', async () => {
    mkdirSync(at('folder'));
    await expect(writeWhole(at('none/x'), ['new'])).rejects.toMatchObject({ code: 'FILE_FAILED' });
    await expect(writeWhole(at('folder'), ['new'], { overwrite: true })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
    expect(readdirSync(folder())).toEqual(['folder']);
    expect(readdirSync(at('folder'))).toEqual([]);
  });
});

describe('what would fail is refused beforehand', () => {
  test('of one file', () => {
    writeFileSync(at('x'), 'mine');
    expect(() => checkFile(at('x'))).toThrow(expect.objectContaining({ code: 'OUTPUT_EXISTS' }));
    expect(() => checkFile(at('none/x'))).toThrow(expect.objectContaining({ code: 'FILE_FAILED' }));
    expect(() => checkFile(at('x'), { overwrite: true, inputs: [at('x')] })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
    checkFile(at('x'), { overwrite: true });
    checkFile(at('new'));
  });

  test('of several: two of one name, and an input that is not there yet', () => {
    const refused = (option: string) =>
      expect.objectContaining({ code: 'OPTION_INVALID', details: expect.objectContaining({ option }) as unknown });
    expect(() => checkOutputs({ plan: at('x'), lora: at('y/../x') })).toThrow(refused('lora'));
    expect(() => checkOutputs({ lora: at('x') }, { inputs: [at('./x')] })).toThrow(refused('lora'));
    checkOutputs({ plan: at('x'), lora: at('y'), peft: at('z'), controlVector: at('c') }, { inputs: [at('m')] });
  });

  test('of an adapter folder that holds one, is a file, or has no parent', () => {
    mkdirSync(at('peft'));
    checkOutputs({ peft: at('peft') });
    writeFileSync(at('peft/adapter_config.json'), '{}');
    expect(() => checkOutputs({ peft: at('peft') })).toThrow(expect.objectContaining({ code: 'OUTPUT_EXISTS' }));
    checkOutputs({ peft: at('peft') }, { overwrite: true });
    expect(() => checkOutputs({ peft: at('peft/adapter_config.json') })).toThrow(
      expect.objectContaining({ code: 'FILE_FAILED' }),
    );
    expect(() => checkOutputs({ peft: at('none/peft') })).toThrow(expect.objectContaining({ code: 'FILE_FAILED' }));
    expect(existsSync(at('none'))).toBe(false);
  });
});
