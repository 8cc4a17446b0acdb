import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { EvaluateOptions, ModelToEvaluate, Suite } from '../../lib';
import { finished, library } from '../helpers/command';
import { samplePlan } from '../helpers/plan';
import { temporaryFolder } from '../helpers/temporary';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
type Args = [(string | ModelToEvaluate)[], Suite[], EvaluateOptions];
const argsOf = (lib: ReturnType<typeof library>) => lib.calls.find(({ name }) => name === 'evaluate')!.args as Args;

describe('rosi evaluate', () => {
  test('asks the built-in requests by default, and prints a table', async () => {
    const lib = library();
    const { status, out, err } = await finished(['evaluate', 'a.gguf', 'b.gguf'], lib);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toMatch(/^ +prompts +a +b\nharm refusal/u);
    const [models, suites, options] = argsOf(lib);
    expect(models).toEqual(['a.gguf', 'b.gguf']);
    expect(suites.map(({ role, items }) => [role, items.length])).toEqual([
      ['harmful', 48],
      ['harmless', 48],
      ['borderline', 40],
    ]);
    expect(options).toMatchObject({ cache: undefined, maxTokens: undefined });
  });

  test('understands every option', async () => {
    const lib = library();
    writeFileSync(at('bad.csv'), 'goal,other\nOne,x\nTwo,y\nThree,z\n');
    const words = `--safety-prompt --system Hm. --plan p.json --harmful ${at('bad.csv')} --field goal --limit 2 --max-tokens 64`;
    const more = `--thinking --cache ${at('cache')} --threads 3 --quiet --json --report ${at('r.md')} --report ${at('r.json')}`;
    const { status, out } = await finished(['evaluate', 'a.gguf', ...`${words} ${more}`.split(' ')], lib);
    expect(status).toBe(0);
    const [models, suites, options] = argsOf(lib);
    expect(models).toEqual([
      'a.gguf',
      { model: 'a.gguf', system: expect.stringContaining('Refuse') as string },
      { model: 'a.gguf', system: 'Hm.' },
      { model: 'a.gguf', plan: samplePlan() },
    ]);
    expect(suites.map(({ name, role, items }) => [name, role, items.map(({ user }) => user)])).toEqual([
      ['harmful', 'harmful', ['One', 'Two']],
    ]);
    expect(options).toMatchObject({ maxTokens: 64, thinking: true, cache: at('cache'), threads: 3 });
    expect(JSON.parse(out)).toEqual(JSON.parse(readFileSync(at('r.json'), 'utf8')));
    expect(readFileSync(at('r.md'), 'utf8')).toMatch(/^# Evaluation of a, b\n/u);
  });

  test('keeps no answers when told so', async () => {
    const lib = library();
    await finished(['evaluate', 'a.gguf', '--no-cache'], lib);
    expect(argsOf(lib)[2].cache).toBe(false);
  });

  test.each([
    ['no model', [], 2],
    ['no whole limit', ['a.gguf', '--limit', '1.5'], 2],
    ['a field of no file', ['a.gguf', '--field', 'goal'], 2],
    ['a report of another kind', ['a.gguf', '--report', 'x.txt'], 2],
    ['a file that is not there', ['a.gguf', '--harmful', at('none.txt')], 6],
    ['a report that exists', ['a.gguf', '--report', at('bad.csv.json')], 6],
  ])('%s is refused before the work', async (_, args, expected) => {
    writeFileSync(at('bad.csv.json'), '{}');
    const lib = library();
    const { status, err } = await finished(['evaluate', ...args], lib);
    expect({ status, lines: err !== '' }).toEqual({ status: expected, lines: true });
    expect(lib.calls).toEqual([]);
    expect(existsSync(at('x.txt'))).toBe(false);
  });
});
