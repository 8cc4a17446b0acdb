import { readFileSync, truncateSync, writeFileSync } from 'node:fs';

import { applyUpdate, harden, revert, verifyUpdate, writeUndo } from '../../lib';
import { embedUndo, undoPlaceholder } from '../../lib/undo/embed';
import { draftUpdate } from '../../lib/update';
import { splitPaths } from '../helpers/split-gguf';
import { bytesOf, names, plan, splitModels } from '../helpers/split-model';
import { readGguf } from '../helpers/tiny-gguf';

const { at, files, model } = splitModels();

describe('revert of a split model', () => {
  const outputs = () => splitPaths(at('o'), 3);

  test('takes an undo file: a delta goes into no split model', async () => {
    const parts = model();
    const refused = { code: 'OPTION_INVALID', details: { option: 'undo', path: parts[0] } };
    const before = files();
    const options = { undo: 'embed', output: at('o.gguf') };
    await expect(harden(parts[0]!, undefined, options)).rejects.toMatchObject(refused);
    const draft = await draftUpdate(parts[0]!, plan, { output: at('o.gguf'), metadata: undoPlaceholder });
    await expect(embedUndo(parts[0]!, draft)).rejects.toMatchObject(refused);
    draft.discard();
    expect(files()).toEqual(before);
  });

  test('is told to take the first file', async () => {
    const path = model()[1]!;
    const wrong = { code: 'OPTION_INVALID', details: { option: 'model', path } };
    await expect(revert(path, { output: at('r.gguf') })).rejects.toMatchObject(wrong);
  });

  test.each([
    ['', [2, 2, 1], undefined],
    [' with a promoted tensor', [2, 2, 1], 'F32' as const],
    [' whose first file has no tensors', [0, 3, 2], undefined],
  ])('gives every file back, byte for byte%s', async (_, sizes, type) => {
    const parts = model({ sizes });
    const tensors = plan.tensors.map((tensor) => (tensor.name === 'a' && type ? { ...tensor, type } : tensor));
    const { sourceSha256 } = await applyUpdate(parts[0]!, { ...plan, tensors }, { output: at('o.gguf') });
    const undo = `${outputs()[0]!}.undo`;
    await writeUndo(parts[0]!, outputs()[0]!, undo);
    const result = await revert(outputs()[0]!, { output: at('r.gguf') });
    const restored = splitPaths(at('r'), 3);
    expect(result).toEqual({ sha256: sourceSha256, bytes: Buffer.concat(bytesOf(parts)).length, output: restored[0] });
    expect(bytesOf(restored)).toEqual(bytesOf(parts));
    expect(files()).toEqual(names([...parts, ...outputs(), undo, ...restored, 'whole.gguf']).sort());
  });

  test('gives back a first file that ends with its header', async () => {
    const parts = model({ sizes: [0, 3, 2] });
    const { infosEnd } = readGguf(parts[0]!);
    truncateSync(parts[0]!, infosEnd);
    expect(infosEnd % 32).not.toBe(0);
    await applyUpdate(parts[0]!, plan, { output: at('o.gguf') });
    expect(await verifyUpdate(parts[0], outputs()[0]!)).toMatchObject({ ok: true });
    await writeUndo(parts[0]!, outputs()[0]!, at('u'));
    await revert(outputs()[0]!, { undo: at('u'), output: at('r.gguf') });
    expect(bytesOf(splitPaths(at('r'), 3))).toEqual(bytesOf(parts));
  });

  test('refuses a hardened file that was changed, and leaves nothing', async () => {
    const parts = model();
    await applyUpdate(parts[0]!, plan, { output: at('o.gguf') });
    await writeUndo(parts[0]!, outputs()[0]!, at('u'));
    const before = files();
    const bytes = readFileSync(outputs()[1]!);
    bytes[readGguf(outputs()[1]!).tensors.get('d')!.offset]! ^= 1;
    writeFileSync(outputs()[1]!, bytes);
    const refused = { code: 'UNDO_INVALID' };
    await expect(revert(outputs()[0]!, { undo: at('u'), output: at('r.gguf') })).rejects.toMatchObject(refused);
    expect(files()).toEqual(before);
  });

  test('gives no file its name when one of them is there', async () => {
    const parts = model();
    await applyUpdate(parts[0]!, plan, { output: at('o.gguf') });
    await writeUndo(parts[0]!, outputs()[0]!, at('u'));
    writeFileSync(at('r-00002-of-00003.gguf'), 'mine');
    const before = files();
    await expect(revert(outputs()[0]!, { undo: at('u'), output: at('r.gguf') })).rejects.toMatchObject({
      code: 'OUTPUT_EXISTS',
    });
    expect(files()).toEqual(before);
    expect(readFileSync(at('r-00002-of-00003.gguf'), 'utf8')).toBe('mine');
    await revert(outputs()[0]!, { undo: at('u'), output: at('r.gguf'), overwrite: true });
    expect(bytesOf(splitPaths(at('r'), 3))).toEqual(bytesOf(parts));
    const meanwhile = { output: at('s.gguf'), onProgress: () => writeFileSync(at('s-00001-of-00003.gguf'), 'mine') };
    await expect(revert(outputs()[0]!, { undo: at('u'), ...meanwhile })).rejects.toMatchObject({
      code: 'OUTPUT_EXISTS',
    });
    expect(files().filter((name) => /^\.?s/.test(name))).toEqual(['s-00001-of-00003.gguf']);
  });
});
