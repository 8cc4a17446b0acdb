import { RosiError } from './errors';

/** Two prompts are the same when they differ only in case, white space and the form of their characters. */
export function identity(prompt: string): string {
  return prompt.normalize('NFKC').trim().replace(/\s+/gu, ' ').toLowerCase();
}

/** A prompt as messages quote it. */
export function quoted(prompt: string): string {
  return JSON.stringify(prompt.length > 60 ? `${prompt.slice(0, 57)}...` : prompt);
}

/** A prompt of a list that callers give. @throws RosiError `PROMPTS_INVALID` saying where it is no text. */
export function checkPrompt(prompt: unknown, place: string, details: Record<string, unknown>): string {
  if (typeof prompt === 'string' && prompt.trim() !== '') return prompt;
  const found = typeof prompt === 'string' ? 'an empty string' : `a value of type ${typeof prompt}`;
  throw invalid(`${place} must be a prompt; got ${found}`, details);
}

export function invalid(message: string, details: Record<string, unknown>): RosiError {
  return new RosiError('PROMPTS_INVALID', message, details);
}
