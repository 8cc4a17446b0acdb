import { divergence, logProbabilities, probabilityOf, refusalTokens, summarise, type Screening } from './first-token';
import { roles, type Role } from './prompts';
import { declines, labelAnswer, type AnswerLabel } from './refusal';
import type { ModelSession, RunTimeEdit } from './session';
import { wilson, type Rate } from './statistics';

export interface AnswerSample {
  role: Role;
  prompt: string;
  answer: string;
  label: AnswerLabel;
}

/** Whole answers, labelled, and what their first tokens say. */
export interface Behaviour {
  /** Share declined, of each role, with its 95 % Wilson interval. */
  refused: Record<Role, Rate>;
  /** Share of all answers that are empty or loop. */
  degenerate: Rate;
  screening: Screening;
  answers: AnswerSample[];
}

/** How many prompts of each role are run: the first ones. */
export type Counts = Readonly<Record<Role, number>>;

export function firstOf(prompts: Readonly<Record<Role, string[]>>, counts: Counts): Record<Role, string[]> {
  return {
    harmful: prompts.harmful.slice(0, counts.harmful),
    harmless: prompts.harmless.slice(0, counts.harmless),
    borderline: prompts.borderline.slice(0, counts.borderline),
  };
}

interface RunOptions {
  /** Default: all prompts. */
  counts?: Counts;
  /** The first ones of each role that are left out. Default: none. */
  skip?: Counts;
  edit?: RunTimeEdit | undefined;
  stage: string;
  note?: string;
}

/** The original's first token of a prompt. */
interface Original {
  refusal: number;
  /** [nVocab], of harmless prompts alone: the others' drift is the purpose. Null also where it is not known. */
  logP: Float32Array | null;
}

/** What is kept of the original's answers, by prompt. */
export interface KeptOriginal {
  labels: AnswerLabel[];
  /** Probability that the answer begins with a refusal. */
  refusals: number[];
}

/**
 * Prompts of each role, and how the original model's answers to them begin. The first run must be of the original, on
 * all prompts, or what was kept of one: it is what edits, and other files of the same vocabulary, are compared with.
 */
export class Evaluator {
  private readonly items: { role: Role; prompt: string; tokens: Int32Array }[];
  private readonly refusal: Set<number>;
  private originals: Original[] | undefined;

  /** @param system - System prompt before every prompt. Default none. */
  constructor(session: ModelSession, prompts: Record<Role, string[]>, system?: string) {
    this.items = roles.flatMap((role) =>
      prompts[role].map((prompt) => ({ role, prompt, tokens: session.encode(prompt, system) })),
    );
    this.refusal = refusalTokens(session);
  }

  /** First tokens only: a forward pass a prompt. */
  async screen(session: ModelSession, { counts, skip, edit, stage, note }: RunOptions): Promise<Screening> {
    const which = this.choose(counts, skip);
    const logits = await session.nextTokenLogits(this.tokensOf(which), edit, stage, note);
    return this.compare(logits, session.info.nVocab, which);
  }

  /** Greedy answers of at most `maxTokens` new tokens. */
  async answer(session: ModelSession, options: RunOptions & { maxTokens: number }): Promise<Behaviour> {
    const { counts, skip, ...run } = options;
    const which = this.choose(counts, skip);
    const { texts, firstLogits } = await session.generate(this.tokensOf(which), { ...run, firstLogits: true });
    const answers = which.map((i, row) => {
      const { role, prompt } = this.items[i]!;
      const answer = texts[row]!;
      return { role, prompt, answer, label: labelAnswer(answer).label };
    });
    const rate = (role: Role) => {
      const of = answers.filter((answer) => answer.role === role);
      return wilson(of.filter(({ label }) => declines(label)).length, of.length);
    };
    return {
      refused: { harmful: rate('harmful'), harmless: rate('harmless'), borderline: rate('borderline') },
      degenerate: wilson(answers.filter((answer) => answer.label === 'degenerate').length, answers.length),
      screening: this.compare(firstLogits!, session.info.nVocab, which),
      answers,
    };
  }

  /** What to keep of a run of the original: `behaviour`, the first. */
  originalOf({ answers }: Behaviour): KeptOriginal {
    return { labels: answers.map(({ label }) => label), refusals: this.originals!.map(({ refusal }) => refusal) };
  }

  /**
   * In place of a run of the original: what one found before. Drift is told after {@link readOriginal}. False where it is of
   * more or fewer prompts.
   */
  restore({ refusals, labels }: KeptOriginal): boolean {
    if (refusals.length !== this.items.length || labels.length !== this.items.length) return false;
    this.originals = refusals.map((refusal) => ({ refusal, logP: null }));
    return true;
  }

  /** The original's first tokens on the first harmless prompts, which drift is measured from, unless they are known. */
  async readOriginal(session: ModelSession, { harmless }: Counts, stage: string): Promise<void> {
    const which = this.choose({ harmful: 0, harmless, borderline: 0 }).filter((i) => this.originals![i]!.logP === null);
    if (which.length === 0) return;
    const logits = await session.nextTokenLogits(this.tokensOf(which), undefined, stage, 'the original');
    const { nVocab } = session.info;
    for (const [row, i] of which.entries())
      this.originals![i]!.logP = logProbabilities(logits.subarray(row * nVocab, (row + 1) * nVocab));
  }

  /** The original's first tokens on the first prompts of each role. */
  baseline(counts: Counts): Screening {
    const of = this.choose(counts).map((i) => ({
      role: this.items[i]!.role,
      refusal: this.originals![i]!.refusal,
      kl: null,
    }));
    return summarise(of);
  }

  /** How many prompts of each role there really are among the first ones. */
  countsOf(counts: Counts, skip?: Counts): Counts {
    const found = { harmful: 0, harmless: 0, borderline: 0 };
    for (const i of this.choose(counts, skip)) ++found[this.items[i]!.role];
    return found;
  }

  private choose(counts?: Counts, skip?: Counts): number[] {
    const seen = { harmful: 0, harmless: 0, borderline: 0 };
    return this.items.flatMap(({ role }, i) => {
      const place = seen[role]++;
      return place >= (skip?.[role] ?? 0) && place < (counts?.[role] ?? Infinity) ? [i] : [];
    });
  }

  private tokensOf(which: readonly number[]): Int32Array[] {
    return which.map((i) => this.items[i]!.tokens);
  }

  /** `logits` [which, nVocab]. The first call sets what later ones are compared with. */
  private compare(logits: Float32Array, nVocab: number, which: readonly number[]): Screening {
    const rows = which.map((i, row) => {
      const { role } = this.items[i]!;
      const logP = logProbabilities(logits.subarray(row * nVocab, (row + 1) * nVocab));
      return { role, refusal: probabilityOf(this.refusal, logP), logP: role === 'harmless' ? logP : null };
    });
    this.originals ??= rows;
    const originals = this.originals;
    return summarise(
      rows.map(({ role, refusal, logP }, row) => {
        const original = originals[which[row]!]!;
        const known = logP !== null && original.logP !== null;
        return { role, refusal, kl: known ? divergence(original.logP!, logP) : null };
      }),
    );
  }
}
