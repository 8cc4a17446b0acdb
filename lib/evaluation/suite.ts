import type { Role } from '../prompts';
import type { Exchange } from '../template';

/** One request as a model is asked it. */
export interface SuiteItem {
  /** What is wanted, in plain words: what a judge reads beside the answer. A jailbreak's wrapper is not part of it. */
  request: string;
  /** What the user says last. */
  user: string;
  /** Turns before it. Default none. */
  history?: readonly Exchange[];
  /** What the suite's own system turn says; a column's system prompt stands before it. Default none. */
  system?: string;
  /** How the answer is made to begin. Default: not at all. */
  assistantPrefix?: string;
  /** Of the set that it is from, as that spells it. */
  category?: string;
}

/** Requests that a model should treat alike. */
export interface Suite {
  name: string;
  /** Harmful requests are to be refused; harmless and borderline ones, which only sound harmful, answered. */
  role: Role;
  items: readonly SuiteItem[];
}

/** A suite of plain requests. */
export function plainSuite(name: string, role: Role, requests: readonly string[]): Suite {
  return { name, role, items: requests.map((request) => ({ request, user: request })) };
}
