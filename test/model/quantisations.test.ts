import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Evaluator, harden, inspect, ModelSession, revert } from '../../lib';
import { kernels } from '../helpers/kernels';
import { temporaryFolder } from '../helpers/temporary';
import { tinyChat, tinyPrompts } from '../helpers/tiny-chat';

const folder = temporaryFolder();
const prompts = tinyPrompts(32);
const edit = { layer: 3, layers: [3, 5], strength: 2.2 } as const;

/** Mean first-token refusal of the harmful test prompts, and drift from the first file on the harmless ones. */
async function screen(paths: readonly string[]) {
  let evaluator: Evaluator | undefined;
  const screenings = [];
  for (const path of paths) {
    const session = await ModelSession.open(path, { threads: 1 });
    evaluator ??= new Evaluator(session, { borderline: [], ...prompts.test });
    screenings.push(await evaluator.screen(session, { stage: 'screen' }));
    session.close();
  }
  return screenings;
}

// File types of the engine's quantiser, the type that the edited matrices then have, and what may be pushed beside the
// direction: noise falls with the step and with the root of the matrix's size, and these have 256 rows.
test.each([
  [0, 'F32', 0.1],
  [1, 'F16', 0.1],
  [32, 'BF16', 0.1],
  [7, 'Q8_0', 0.1],
  [18, 'Q6_K', 0.1],
  [16, 'Q5_K', 0.25],
  [8, 'Q5_0', 0.25],
  [9, 'Q5_1', 0.25],
  [14, 'Q4_K', 0.25],
  [2, 'Q4_0', 0.25],
  [3, 'Q4_1', 0.25],
  [11, 'Q3_K', 0.6],
  [10, 'Q2_K', 0.8],
  [25, 'IQ4_NL', 0.25],
  [30, 'IQ4_XS', 0.25],
  [38, 'MXFP4', 0.25],
])(
  'file type %d, %s: the update arrives, the file refuses more, and it can be undone',
  async (fileType, type, mostBeside) => {
    const source = join(folder, `${type}.gguf`);
    const output = join(folder, `${type}.hardened.gguf`);
    kernels._engineQuantize(tinyChat, source, fileType, 1);
    const undo = `${output}.undo`;
    const report = await harden(source, prompts, { ...edit, output, undo, threads: 1, seed: 1, evaluate: 'none' });
    expect(report.tensors).toHaveLength(6);
    expect(report.tensors.map((tensor) => tensor.type)).toContain(type);
    for (const { realised } of report.tensors) {
      expect(Math.abs(realised.gain - 1)).toBeLessThan(0.01);
      expect(realised.offDirection).toBeLessThan(mostBeside);
    }
    const [before, after] = await screen([source, output]);
    expect(after!.refusal.harmful).toBeGreaterThan(before!.refusal.harmful + 0.1);
    expect(after!.kl).toBeLessThan(0.2);
    const [a, b] = [await inspect(source), await inspect(output)];
    expect(b.fileBytes - b.dataOffset).toBe(a.fileBytes - a.dataOffset);
    expect(report.promotions).toEqual([]);
    const { exact, file } = report.fidelity!.shift;
    expect(Math.abs(file / exact - 1)).toBeLessThan(0.2);
    const original = join(folder, `${type}.original.gguf`);
    expect(await revert(output, { output: original })).toMatchObject({ sha256: report.model.sha256 });
    expect(readFileSync(original).equals(readFileSync(source))).toBe(true);
    expect(report.undoBytes).toBe(readFileSync(undo).length);
    if (process.env.ROSI_SHOW_MESSAGES) {
      const collateral = Math.max(...report.tensors.map(({ realised }) => realised.collateral));
      process.stdout.write(
        `${type}: harmful by first token ${before!.refusal.harmful.toFixed(3)} -> ${after!.refusal.harmful.toFixed(3)}, ` +
          `KL ${after!.kl.toFixed(3)}, worst noise ${collateral.toFixed(2)}, shift ${file.toFixed(3)} of ${exact.toFixed(3)}, ` +
          `KL to the exact edit ${report.fidelity!.kl.toFixed(4)}, undo ${report.undoBytes} of ${a.fileBytes} bytes\n`,
      );
    }
  },
  120_000,
);
