import type { StageClock } from './clock';
import { Evaluator, type Behaviour } from './evaluator';
import { FidelityCheck, type Fidelity } from './fidelity';
import type { FoundEdit } from './find-edit';
import type { Settings } from './options';
import type { SplitSample } from './prompts';
import { ModelSession } from './session';

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
    const evaluator = settings.evaluate !== 'none' ? new Evaluator(session, sample.test) : null;
    const before =
      evaluator && (await clock.time('evaluate', () => evaluator.answer(session, run(settings, 'before'))));
    return new BeforeAfter(evaluator, check, settings, clock, before);
  }

  /** What is left of the edit in a file; null when nothing was to be changed. */
  async fidelity(path: string): Promise<Fidelity | null> {
    const { check, settings, clock } = this;
    return check && clock.time('fidelity', () => withModel(path, settings, (file) => check.compare(file)));
  }

  /** The finished file's answers; null without evaluation. */
  async after(path: string): Promise<Behaviour | null> {
    const { evaluator, settings, clock } = this;
    const answer = (file: ModelSession) => evaluator!.answer(file, run(settings, 'after'));
    return evaluator && clock.time('evaluate', () => withModel(path, settings, answer));
  }
}

async function withModel<T>(path: string, settings: Settings, use: (session: ModelSession) => Promise<T>): Promise<T> {
  const session = await ModelSession.open(path, settings);
  try {
    return await use(session);
  } finally {
    session.close();
  }
}

function run({ maxTokens }: Settings, note: string) {
  return { maxTokens, stage: 'evaluate', note };
}
