// What we use of the package. Its own declarations import each other without extensions, which leaves every type `any` here.

/** A parsed template. */
export interface Program {
  type: 'Program';
}

/** A value of the template's language; lists and dictionaries hold more of them. */
export interface Value {
  type: string;
  value: unknown;
}

export interface Scope {
  set(name: string, value: unknown): Value;
}

interface Runner {
  run(program: Program): Value;
  /** Every statement and expression of a program passes through it. */
  evaluate(statement: object | undefined, scope: Scope): Value;
}

interface Jinja {
  Environment: new () => Scope;
  Interpreter: new (scope: Scope) => Runner;
  Template: new (text: string) => { parsed: Program };
}

// eslint-disable-next-line @typescript-eslint/no-require-imports
export const { Environment, Interpreter, Template } = require('@huggingface/jinja') as Jinja;
