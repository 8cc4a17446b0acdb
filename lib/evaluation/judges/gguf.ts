import { basename } from 'node:path';

import { buildIdentity } from '../../build-identity';
import { RosiError } from '../../errors';
import { inspect } from '../../inspect';
import { modelFiles } from '../../model-files';
import { native } from '../../native';
import { ModelSession, type SessionOptions } from '../../session';
import { runStage, ticker, type CallOptions } from '../../stage';
import { oneLine } from '../../text';
import type { Judge, Judged, Verdict } from '../judge';
import { detectGuard, guardNames, guardPrompts, writingGuards, type GuardName, type WritingGuard } from './guards';
import { rubricIdentity, type Rubric } from './rubric';
import { rubrics, type RubricName } from './rubrics';
import {
  shieldGemmaPolicies,
  shieldGemmaPrompt,
  shieldGemmaVerdicts,
  yesAndNo,
  yesShares,
  type ShieldGemmaPolicy,
} from './shieldgemma';

export interface GgufJudgeOptions extends CallOptions {
  /** A guard's own format, or a rubric for a chat model. Default: the guard that the file says it is. */
  format?: GuardName | RubricName | Rubric | undefined;
  /** What ShieldGemma is asked about each answer. Default all four. */
  policies?: readonly ShieldGemmaPolicy[] | undefined;
  /** Default: the fastest number, measured. */
  threads?: number | undefined;
  /** Default `gguf:` and the model's name. */
  name?: string | undefined;
}

/** A judge that holds a model from its first call until it is closed. */
export interface GgufJudge extends Judge {
  /** Name of the guard's format or of the rubric. */
  format: string;
  /** The model is gone when calls that run have ended; a further call loads it again. */
  close(): void;
}

/**
 * A judge that is a GGUF model: a guard in the form that it was trained on, or any chat model with a rubric. Verdicts are
 * greedy, and the same each time. Nothing in an answer becomes a control token.
 *
 * A guard's own form has no fence, as a rubric has: an answer that spells the end of the conversation may mislead it.
 * Guards that tell nothing of refusals give no label (Llama Guard 3, ShieldGemma).
 *
 * @throws RosiError `OPTION_INVALID`, `GGUF_INVALID`, `FILE_FAILED`, `ABORTED`. Its judge() throws what
 *   {@link ModelSession.open} and its calls throw, and `JUDGE_FAILED` for an answer that does not fit the model's context.
 */
export async function ggufJudge(path: string, options: GgufJudgeOptions = {}): Promise<GgufJudge> {
  const { metadata } = await inspect(path);
  const form = chooseForm(path, options, metadata);
  const sha256 = await runStage(options, { stage: 'hash' }, (tick) => native.sha256(modelFiles(path), tick));
  const known = metadata['general.name'];
  const name = options.name ?? `gguf:${typeof known === 'string' && known !== '' ? known : basename(path)}`;
  const template = metadata['tokenizer.chat_template'];
  const held = new HeldSession(path, options.threads);
  return {
    name,
    format: form.name,
    identity: JSON.stringify({
      kind: 'gguf',
      sha256,
      format: form.identity(typeof template === 'string' ? template : null),
      engine: { greedy: true, rosi: buildIdentity() },
    }),
    judge: async (items, callOptions) => {
      if (items.length === 0) return [];
      try {
        return await held.use(callOptions, (session) => form.judge(session, items, callOptions, name));
      } catch (error) {
        throw error instanceof RosiError && error.code === 'PROMPTS_INVALID'
          ? tooLong(
              name,
              items.find((item) => form.text(item) === error.details['prompt'])!,
              error,
            )
          : error;
      }
    },
    close: () => held.close(),
  };
}

function tooLong(judge: string, { answer }: Judged, cause: RosiError): RosiError {
  const { tokens, room, nContext } = cause.details as Record<string, number>;
  const message =
    `the judge ${judge} failed: with the judge's own text, the answer "${oneLine(answer, 60)}" has ${tokens} ` +
    `tokens and ${room} for the verdict; the judge's context is ${nContext}. To mend it: judge with a model of longer ` +
    'context, or have shorter answers judged';
  return new RosiError('JUDGE_FAILED', message, { judge, answer, tokens, room, nContext }, { cause });
}

/** A way to get verdicts from a model. */
interface Form {
  name: string;
  identity(template: string | null): unknown;
  /** What the session knows the prompt of an item by. */
  text(item: Judged): string;
  judge(session: ModelSession, items: readonly Judged[], options: CallOptions, name: string): Promise<Verdict[]>;
}

function chooseForm(path: string, options: GgufJudgeOptions, metadata: Record<string, unknown>): Form {
  const format = options.format ?? detectGuard(metadata);
  const formats = [...guardNames, ...Object.keys(rubrics)].join(', ');
  if (format === null) {
    const message = `${path} does not say that it is a guard model that is known here: give options.format, one of ${formats}, or a rubric`;
    throw new RosiError('OPTION_INVALID', message, { option: 'format', path });
  }
  if (typeof format !== 'string') return rubricForm(format);
  if (format === 'shieldgemma') return shieldGemmaForm(checkPolicies(options.policies));
  if (Object.hasOwn(writingGuards, format)) return guardForm(writingGuards[format as WritingGuard['name']]);
  if (Object.hasOwn(rubrics, format)) return rubricForm(rubrics[format as RubricName]);
  const message = `options.format must be one of ${formats}, or a rubric; got "${format}"`;
  throw new RosiError('OPTION_INVALID', message, { option: 'format' });
}

function rubricForm(rubric: Rubric): Form {
  return {
    name: rubric.name,
    identity: () => rubricIdentity(rubric),
    text: (item) => rubric.user(item),
    judge: async (session, items, _, note) => {
      const prompts = items.map((item) => session.encode(rubric.user(item), rubric.system));
      const { texts } = await session.generate(prompts, { maxTokens: rubric.maxTokens, stage: 'judge', note });
      return items.map((item, i) => rubric.parse(texts[i]!, item));
    },
  };
}

function guardForm(guard: WritingGuard): Form {
  const { name, maxTokens } = guard;
  return {
    name,
    // What the special tokens are is in the file, whose hash is beside it.
    identity: (template) => ({ name, prompt: guardPrompts(guard, template, {}).from, maxTokens, version: 1 }),
    text: ({ answer }) => answer,
    judge: async (session, items, _, note) => {
      const { bosText: bosToken, eosText: eosToken, chatTemplate } = session.info;
      const { pieces } = guardPrompts(guard, chatTemplate, { bosToken, eosToken });
      const prompts = items.map((item) => session.encodePieces(pieces(item), item.answer));
      const { texts } = await session.generate(prompts, { maxTokens, stage: 'judge', note });
      return items.map((item, i) => guard.parse(texts[i]!, item));
    },
  };
}

// Prompts whose logits are held at once: 256 000 tokens of 4 bytes each are 1 MB.
const atOnce = 64;

function shieldGemmaForm(policies: readonly ShieldGemmaPolicy[]): Form {
  return {
    name: 'shieldgemma',
    identity: () => ({ name: 'shieldgemma', policies, version: 1 }),
    text: ({ answer }) => answer,
    judge: async (session, items, options, note) => {
      const tokens = yesAndNo(session);
      const prompts = items.flatMap((item) =>
        policies.map((policy) => session.encodePieces(shieldGemmaPrompt(item, policy), item.answer)),
      );
      const tick = ticker(options, 'judge', items.length, 'answers', note);
      const shares: number[] = [];
      while (shares.length < prompts.length) {
        const some = prompts.slice(shares.length, shares.length + atOnce);
        shares.push(...yesShares(await session.nextTokenLogits(some, undefined, 'logits', note), some.length, tokens));
        tick(shares.length / prompts.length);
      }
      return shieldGemmaVerdicts(policies, shares);
    },
  };
}

function checkPolicies(policies: readonly ShieldGemmaPolicy[] | undefined): ShieldGemmaPolicy[] {
  const known = Object.keys(shieldGemmaPolicies) as ShieldGemmaPolicy[];
  const wanted = policies ?? known;
  const bad = wanted.find((policy) => !known.includes(policy));
  if (bad !== undefined || wanted.length === 0) {
    const message = `options.policies must be of ${known.join(', ')}; got ${bad === undefined ? 'none' : `"${bad}"`}`;
    throw new RosiError('OPTION_INVALID', message, { option: 'policies' });
  }
  return [...new Set(wanted)];
}

/** A session that is opened when it is first used. One call uses it at a time: its options are those of the call. */
class HeldSession {
  private session: ModelSession | undefined;
  private last: Promise<unknown> = Promise.resolve();
  private readonly options: SessionOptions;

  constructor(
    private readonly path: string,
    threads: number | undefined,
  ) {
    this.options = { threads };
  }

  use<T>({ signal, onProgress }: CallOptions, work: (session: ModelSession) => Promise<T>): Promise<T> {
    return this.after(async () => {
      Object.assign(this.options, { signal, onProgress });
      this.session ??= await ModelSession.open(this.path, this.options);
      return work(this.session);
    });
  }

  close(): void {
    void this.after(() => {
      this.session?.close();
      this.session = undefined;
      return Promise.resolve();
    });
  }

  private after<T>(work: () => Promise<T>): Promise<T> {
    const next = this.last.then(work);
    this.last = next.catch(() => {}); // whoever called has it
    return next;
  }
}
