import type { Direction } from './direction';
import { RosiError } from './errors';
import { divergence, logProbabilities, probabilityOf, refusalTokens } from './first-token';
import type { UpdatePlan } from './plan';
import type { ModelSession, RunTimeEdit } from './session';
import type { CallOptions } from './stage';
import { mean } from './statistics';
import { withEdit } from './trial-edit';
import { shortPercent } from './text';

/** What is left of an edit in the finished file, against the same edit applied exactly while the original runs. */
export interface Fidelity {
  /**
   * Mean shift of the stream along the direction after the last edited block, on harmful prompts, in units of the
   * distance of the classes.
   */
  shift: { exact: number; file: number };
  /** Mean probability that an answer to a harmful prompt begins with a refusal. */
  refusal: { original: number; exact: number; file: number };
  /** Mean KL(exact || file) of the first token on harmless prompts, nats. */
  kl: number;
}

// What rounding may take or add. Finished files of the 13 types that were tried stay well within; docs/low-bit.md.
// Numbers that are none are beyond every bound. The shift's is a share of what was planned, or of a quarter of the distance where less was planned.
export const fidelityBounds = { shift: 0.3, refusal: 0.1, kl: 0.05 };
const smallShift = 0.25;
const fewPrompts = { harmful: 32, harmless: 24 };

interface Reading {
  /** Mean projection of the stream on the direction. */
  projection: number;
  refusal: number;
  /** Log probabilities of the first token, one row a harmless prompt. */
  logP: Float32Array[];
}

/** Reads the exact edit while the original is in memory, and compares the file with it later. */
export class FidelityCheck {
  private constructor(
    private readonly read: (session: ModelSession, edit?: RunTimeEdit) => Promise<Reading>,
    private readonly distance: number,
    private readonly original: Reading,
    private readonly exact: Reading,
  ) {}

  static async begin(
    session: ModelSession,
    prompts: { harmful: readonly string[]; harmless: readonly string[] },
    plan: UpdatePlan,
    direction: Direction,
    options: CallOptions = {},
  ): Promise<FidelityCheck> {
    const encode = (texts: readonly string[]) => texts.map((text) => session.encode(text));
    const harmful = encode(prompts.harmful.slice(0, fewPrompts.harmful));
    const harmless = encode(prompts.harmless.slice(0, fewPrompts.harmless));
    const refusal = refusalTokens(session);
    const nLayer = plan.edit.layers[1] + 1;
    const read = async (model: ModelSession, edit?: RunTimeEdit): Promise<Reading> => {
      const request = { streams: true, writers: [], nLayer, logits: true, ...(edit && { edit }) };
      const prompts = [...harmful, ...harmless];
      const { streams, dModel, ...rest } = await model.capture(prompts, request, 'fidelity');
      const projections = harmful.map((_, i) => {
        const at = (i * nLayer + nLayer - 1) * dModel;
        return direction.vector.reduce((sum, value, j) => sum + value * streams[at + j]!, 0);
      });
      const { nVocab } = model.info;
      const logP = prompts.map((_, i) => logProbabilities(rest.logits!.subarray(i * nVocab, (i + 1) * nVocab)));
      return {
        projection: mean(projections),
        refusal: mean(logP.slice(0, harmful.length).map((row) => probabilityOf(refusal, row))),
        logP: logP.slice(harmful.length),
      };
    };
    const original = await read(session);
    const exact = await withEdit(session, plan, options, read);
    return new FidelityCheck(read, direction.distance, original, exact);
  }

  /** `file`: the finished file. */
  async compare(file: ModelSession): Promise<Fidelity> {
    const { original, exact, distance } = this;
    const edited = await this.read(file);
    return {
      shift: {
        exact: (exact.projection - original.projection) / distance,
        file: (edited.projection - original.projection) / distance,
      },
      refusal: { original: original.refusal, exact: exact.refusal, file: edited.refusal },
      kl: mean(exact.logP.map((row, i) => divergence(row, edited.logP[i]!))),
    };
  }
}

/** Whether the file does what the exact edit does, within the bounds. */
export function isFaithful(fidelity: Fidelity): boolean {
  return shortcomings(fidelity).length === 0;
}

/** @throws RosiError `UPDATE_LOST` when the file falls short of the exact edit by more than the bounds. */
export function requireFidelity(fidelity: Fidelity, maxGrowth: number): void {
  const short = shortcomings(fidelity);
  if (short.length === 0) return;
  throw new RosiError(
    'UPDATE_LOST',
    `rounding keeps the file from what the edit does: ${short.join('; ')}. Nothing was written: allow more growth than ${shortPercent(maxGrowth)} ` +
      '(maxGrowth), take a quantisation with more bits, or write the edit as a LoRA adapter, which is exact',
    { ...fidelity, maxGrowth },
  );
}

function shortcomings({ shift, refusal, kl }: Fidelity): string[] {
  return [
    ...(!(Math.abs(shift.file - shift.exact) <= fidelityBounds.shift * Math.max(smallShift, Math.abs(shift.exact)))
      ? [
          `it moves the stream along the direction by ${shift.file.toFixed(2)} instead of ${shift.exact.toFixed(2)} distances of the classes`,
        ]
      : []),
    ...(!(refusal.exact - refusal.file <= fidelityBounds.refusal)
      ? [
          `harmful prompts are refused with ${refusal.file.toFixed(2)} instead of ${refusal.exact.toFixed(2)} by first tokens`,
        ]
      : []),
    ...(!(kl <= fidelityBounds.kl)
      ? [`it drifts from the exact edit by ${kl.toFixed(3)} nats on harmless prompts`]
      : []),
  ];
}
