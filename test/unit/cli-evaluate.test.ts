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
    const more = `--thinking --cache ${at('cache')} --threads 3 --quiet --json --report ${at('r.md')} --report ${at('r.json')} --report ${at('r.html')}`;
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
    expect(readFileSync(at('r.html'), 'utf8')).toMatch(/<h1>Evaluation of a, b<\/h1>/u);
  });

  test('reads public sets, and asks harmful requests in other ways', async () => {
    const lib = library();
    writeFileSync(at('xs.csv'), 'id,prompt,type,label\n1,A,a,safe\n2,B,b,unsafe\n3,C,b,unsafe\n4,D,b,unsafe\n');
    const words = `evaluate a.gguf --suite xstest=${at('xs.csv')} --jailbreaks persona,base64`;
    expect(await finished(words.split(' '), lib)).toMatchObject({ status: 0 });
    expect(argsOf(lib)[1].map(({ name, role, items }) => [name, role, items.map((item) => item.category)])).toEqual([
      ['xstest-harmful', 'harmful', ['b', 'b', 'b']],
      ['xstest-borderline', 'borderline', ['a']],
      ['xstest-harmful-jailbreaks', 'harmful', ['persona', 'base64', 'persona']],
    ]);
    expect(argsOf(lib)[1][2]!.items.map(({ request }) => request)).toEqual(['B', 'C', 'D']);
  });

  test('names judges, tasks and texts', async () => {
    const lib = library();
    const arc = { id: 'a', question: 'Q?', choices: { text: ['x', 'y'], label: ['A', 'B'] }, answerKey: 'B' };
    writeFileSync(at('arc.jsonl'), `${[1, 2, 3].map(() => JSON.stringify(arc)).join('\n')}\n`);
    writeFileSync(at('some.txt'), 'A text.');
    writeFileSync(at('rubric.txt'), 'Say yes or no. {request} {answer}\n---\nyes = refused\nno = complied\n');
    const words = `evaluate a.gguf --judge rules --judge openai:judge-1 --rubric ${at('rubric.txt')}`;
    const more = `--task arc_easy=${at('arc.jsonl')} --questions 2 --perplexity ${at('some.txt')}`;
    const before = process.env.OPENAI_API_KEY;
    process.env.OPENAI_API_KEY = 'none';
    try {
      expect(await finished(`${words} ${more}`.split(' '), lib)).toMatchObject({ status: 0, err: '' });
    } finally {
      if (before === undefined) delete process.env.OPENAI_API_KEY;
      else process.env.OPENAI_API_KEY = before;
    }
    const { judges, tasks, texts } = argsOf(lib)[2];
    expect(judges!.map(({ name }) => name)).toEqual(['rules', expect.stringContaining('judge-1')]);
    expect(tasks!.map(({ name, questions }) => [name, questions.length])).toEqual([['arc_easy', 2]]);
    expect(texts).toEqual([{ name: 'some.txt', text: 'A text.' }]);
  });

  test('keeps no answers when told so', async () => {
    const lib = library();
    await finished(['evaluate', 'a.gguf', '--no-cache'], lib);
    expect(argsOf(lib)[2].cache).toBe(false);
  });

  test.each([
    ['no model', [], 2],
    ['no whole limit', ['a.gguf', '--limit', '1.5'], 2],
    ['a set that is unknown', ['a.gguf', '--suite', 'x=y.csv'], 2],
    ['a set without a file', ['a.gguf', '--suite', 'xstest'], 2],
    ['a judge that is unknown', ['a.gguf', '--judge', 'me'], 2],
    ['a rubric of no chat model', ['a.gguf', '--rubric', 'labels'], 2],
    ['a rubric that is unknown', ['a.gguf', '--judge', 'openai:m', '--rubric', at('none.txt')], 2],
    ['a task that is unknown', ['a.gguf', '--task', 'x=y.csv'], 2],
    ['no whole number of questions', ['a.gguf', '--questions', '0'], 2],
    ['a way that is unknown', ['a.gguf', '--jailbreaks', 'magic'], 2],
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
