/**
 * The part of Go's text/template that Modelfiles use, written from its documentation: trimming, if/else, one range,
 * fields and string literals. Of the conditions it knows those that occur, by their text; others throw.
 */
export interface GoData {
  System: string;
  Messages: { Role: string; Content: string }[];
  /** Undefined: not set. */
  Think?: boolean | undefined;
}

type Token = { text: string } | { action: string };

function tokens(template: string): Token[] {
  const found: Token[] = [];
  let rest = template;
  for (;;) {
    const begin = rest.indexOf('{{');
    if (begin < 0) break;
    const match = /^\{\{(- )?\s*("(?:[^"\\]|\\.)*"|[^{}]*?)\s*( -)?\}\}/u.exec(rest.slice(begin));
    if (match === null) throw new Error(`no action at ${rest.slice(begin, begin + 30)}`);
    const before = rest.slice(0, begin);
    found.push({ text: match[1] === undefined ? before : before.replace(/[ \t\r\n]+$/u, '') });
    found.push({ action: match[2]! });
    rest = rest.slice(begin + match[0].length);
    if (match[3] !== undefined) rest = rest.replace(/^[ \t\r\n]+/u, '');
  }
  return [...found, { text: rest }];
}

export function runGoTemplate(template: string, data: GoData): string {
  const list = tokens(template);
  let at = 0;

  /** Runs or skips up to the end of a block; says with which word it ended. */
  function block(active: boolean, scope: { i: number } | undefined): [output: string, end: string] {
    let output = '';
    for (;;) {
      const token = list[at++];
      if (token === undefined) return [output, ''];
      if ('text' in token) output += active ? token.text : '';
      else if (/^(else|end)/u.test(token.action)) return [output, token.action];
      else if (token.action.startsWith('if ')) output += branches(token.action.slice(3), active, scope);
      else if (token.action === 'range $i, $_ := .Messages') output += loop(active);
      else if (token.action === '$last := eq (len (slice $.Messages $i)) 1') continue;
      else if (active) output += value(token.action, scope);
    }
  }

  function branches(condition: string, active: boolean, scope: { i: number } | undefined): string {
    const holds = active && test(condition, scope);
    const [first, end] = block(holds, scope);
    if (end === 'end') return first;
    if (end.startsWith('else if ')) return first + branches(end.slice(8), active && !holds, scope);
    return first + block(active && !holds, scope)[0];
  }

  function loop(active: boolean): string {
    const begin = at;
    let output = '';
    block(false, { i: 0 });
    const end = at;
    data.Messages.forEach((_, i) => {
      at = begin;
      output += block(active, { i })[0];
    });
    at = end;
    return output;
  }

  function value(action: string, scope: { i: number } | undefined): string {
    if (action.startsWith('"')) return JSON.parse(action) as string;
    if (action === '.System' && scope === undefined) return data.System;
    if (action === '.Content' && scope !== undefined) return data.Messages[scope.i]!.Content;
    throw new Error(`no value ${action}`);
  }

  function test(condition: string, scope: { i: number } | undefined): boolean {
    const last = scope?.i === data.Messages.length - 1;
    const role = /^eq \.Role "(\w+)"$/u.exec(condition)?.[1];
    if (role !== undefined && scope !== undefined) return data.Messages[scope.i]!.Role === role;
    if (condition === '.System' && scope === undefined) return data.System !== '';
    if (condition === '$last') return last;
    if (condition === 'not $last') return !last;
    if (condition === 'and $.IsThinkSet (not $.Think)') return data.Think === false;
    throw new Error(`no condition ${condition}`);
  }

  const [output, end] = block(true, undefined);
  if (end !== '') throw new Error(`{{ ${end} }} without a beginning`);
  return output;
}
