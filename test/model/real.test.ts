import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';

import { generate, harden, inspect, verifyUpdate } from '../../lib';
import { temporaryFolder } from '../helpers/tiny-chat';

const models = (process.env.ROSI_TEST_MODEL ?? '').split(':').filter((path) => path !== '');
const folder = temporaryFolder();

if (models.length === 0) {
  process.stderr.write('real model: skipped, ROSI_TEST_MODEL names no GGUF file\n');
  test.skip('a real model (set ROSI_TEST_MODEL)', () => {});
} else {
  describe.each(models.map((path) => ({ name: basename(path), path })))('$name', ({ path }) => {
    test('is hardened with given layer and strength, keeps its size and answers', async () => {
      expect(existsSync(path)).toBe(true);
      const output = join(folder, basename(path));
      const before = await inspect(path);
      const layer = Math.round(
        0.6 * (Number(before.metadata[`${String(before.metadata['general.architecture'])}.block_count`]) - 1),
      );
      const report = await harden(path, undefined, { output, layer, strength: 1.5, evaluate: false });
      const after = await inspect(output);
      expect(after.fileBytes - after.dataOffset).toBe(before.fileBytes - before.dataOffset);
      for (const { realised } of report.tensors) expect(Math.abs(realised.gain - 1)).toBeLessThan(0.01);
      expect(await verifyUpdate(path, output)).toMatchObject({ ok: true });
      const [answer] = await generate(output, ['Name three colours of the rainbow.'], { maxTokens: 32 });
      expect(answer!.text.length).toBeGreaterThan(5);
    }, 1_200_000);
  });
}
