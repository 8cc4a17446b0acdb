import type { StageClock } from './clock';
import { Evaluator, type Behaviour } from './evaluate';
import { FidelityCheck, type Fidelity } from './fidelity';
import type { FoundEdit } from './find-edit';
import type { Settings } from './options';
import type { SplitSample } from './prompts';
import { ModelSession } from './session';

/** What the finished file does. */
export interface Finished {
  /** Answers to the test prompts; null without evaluation. */
  after: Behaviour | null;
  /** Null when nothing was to be changed. */
  fidelity: Fidelity | null;
}

/** Observes the original and, once the original is out of memory, the finished file, on the same prompts. */
export class BeforeAfter {
  private constructor(
    private readonly evaluator: Evaluator | null,
    private readonly check: FidelityCheck | null,
    private readonly settings: Settings,
    private readonly clock: StageClock,
    /** Null without evaluation. */
    readonly before: Behaviour | null,
  ) {}

  static async begin(
    session: ModelSession,
    sample: SplitSample,
    { plan, direction }: FoundEdit,
    settings: Settings,
    clock: StageClock,
  ): Promise<BeforeAfter> {
    const nothing = plan.edit.strength === 0;
    const check = nothing
      ? null
      : await clock.time('fidelity', () =>
          FidelityCheck.begin(session, sample.validation, plan, direction, { signal: settings.signal }),
        );
    const evaluator = settings.evaluate ? new Evaluator(session, sample.test) : null;
    const before =
      evaluator && (await clock.time('evaluate', () => evaluator.answer(session, run(settings, 'before'))));
    return new BeforeAfter(evaluator, check, settings, clock, before);
  }

  async finish(path: string): Promise<Finished> {
    const { evaluator, check, settings, clock } = this;
    if (evaluator === null && check === null) return { after: null, fidelity: null };
    const file = await clock.time('load', () => ModelSession.open(path, settings));
    try {
      const fidelity = check && (await clock.time('fidelity', () => check.compare(file)));
      const after = evaluator && (await clock.time('evaluate', () => evaluator.answer(file, run(settings, 'after'))));
      return { after, fidelity };
    } finally {
      file.close();
    }
  }
}

function run({ maxTokens }: Settings, note: string) {
  return { maxTokens, stage: 'evaluate', note };
}
