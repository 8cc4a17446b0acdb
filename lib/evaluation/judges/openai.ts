import type { APIError, OpenAI } from 'openai';

import { RosiError, throwIfAborted } from '../../errors';
import { ticker, type CallOptions } from '../../stage';
import { oneLine } from '../../text';
import type { Judge, Judged } from '../judge';
import { askedPause, growingPause, withRetries } from './retries';
import { checkRubric, rubricIdentity, type Rubric } from './rubric';
import { rubrics, type RubricName } from './rubrics';

export interface OpenAiJudgeOptions {
  /** As the endpoint calls it. */
  model: string;
  /** Default: the environment variable OPENAI_BASE_URL, or OpenAI's own. */
  baseURL?: string | undefined;
  /** Default: the environment variable OPENAI_API_KEY. Endpoints other than OpenAI's own may do without. */
  apiKey?: string | undefined;
  /** Default `labels`. */
  rubric?: RubricName | Rubric | undefined;
  /** Most requests under way at once. Default 4. */
  concurrency?: number | undefined;
  /** Most further tries of a request that failed for a reason that may pass, with growing pauses. Default 4. */
  retries?: number | undefined;
  /** Milliseconds that a try may take, until its last byte. Default 60 000. */
  timeout?: number | undefined;
  /** Default `openai:` and the model. */
  name?: string | undefined;
  /** Fields that a request has beside ours or instead of them, as the endpoint wants them; undefined leaves one out. */
  request?: Readonly<Record<string, unknown>> | undefined;
}

const openAi = 'https://api.openai.com/v1';

/**
 * A judge behind any endpoint that speaks OpenAI's chat completions: a service, or llama.cpp, vLLM or Ollama of one's own.
 * Requests and answers are sent there. Temperature is 0; services promise the same verdict twice all the same only roughly.
 *
 * A reply that can't be read is unknown. A request that fails after its retries fails the call, and the others are given up.
 *
 * @throws RosiError `OPTION_INVALID`. Its judge() throws `JUDGE_FAILED`, with `endpoint`, `status` and, where the
 *   endpoint refuses what it is asked, the `answer`; and `ABORTED`.
 */
export function openAiJudge(options: OpenAiJudgeOptions): Judge {
  const settings = resolve(options);
  const { model, baseURL, rubric, name, body } = settings;
  return {
    name,
    identity: JSON.stringify({ kind: 'openai', endpoint: baseURL, model, rubric: rubricIdentity(rubric), body }),
    async judge(items, callOptions) {
      throwIfAborted(callOptions.signal);
      if (items.length === 0) return [];
      const client = connect(settings);
      const tick = ticker(callOptions, 'judge', items.length, 'answers', name);
      let done = 0;
      return inParallel(items, settings.concurrency, callOptions, async (item, signal) => {
        const verdict = rubric.parse(await reply(client, settings, item, signal), item);
        tick(++done / items.length);
        return verdict;
      });
    },
  };
}

interface Settings {
  model: string;
  baseURL: string;
  apiKey: string;
  rubric: Rubric;
  concurrency: number;
  retries: number;
  timeout: number;
  name: string;
  /** What every request has beside the model and the messages. */
  body: Record<string, unknown>;
}

function resolve(options: OpenAiJudgeOptions): Settings {
  const { model, concurrency = 4, retries = 4, timeout = 60_000, request } = options;
  if (typeof model !== 'string' || model.trim() === '') throw invalid('model', model, 'the name of a model');
  const whole = (name: string, value: number, least: number, most: number) => {
    if (!Number.isInteger(value) || value < least || value > most) {
      throw invalid(name, value, `a whole number from ${least} to ${most}`);
    }
  };
  whole('concurrency', concurrency, 1, 256);
  whole('retries', retries, 0, 100);
  whole('timeout', timeout, 1, 2 ** 31 - 1); // the longest that a timer waits
  const baseURL = (options.baseURL ?? (process.env['OPENAI_BASE_URL']?.trim() || openAi)).replace(/\/+$/u, '');
  if (!URL.canParse(baseURL)) throw invalid('baseURL', baseURL, 'an address, such as http://localhost:8080/v1');
  const { username, password } = new URL(baseURL);
  if (username || password)
    throw invalid('baseURL', '…', 'an address without a name or password: give a key as apiKey');
  const given = options.apiKey ?? process.env['OPENAI_API_KEY']?.trim();
  if (!given && baseURL === openAi) throw invalid('apiKey', given, 'a key: give it, or set OPENAI_API_KEY');
  const rubric = checkRubric(options.rubric ?? 'labels', rubrics);
  const body = { temperature: 0, max_tokens: rubric.maxTokens, ...request };
  // The package refuses to have none; what needs none does not look at it.
  const apiKey = given || 'none';
  return {
    model,
    baseURL,
    apiKey,
    rubric,
    concurrency,
    retries,
    timeout,
    name: options.name ?? `openai:${model}`,
    body,
  };
}

function invalid(option: string, value: unknown, expected: string): RosiError {
  const found = option === 'apiKey' ? 'none' : (JSON.stringify(value) ?? 'undefined');
  return new RosiError('OPTION_INVALID', `options.${option} must be ${expected}; got ${found}`, { option });
}

function connect({ apiKey, baseURL, timeout }: Settings): OpenAI {
  // The package's own retries sit out their pauses when they are stopped, and keep the process alive meanwhile.
  return new (load().OpenAI)({ apiKey, baseURL, maxRetries: 0, timeout });
}

/** Loaded at the first use: most who load this library have no judge behind an endpoint. */
function load(): typeof import('openai') {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return require('openai') as typeof import('openai');
}

/** The reply's text, tried for as often as the settings have it. */
async function reply(client: OpenAI, settings: Settings, item: Judged, signal: AbortSignal): Promise<string> {
  try {
    return await withRetries(() => ask(client, settings, item, signal), {
      retries: settings.retries,
      signal,
      pauseAfter,
    });
  } catch (error) {
    if (signal.aborted) throw error; // inParallel knows why
    throw failed(settings, item, error);
  }
}

/** One try. Nothing where the model wrote no text. */
async function ask(client: OpenAI, settings: Settings, item: Judged, signal: AbortSignal): Promise<string> {
  const { model, rubric, body, timeout } = settings;
  // The package's own limit ends with the headers.
  const limit = AbortSignal.timeout(timeout);
  try {
    const completion = await client.chat.completions.create(
      {
        ...body,
        model,
        stream: false,
        messages: [
          // As rosi's engine has it: without a text there is no system turn.
          ...(rubric.system.trim() === '' ? [] : [{ role: 'system' as const, content: rubric.system }]),
          { role: 'user', content: rubric.user(item) },
        ],
      },
      { signal: AbortSignal.any([signal, limit]) },
    );
    // Some endpoints answer with status 200 and something else.
    const message = (completion as Partial<typeof completion> | null)?.choices?.[0]?.message;
    if (message === undefined) throw new Error(`no completion: ${oneLine(JSON.stringify(completion) ?? '', 200)}`);
    return typeof message.content === 'string' ? message.content : '';
  } catch (error) {
    if (limit.aborted && !signal.aborted) throw new (load().APIConnectionTimeoutError)();
    throw error;
  }
}

/** Connections that fail, and the statuses that say: later. */
function pauseAfter(error: unknown, tries: number): number | null {
  const { APIConnectionError, APIError } = load();
  if (!(error instanceof APIError)) return null;
  if (error instanceof APIConnectionError) return growingPause(tries);
  const { status, headers } = error as APIError<number, Headers>;
  const told = headers.get('x-should-retry');
  const passes = told === 'true' || (told !== 'false' && ([408, 409, 429].includes(status) || status >= 500));
  return passes ? (askedPause(headers) ?? growingPause(tries)) : null;
}

function failed({ name, baseURL, retries, timeout }: Settings, { answer }: Judged, cause: unknown): RosiError {
  const { APIConnectionError, APIConnectionTimeoutError, APIError } = load();
  const status = cause instanceof APIError ? ((cause as APIError).status as number | undefined) : undefined;
  const reason = oneLine(cause instanceof Error ? cause.message : String(cause), 300);
  const tries = retries === 0 ? 'one try' : `${retries + 1} tries`;
  const [what, mend] =
    cause instanceof APIConnectionTimeoutError
      ? [`gave no answer within ${timeout} ms in ${tries}`, 'raise timeout, or lower concurrency']
      : cause instanceof APIConnectionError
        ? [
            `could not be reached in ${tries}: ${withCause(cause, reason)}`,
            'check baseURL and that a server runs there',
          ]
        : status === undefined
          ? [`answered with what is no chat completion: ${reason}`, 'check baseURL; it often ends in /v1']
          : [`answered with status ${status}: ${reason}`, mending(status, tries)];
  // Such as what is too long for the model's context.
  const aboutItem = status !== undefined && [400, 413, 422].includes(status);
  const where = aboutItem ? `, asked about the answer "${oneLine(answer, 60)}"` : '';
  const message = `the judge ${name} failed: ${baseURL} ${what}${where}. To mend it: ${mend}`;
  const details = { judge: name, endpoint: baseURL, status: status ?? null, reason, ...(aboutItem && { answer }) };
  return new RosiError('JUDGE_FAILED', message, details, { cause });
}

function mending(status: number, tries: string): string {
  if (status === 401 || status === 403) return 'check the key: apiKey, or OPENAI_API_KEY';
  if (status === 404) return 'check model and baseURL; it often ends in /v1';
  if (status === 429)
    return `it was asked too often or the quota is used up, after ${tries}: lower concurrency or wait`;
  if (status >= 500) return `see what the server says of it, after ${tries}`;
  return 'see what the server refuses: what is too long wants a longer context, and fields of a request are set with request';
}

function withCause(error: Error, reason: string): string {
  const { cause } = error as { cause?: unknown };
  const deeper = (cause as { cause?: unknown } | undefined)?.cause ?? cause;
  return deeper instanceof Error ? `${reason} ${oneLine(deeper.message, 200)}` : reason;
}

/** Results in order. The first failure stops what is under way and is thrown when that has ended. */
async function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  { signal }: CallOptions,
  work: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const stop = new AbortController();
  const abort = () => stop.abort();
  signal?.addEventListener('abort', abort);
  const results = new Array<R>(items.length);
  let next = 0;
  let failure: unknown;
  const worker = async () => {
    while (next < items.length && !stop.signal.aborted) {
      const i = next++;
      try {
        results[i] = await work(items[i]!, stop.signal);
      } catch (error) {
        if (!stop.signal.aborted) failure = error;
        abort();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  signal?.removeEventListener('abort', abort);
  throwIfAborted(signal);
  if (stop.signal.aborted) throw failure;
  return results;
}
