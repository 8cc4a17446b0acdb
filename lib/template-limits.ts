// A chat template is a program that comes with a file that nobody vouches for. What it may cost is bounded here.
import { runInNewContext } from 'node:vm';

import { Interpreter, type Scope, type Value } from './jinja';

// The largest templates in use are about 30,000 characters.
const maxTemplate = 2 ** 18;
// Those in test/fixtures/chat-templates take 800 to 2000. The most expensive step, a round of a loop, takes about 10 µs.
const maxSteps = 200_000;
// Characters and items of one value. The largest is the whole prompt, in which each text of ours is a mark of 14 characters.
const maxSize = 50_000;
// For what is one step and still slow, such as a sort by a path of 50,000 names.
const maxSeconds = 10;

/** The template asks for more than any honest one. */
export class LimitError extends Error {
  constructor(what: string) {
    super(`${what}; it is damaged or hostile`);
  }
}

export function checkLength(template: string): void {
  if (template.length > maxTemplate)
    throw new LimitError(`it has ${template.length} characters, more than ${maxTemplate}`);
}

/** An interpreter that counts: each statement and expression is a step, and so is each character and item of its value. */
export class BoundedInterpreter extends Interpreter {
  private steps = 0;

  override evaluate(statement: object | undefined, scope: Scope): Value {
    this.take(1);
    const value = super.evaluate(statement, scope);
    this.take(sizeOf(value));
    return value;
  }

  private take(steps: number): void {
    this.steps += steps;
    if (this.steps > maxSteps) throw new LimitError(`it takes more than ${maxSteps} steps`);
  }
}

/** Of the value written out: what two lists share counts in both, since `tojson` would write it twice. */
function sizeOf(value: Value): number {
  let size = 0;
  const open = [value];
  while (open.length > 0) {
    const content = open.pop()?.value; // `[] | first` is undefined itself
    if (typeof content === 'string') size += content.length;
    else if (Array.isArray(content)) {
      size += content.length;
      if (size <= maxSize) for (const item of content as Value[]) open.push(item);
    } else if (content instanceof Map) {
      size += content.size;
      if (size <= maxSize) for (const item of (content as Map<string, Value>).values()) open.push(item);
    }
    if (size > maxSize) throw new LimitError(`it makes a text or list of more than ${maxSize} characters or items`);
  }
  return size;
}

/** As Python's, for an integer argument or two or three. */
export function range(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  if (![from, to, step].every(Number.isSafeInteger)) throw new Error('range() takes whole numbers');
  if (step === 0) throw new Error('range() arg 3 must not be zero');
  const count = Math.max(0, Math.ceil((to - from) / step));
  if (count > maxSize) throw new LimitError(`it asks for a range() of ${count} numbers, more than ${maxSize}`);
  return Array.from({ length: count }, (_, i) => from + i * step);
}

/** Runs `work` to its end, or throws {@link LimitError}: unlike a promise or a timer, this interrupts a running loop. */
export function withinTime<T>(work: () => T, seconds = maxSeconds): T {
  try {
    return runInNewContext('work()', { work }, { timeout: seconds * 1000 }) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    throw new LimitError(`it takes more than ${seconds} s`);
  }
}
