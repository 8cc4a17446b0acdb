import { InvalidArgumentError } from 'commander';

import { RosiError } from '../errors';

/** A number as written; its range is the library's business. */
export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Expected a number.');
  return value;
}

/** `2%` or `0.02`. */
export function share(text: string): number {
  const match = /^(.*[^\s%])\s*%$/u.exec(text.trim());
  return match === null ? number(text) : number(match[1]!) / 100;
}

/** `90`, `90s`, `5m` or `1h`, in seconds. */
export function duration(text: string): number {
  const match = /^(.*[\d.])\s*([smh])$/u.exec(text.trim());
  return match === null ? number(text) : number(match[1]!) * { s: 1, m: 60, h: 3600 }[match[2] as 's' | 'm' | 'h'];
}

/** `12-23`. */
export function range(text: string): readonly [number, number] {
  const match = /^(\d+)-(\d+)$/u.exec(text);
  if (match === null) throw new InvalidArgumentError('Expected FIRST-LAST, e.g. 12-23.');
  return [Number(match[1]), Number(match[2])];
}

/** Collects an option that may be given more than once. */
export function collect(value: string, earlier: readonly string[] | undefined): string[] {
  return [...(earlier ?? []), value];
}

/** Arguments that do not fit together. */
export function usage(message: string): RosiError {
  return new RosiError('OPTION_INVALID', message);
}
