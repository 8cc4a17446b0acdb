import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { native, runTask, type NativeAddon } from '../native';
import type { KernelProbes } from './kernel-probes';
import { applyUpdate } from '../update';
import { verifyUpdate } from '../verify';
import { noise, norm } from './block-values';
import { nVocab, tinyModel, type TinyModel } from './tiny-model';

const nTokens = 8;
// A prompt of one token, so that this program can compute the answer, too; the letter e.
const prompt = Int32Array.of(3 + 'e'.charCodeAt(0));
/**
 * What logits may be off by in root mean square, as a share of their own. The engine rounds the inputs of quantised matrices
 * to eight bits, here five times in a row by about a hundredth; .020 was measured with the backend haswell.
 */
const tolerance = 0.06;

interface EngineTestOptions {
  signal?: AbortSignal | undefined;
  /** Where files are made for the test, and gone after it. Default: the system's folder for temporary files. */
  folder?: string | undefined;
  engine?: Pick<NativeAddon, 'openSession' | 'nextTokenLogits' | 'generate' | 'closeHandle'>;
}

/**
 * Loads a model of random weights that is made here, compares its logits with float64, and lets it write a few tokens, the
 * last of which is compared with a run of all tokens at once. On one thread: those of the engine wait for each other by
 * spinning, for minutes on a busy machine.
 */
export async function testEngine(
  kernels: KernelProbes,
  { signal, folder, engine = native }: EngineTestOptions = {},
): Promise<string> {
  return withTinyModel(kernels, folder, async (path, model) => {
    const session = await runTask(() => engine.openSession(path, { threads: 1 }, () => {}), signal);
    try {
      const logitsOf = (tokens: Int32Array) =>
        runTask(() => engine.nextTokenLogits(session, { prompts: [tokens], threads: 1 }, () => {}), signal);
      const logits = await logitsOf(prompt);
      const exact = model.logitsAfter(prompt[0]!);
      const off = norm(exact.map((x, i) => x - logits[i]!)) / norm(exact);
      if (!(off < tolerance))
        throw new Error(`logits are off by ${off.toFixed(3)} of their size, expected below ${tolerance}`);

      const request = { prompts: [prompt], maxTokens: nTokens, threads: 1 };
      const { answers } = await runTask(() => engine.generate(session, request, () => {}), signal);
      const answer = answers[0] ?? new Int32Array();
      if (answer.length !== nTokens) throw new Error(`${answer.length} tokens were written, expected ${nTokens}`);
      const all = await logitsOf(Int32Array.of(...prompt, ...answer.subarray(0, -1)));
      const [last, most] = [all[answer[nTokens - 1]!]!, all.reduce((a, b) => Math.max(a, b), -Infinity)];
      // Rounding may let another token win that is as likely.
      if (!(most - last < (tolerance * norm(all)) / Math.sqrt(nVocab)))
        throw new Error('a token written one by one is not the one that a run of all of them finds');
      return `logits of a tiny model within ${(100 * off).toFixed(1)} % of float64, ${nTokens} tokens written`;
    } finally {
      engine.closeHandle(session);
    }
  });
}

/** Writes a hardened copy of a tiny model and verifies it against its source and its plan. */
export async function testFiles(
  kernels: KernelProbes,
  { signal, folder: parent }: Omit<EngineTestOptions, 'engine'> = {},
): Promise<string> {
  return withTinyModel(kernels, parent, async (path, _, folder) => {
    const name = 'blk.0.ffn_down.weight';
    const [left, right] = [noise(256, 'left', 0.01), noise(256, 'right')];
    const edit = { layer: 0, layers: [0, 0], schedule: 'equal', strength: 1, rightFactor: 'gated' } as const;
    const plan = { edit, tensors: [{ name, left, right }] };
    const output = join(folder, 'tiny.hardened.gguf');
    await applyUpdate(path, plan, { output, signal });
    const { ok, tensors } = await verifyUpdate(path, output, { plan, signal });
    if (!ok || !(tensors[0]!.changedBytes! > 0)) throw new Error(`a file written to ${folder} does not verify`);
    return 'a tiny model written, read back and verified';
  });
}

async function withTinyModel<T>(
  kernels: KernelProbes,
  parent = tmpdir(),
  use: (path: string, model: TinyModel, folder: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(parent, 'rosi-doctor-'));
  try {
    const model = tinyModel(kernels);
    const path = join(folder, 'tiny.gguf');
    writeFileSync(path, Buffer.concat(model.file));
    return await use(path, model, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
