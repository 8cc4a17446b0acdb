import type { Streams } from '../capture';
import { chooseDirection } from '../direction';
import { Evaluator, firstOf, type AnswerSample, type Counts, type KeptOriginal } from '../evaluator';
import type { Screening } from '../first-token';
import type { Settings } from '../options';
import { planUpdate, type Edit } from '../plan';
import { roles, type Role } from '../prompts';
import type { Push } from '../push';
import { declines, meets } from '../refusal';
import type { ModelSession, RunTimeEdit } from '../session';
import type { CallOptions } from '../stage';
import { withEdit } from '../trial-edit';
import type { Found, Journal } from './journal';
import {
  describe,
  editOf,
  excesses,
  screeningScore,
  tallySum,
  together,
  validate,
  type Bounds,
  type Tally,
  type Trial,
  type Validated,
} from './trial';

/** What trials need to know besides what they are made with. */
export type TrialSettings = Pick<Settings, 'rightFactor' | 'trials' | 'budget' | 'pick'> &
  CallOptions & { bounds: Bounds; journal?: Journal | undefined };

/** Prompts that tell good edits from bad ones, prompts that tell good ones apart, and prompts that decide. */
const rough: Counts = { harmful: 12, harmless: 12, borderline: 16 };
const fine: Counts = { harmful: 32, harmless: 24, borderline: 32 };
const wide: Counts = { harmful: 64, harmless: 64, borderline: 64 };
const none: Counts = { harmful: 0, harmless: 0, borderline: 0 };
const answering = { maxTokens: 24, stage: 'search' };
/** Share of a time budget after which no new edits are tried: the rest is for answers. */
const screeningShare = 0.6;

/** Tries edits on the validation prompts, and keeps what they did. */
export class Trials {
  readonly all: Trial[] = [];
  private readonly tallies = new Map<Trial, Tally>();
  /** Of all trials, those that the journal knows included: a budget then ends a resumed search where it would have. */
  private seconds = 0;
  private over = false;

  private constructor(
    private readonly session: ModelSession,
    private readonly activations: Streams,
    private readonly pushes: readonly Push[],
    private readonly settings: TrialSettings,
    private readonly evaluator: Evaluator,
    /** The original's, to as many prompts as decide. */
    private readonly before: readonly Labelled[],
  ) {}

  static async begin(
    session: ModelSession,
    activations: Streams,
    pushes: readonly Push[],
    prompts: Record<Role, string[]>,
    settings: TrialSettings,
  ): Promise<Trials> {
    const some = firstOf(prompts, wide);
    const evaluator = new Evaluator(session, some);
    const asked = roles.flatMap((role) => some[role].map(() => role));
    const { labels } = await originalOf(session, evaluator, settings.journal);
    const before = asked.map((role, i) => ({ role, label: labels[i]! }));
    return new Trials(session, activations, pushes, settings, evaluator, before);
  }

  /** First tokens of the original, on the prompts of a trial that is complete. */
  get baseline(): Screening {
    return this.evaluator.baseline(fine);
  }

  /** The original's answers to the prompts that a trial answered; to all of them where it answered none. */
  original({ validated }: Pick<Trial, 'validated'>): Validated {
    const tally = this.tallyBefore(validated?.counts ?? wide);
    return validate(tally, tally);
  }

  /** Whether another edit may be screened: within the number of trials and the time for them, but one in any case. */
  get mayScreen(): boolean {
    const { trials, budget } = this.settings;
    if (this.all.length === 0) return true;
    return !this.over && this.all.length < trials && (budget === null || this.seconds < screeningShare * budget);
  }

  /** Whether another edit may be answered with. */
  get mayAnswer(): boolean {
    const { budget } = this.settings;
    return !this.over && (budget === null || this.seconds < budget);
  }

  /** First tokens of a few prompts. Null: the search was to end before. */
  async screen(edit: Edit, phase: Trial['phase']): Promise<Trial | null> {
    const number = this.all.length + 1;
    const screening = await this.firstTokens(edit, none, rough, `trial ${number}`);
    if (screening === null) return null;
    const trial: Trial = { number, phase, ...edit, counts: rough, screening, score: 0, breaks: [] };
    this.all.push(trial);
    this.judge(trial);
    return trial;
  }

  /** First tokens of the prompts that are left. Nothing changes where the search was to end before. */
  async complete(trial: Trial): Promise<void> {
    if (this.isComplete(trial)) return;
    const rest = await this.firstTokens(trial, rough, fine, `trial ${trial.number}`);
    if (rest === null) return;
    trial.screening = together(
      trial.screening,
      this.evaluator.countsOf(rough),
      rest,
      this.evaluator.countsOf(fine, rough),
    );
    trial.counts = fine;
    this.judge(trial);
  }

  isComplete({ counts }: Trial): boolean {
    return counts === fine;
  }

  /** Whole answers to the prompts of a complete trial: what counts. First tokens are what a few dozen prompts measure well. */
  async answer(trial: Trial): Promise<void> {
    await this.answers(trial, none, fine);
  }

  /** Whole answers to the prompts that are left, of one that answered. Nothing changes where the search was to end before. */
  async answerRest(trial: Trial): Promise<void> {
    if (!this.isSettled(trial)) await this.answers(trial, fine, wide);
  }

  /** Whether it answered all prompts that there are. */
  isSettled({ validated }: Trial): boolean {
    const all = this.evaluator.countsOf(wide);
    return validated !== undefined && roles.every((role) => validated.counts[role] === all[role]);
  }

  private async answers(trial: Trial, skip: Counts, counts: Counts): Promise<void> {
    const note = `answers of trial ${trial.number}: ${describe(trial)}`;
    const found = await this.tried(['answer', editOf(trial), skip, counts], async () => {
      const { answers } = await this.apply(trial, (session, edit) =>
        this.evaluator.answer(session, { ...answering, skip, counts, edit, note }),
      );
      return { tally: tallyOf(answers) };
    });
    if (found === null) return;
    const earlier = this.tallies.get(trial);
    const tally = earlier === undefined ? found.tally : tallySum(earlier, found.tally);
    this.tallies.set(trial, tally);
    trial.validated = validate(tally, this.tallyBefore(tally.counts));
    this.judge(trial);
  }

  private tallyBefore(counts: Counts): Tally {
    return tallyOf(roles.flatMap((role) => this.before.filter((one) => one.role === role).slice(0, counts[role])));
  }

  private judge(trial: Trial): void {
    trial.score = screeningScore(trial.screening, this.evaluator.baseline(trial.counts));
    trial.breaks = excesses(trial, this.original(trial), this.settings.bounds).map(({ bound }) => bound);
  }

  private async firstTokens(edit: Edit, skip: Counts, counts: Counts, name: string): Promise<Screening | null> {
    const note = `${name}: ${describe(edit)}`;
    const screen = (session: ModelSession, edited?: RunTimeEdit) =>
      this.evaluator.screen(session, { skip, counts, edit: edited, stage: 'search', note });
    const found = await this.tried(
      ['screen', editOf(edit), skip, counts],
      async () => ({ screening: await this.apply(edit, screen) }),
      () => this.evaluator.readOriginal(this.session, fine, 'search'),
    );
    return found && found.screening;
  }

  /**
   * What the journal has, or else what `work` finds after `prepare`, whose time is no trial's. Null where a trial is picked that
   * is known already: no work is for it.
   */
  private async tried<T extends Found>(
    what: readonly unknown[],
    work: () => Promise<T>,
    prepare: () => Promise<void> = () => Promise.resolve(),
  ): Promise<T | null> {
    const { journal, pick } = this.settings;
    const key = JSON.stringify(what);
    const known = journal?.get(key);
    if (known !== undefined) {
      this.seconds += known.seconds;
      return known as unknown as T;
    }
    if (this.over || (pick !== null && this.all.length >= pick)) {
      this.over = true;
      return null;
    }
    await prepare();
    const start = performance.now();
    const found = await work();
    const seconds = (performance.now() - start) / 1000;
    this.seconds += seconds;
    journal?.add([[key, { ...found, seconds }]]);
    return found;
  }

  /** Without tensors, where the classes separate no further under `profile`, the edit is none. */
  private async apply<T>(edit: Edit, use: (session: ModelSession, edit?: RunTimeEdit) => Promise<T>): Promise<T> {
    const direction = chooseDirection(this.activations, edit.layer);
    const { rightFactor, signal } = this.settings;
    const plan = planUpdate(this.activations, direction, this.pushes, { ...editOf(edit), rightFactor });
    if (plan.tensors.length === 0) return use(this.session);
    return withEdit(this.session, plan, { signal }, use);
  }
}

type Labelled = Pick<AnswerSample, 'role' | 'label'>;

/** The original's answers to all prompts, from the journal where it has them. */
async function originalOf(session: ModelSession, evaluator: Evaluator, journal?: Journal): Promise<KeptOriginal> {
  const known = journal?.get('original');
  if (known !== undefined && 'original' in known && evaluator.restore(known.original)) return known.original;
  const original = evaluator.originalOf(await evaluator.answer(session, { ...answering, note: 'the original' }));
  journal?.add([['original', { original, seconds: 0 }]]);
  evaluator.restore(original); // what follows is the same, whichever way it came
  return original;
}

function tallyOf(answers: readonly Labelled[]): Tally {
  const of = (role: Role) => answers.filter((answer) => answer.role === role);
  const declined = (role: Role) => of(role).filter(({ label }) => declines(label)).length;
  return {
    counts: { harmful: of('harmful').length, harmless: of('harmless').length, borderline: of('borderline').length },
    declined: { harmful: declined('harmful'), harmless: declined('harmless'), borderline: declined('borderline') },
    met: of('harmless').filter(({ label }) => meets(label)).length,
    degenerate: answers.filter(({ label }) => label === 'degenerate').length,
  };
}
