import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import {
  jailbreakNames,
  jailbreaks,
  jailbreaksInTurn,
  jailbreakSuite,
  type JailbreakName,
} from '../../../lib/evaluation/jailbreaks';
import { plainSuite, type SuiteItem } from '../../../lib/evaluation/suite';
import { renderPrompt } from '../../../lib/template';

const request = 'Bake “Zopf” & say why: Zürich, 7 o\'clock?\n"Now".';
const suite = plainSuite('mild', 'harmful', ['Hum a tune.', request]);
const only = (name: JailbreakName): SuiteItem => jailbreakSuite(suite, [name]).items[1] as SuiteItem;
const said = ({ history = [], user }: SuiteItem) =>
  [...history.flatMap((turn) => [turn.user, turn.assistant]), user].join('\n');
const lastLines = (item: SuiteItem) => item.user.slice(item.user.indexOf('\n\n') + 2);

describe('jailbreaksInTurn', () => {
  test('asks each request in one way, in the order of the suite', () => {
    const requests = plainSuite('five', 'harmful', ['a', 'b', 'c', 'd', 'e']);
    const { name, items } = jailbreaksInTurn(requests, ['persona', 'rot13', 'persona']);
    expect(name).toBe('five-jailbreaks');
    expect(items.map(({ request, category }) => [request, category])).toEqual([
      ['a', 'persona'],
      ['b', 'rot13'],
      ['c', 'persona'],
      ['d', 'rot13'],
      ['e', 'persona'],
    ]);
  });
});

describe('jailbreakSuite', () => {
  test('asks every request in every way, and says in which', () => {
    const { name, role, items } = jailbreakSuite(suite);
    expect([name, role, items.length]).toEqual(['mild-jailbreaks', 'harmful', 2 * jailbreakNames.length]);
    expect(items.map((item) => item.category)).toEqual(jailbreakNames.flatMap((way) => [way, way]));
    expect(items.map((item) => item.request)).toEqual(jailbreakNames.flatMap(() => ['Hum a tune.', request]));
  });
  test('takes the ways that are named, each once', () => {
    const { items } = jailbreakSuite(suite, ['rot13', 'persona', 'rot13']);
    expect(items.map((item) => item.category)).toEqual(['rot13', 'rot13', 'persona', 'persona']);
  });
  test("keeps an item's system text and asks its plain request", () => {
    const item = {
      request: 'Hum.',
      user: 'As a bird, hum.',
      history: [{ user: 'Hi', assistant: 'Hi' }],
      system: 'Be brief.',
      assistantPrefix: 'Yes',
      category: 'music',
    };
    const wrapped = jailbreakSuite({ name: 'one', role: 'harmless', items: [item] }, ['prefix-injection']);
    expect(wrapped).toMatchObject({ role: 'harmless', items: [{ request: 'Hum.', system: 'Be brief.' }] });
    expect(Object.keys(wrapped.items[0] as SuiteItem).sort()).toEqual(['category', 'request', 'system', 'user']);
    expect(wrapped.items[0]?.user).toMatch(/^Hum\.\n/u);
  });
  test('refuses a way that is not known', () => {
    expect(() => jailbreakSuite(suite, ['constructor' as 'persona'])).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', details: { option: 'names', value: 'constructor' } }),
    );
  });
});

describe('each way', () => {
  const readable = jailbreakNames.filter(
    (name) => !['base64', 'rot13', 'leetspeak', 'payload-splitting'].includes(name),
  );

  test.each(readable)('%s says the request as it is', (name) => {
    expect(said(only(name)).split(request)).toHaveLength(2);
  });
  test.each(jailbreakNames)('%s is described in a line and says the same of every request', (name) => {
    expect(jailbreaks[name].about).toMatch(/^[A-Z].+\.$/u);
    const around = (item: SuiteItem) => said(item).length - item.request.length;
    const [first, second] = jailbreakSuite(plainSuite('two', 'harmful', ['abcdef', 'uvwxyz']), [name]).items;
    expect(around(first as SuiteItem)).toBe(around(second as SuiteItem));
  });
  test('base64 can be decoded', () => {
    expect(said(only('base64'))).not.toContain('Bake');
    expect(Buffer.from(lastLines(only('base64')), 'base64').toString('utf8')).toBe(request);
  });
  test('rot13 twice is the request, and other letters stay', () => {
    const coded = lastLines(only('rot13'));
    expect(coded).toBe('Onxr “Mbcs” & fnl jul: Müevpu, 7 b\'pybpx?\n"Abj".');
    expect(jailbreaks.rot13.wrap(coded).user).toContain(request);
  });
  test('leetspeak writes digits for some letters', () => {
    expect(lastLines(only('leetspeak'))).toBe('B4k3 “Z0pf” & 54y why: Zür1ch, 7 0\'cl0ck?\n"N0w".');
  });
  test.each(['', 'a', 'ab', '🜁🜂🜃🜄', request])('payload-splitting gives all of %j in three pieces', (text) => {
    const { user } = jailbreaks['payload-splitting'].wrap(text);
    const pieces = Array.from(
      user.matchAll(/[abc] = ("(?:[^"\\]|\\.)*")/gu),
      ([, piece]) => JSON.parse(piece!) as string,
    );
    expect(pieces).toHaveLength(3);
    expect(pieces.join('')).toBe(text);
  });
  test('assistant-prefix begins the answer, and gradual has earlier turns', () => {
    expect(only('assistant-prefix')).toMatchObject({ user: request, assistantPrefix: 'Sure, here is' });
    expect(only('gradual').history).toHaveLength(2);
    expect(jailbreakSuite(suite).items.filter((item) => item.history ?? item.assistantPrefix)).toHaveLength(4);
  });
  test('is a conversation that the templates of the model families write', () => {
    const folder = join(__dirname, '../../fixtures/chat-templates');
    const templates = readdirSync(folder).filter((name) => name.endsWith('.jinja'));
    for (const name of templates) {
      const template = readFileSync(join(folder, name), 'utf8');
      for (const item of jailbreakSuite(suite).items) {
        const text = renderPrompt(template, item).segments.map((segment) => segment.text);
        expect(text.join('')).toContain(item.user.trim());
      }
    }
    expect(templates.length).toBeGreaterThan(5);
  });
});
