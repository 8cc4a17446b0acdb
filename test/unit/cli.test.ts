import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Library } from '../../lib/cli/context';
import { exitCodes, RosiError, type RosiErrorCode } from '../../lib/errors';
import type { HardenOptions } from '../../lib/options';
import { finished, library, rosi } from '../helpers/command';
import { sampleReport } from '../helpers/report';
import { temporaryFolder } from '../helpers/temporary';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
function file(name: string, content: string): string {
  writeFileSync(at(name), content);
  return at(name);
}

function folderNamed(name: string): string {
  mkdirSync(at(name));
  return at(name);
}
function link(target: string, name: string): string {
  symlinkSync(at(target), at(name));
  return at(name);
}

describe('rosi harden', () => {
  test('hands its arguments to the library and prints the summary', async () => {
    const lib = library();
    const { status, out, err } = await finished(['harden', 'a/model.gguf'], lib);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toMatch(/^models\/tiny\.hardened\.gguf {2}4\.70 MB, verified\n/u);
    expect(lib.calls).toHaveLength(1);
    const [model, prompts, options] = lib.calls[0]?.args as [string, unknown, HardenOptions];
    expect([model, prompts]).toEqual(['a/model.gguf', undefined]);
    expect(options).toMatchObject({ output: 'a/model.hardened.gguf' });
    expect(options.evaluate).toBeUndefined();
    expect(options.signal).toBeInstanceOf(AbortSignal);
  });
  test('understands every option', async () => {
    const lib = library();
    const { status } = await finished(
      'harden m.gguf -o o.gguf --overwrite --quiet --layer 14 --layers 4-16 --strength 1.5 --schedule profile --right-factor mean-row-signed --rho 0.05 --max-kl .2 --target-hr 95% --max-over-refusal .08 --max-benign-loss 3% --trials 12 --budget 1.5m --pick 7 --max-tokens 48 --evaluate full --threads 3 --seed 7 --system Be\u00a0safe. --uncensored --max-growth 3% --undo u --plan p.json --lora l --peft d --control-vector c --modelfile f'.split(
        ' ',
      ),
      lib,
    );
    expect(status).toBe(0);
    expect(lib.calls[0]?.args[2]).toEqual({
      output: 'o.gguf',
      overwrite: true,
      layer: 14,
      layers: [4, 16],
      strength: 1.5,
      schedule: 'profile',
      rightFactor: 'mean-row-signed',
      rho: 0.05,
      maxKl: 0.2,
      targetHr: 0.95,
      maxOverRefusal: 0.08,
      maxBenignLoss: 0.03,
      trials: 12,
      budget: 90,
      pick: 7,
      maxTokens: 48,
      evaluate: 'full',
      threads: 3,
      seed: 7,
      system: 'Be\u00a0safe.',
      uncensored: true,
      maxGrowth: 0.03,
      undo: 'u',
      outputs: { plan: 'p.json', lora: 'l', peft: 'd', controlVector: 'c', modelfile: 'f' },
      signal: expect.any(AbortSignal) as unknown,
      onProgress: expect.any(Function) as unknown,
    });
  });
  test('names the undo file after the output, and takes shares in two spellings', async () => {
    const lib = library();
    await finished(['harden', 'm.gguf', '-o', 'o.gguf', '--undo', '--max-growth', '0.05'], lib);
    await finished(['harden', 'm.gguf', '--no-uncensored', '--max-growth', '0'], lib);
    expect(lib.calls[0]?.args[2]).toMatchObject({ undo: 'o.gguf.undo', maxGrowth: 0.05 });
    expect(lib.calls[1]?.args[2]).toMatchObject({ uncensored: false, maxGrowth: 0, undo: undefined });
    for (const wrong of ['%', 'a%', '5 percent'])
      expect((await finished(['harden', 'm.gguf', '--max-growth', wrong])).status).toBe(2);
  });
  test.each([
    ['90', 90],
    ['45s', 45],
    ['2m', 120],
    ['.5 h', 1800],
  ])('takes a time of %s', async (text, budget) => {
    const lib = library();
    await finished(['harden', 'm.gguf', '--budget', text], lib);
    expect(lib.calls[0]?.args[2]).toMatchObject({ budget });
    for (const wrong of ['m', '5 d', 'soon'])
      expect((await finished(['harden', 'm.gguf', '--budget', wrong])).status).toBe(2);
  });
  test('reads prompts from one file a role, or from one file', async () => {
    const lib = library();
    const [bad, good, odd] = [
      file('bad.txt', 'one\ntwo'),
      file('good.csv', 'n,ask\n1,three'),
      file('odd.json', '["four"]'),
    ];
    await finished(['harden', 'm.gguf', '--harmful', bad, '--harmless', bad, '--borderline', odd], lib);
    await finished(['harden', 'm.gguf', '--harmful', good, '--harmless', good, '--field', 'ask'], lib);
    await finished(['harden', 'm.gguf', '--prompts', file('set.json', '{"harmful": ["a"], "harmless": ["b"]}')], lib);
    expect(lib.calls.map((call) => call.args[1])).toEqual([
      { harmful: ['one', 'two'], harmless: ['one', 'two'], borderline: ['four'] },
      { harmful: ['three'], harmless: ['three'] },
      { harmful: ['a'], harmless: ['b'], borderline: [] },
    ]);
  });
  test('reads texts to keep, beside any prompts', async () => {
    const lib = library();
    const [bad, own] = [file('bad.txt', 'one'), file('own.csv', 'n,ask\n1,five\n2,six')];
    const keep = ['--keep', own, '--field', 'ask'];
    await finished(['harden', 'm.gguf', ...keep], lib);
    await finished(['plan', 'm.gguf', ...keep, '-o', at('kept.plan.json')], lib);
    await finished(['harden', 'm.gguf', '--harmful', bad, '--harmless', bad, '--keep', bad], lib);
    const found = lib.calls.filter(({ name }) => name !== 'writeOutputs').map(({ args }) => args.slice(1));
    expect(found).toEqual([
      [undefined, expect.objectContaining({ keep: ['five', 'six'] })],
      [undefined, expect.objectContaining({ keep: ['five', 'six'] })],
      [{ harmful: ['one'], harmless: ['one'] }, expect.objectContaining({ keep: ['one'] })],
    ]);
  });
  test('prints the report alone as JSON', async () => {
    const { out } = await finished(['harden', 'm.gguf', '--json']);
    expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(sampleReport())));
  });
  test('writes reports, and leaves existing ones alone unless told', async () => {
    const [json, md] = [at('report.json'), at('report.MD')];
    const args = ['harden', 'm.gguf', '--report', json, '--report', md];
    expect((await finished(args)).status).toBe(0);
    expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({ rosi: '0.1.0' });
    expect(readFileSync(md, 'utf8')).toMatch(/^# tiny\.hardened\.gguf\n/u);
    const lib = library();
    expect(await finished(args, lib)).toMatchObject({
      status: exitCodes.OUTPUT_EXISTS,
      err: expect.stringMatching(/--overwrite/u) as unknown,
    });
    expect(lib.calls).toEqual([]);
    expect((await finished([...args, '--overwrite'])).status).toBe(0);
  });
  const isSuperuser = process.getuid?.() === 0;
  if (isSuperuser) process.stderr.write('reports that may not be written: skipped, a superuser may write anywhere\n');
  (isSuperuser ? test.skip : test)(
    'refuses a report that may not be written (a superuser may, and skips)',
    async () => {
      const shut = folderNamed('shut');
      chmodSync(shut, 0o500);
      const lib = library();
      const { status, err } = await finished(['harden', 'm.gguf', '--report', join(shut, 'x.md')], lib);
      expect({ status, calls: lib.calls }).toEqual({ status: exitCodes.FILE_FAILED, calls: [] });
      expect(err).toContain(`${shut} is not writable`);
    },
  );
  test('has written its reports when nobody reads what it prints', async () => {
    const written = at('early.json');
    const { running, stdout } = await rosi(['harden', 'm.gguf', '--report', written]);
    stdout.once('data', () => expect(JSON.parse(readFileSync(written, 'utf8'))).toMatchObject({ rosi: '0.1.0' }));
    expect(await running).toBe(0);
  });
  test.each([
    ['options.layer must be 0 to 3; got 9', '--layer must be 0 to 3; got 9'],
    ['Raise maxKl, give another rightFactor or a layer', 'Raise --max-kl, give another --right-factor or a layer'],
    ['options.evaluate, options.unknown and aB', '--evaluate, options.unknown and aB'],
  ])('names options as the command does: %s', async (said, printed) => {
    for (const code of ['OPTION_INVALID', 'STRENGTH_NOT_FOUND'] as const) {
      const lib = library({ harden: () => Promise.reject(new RosiError(code, said)) });
      expect((await finished(['harden', 'm.gguf'], lib)).err).toBe(`rosi: ${printed} (${code})\n`);
    }
    const lib = library({ harden: () => Promise.reject(new RosiError('ENGINE_FAILED', said)) });
    expect((await finished(['harden', 'm.gguf'], lib)).err).toContain(said);
  });
  test('exits with 9 when what it wrote does not verify', async () => {
    const bad = sampleReport({ verified: { ...sampleReport().verified, ok: false } });
    expect((await finished(['harden', 'm.gguf'], library({ harden: () => Promise.resolve(bad) }))).status).toBe(9);
  });
  test.each([
    ['no model', ['harden'], 2, /missing required argument 'MODEL'/u],
    ['two models', ['harden', 'a', 'b'], 2, /too many arguments/u],
    ['an unknown option', ['harden', 'm', '--strenght', '1'], 2, /Did you mean --strength/u],
    ['a word for a number', ['harden', 'm', '--layer', 'x'], 2, /--layer <n>.*Expected a number/u],
    ['an empty number', ['harden', 'm', '--rho', ''], 2, /Expected a number/u],
    ['a number for a range', ['harden', 'm', '--layers', '4'], 2, /FIRST-LAST/u],
    ['an unknown schedule', ['harden', 'm', '--schedule', 'x'], 2, /equal, profile/u],
    ['harmful alone', ['harden', 'm', '--harmful', 'x.txt'], 2, /together \(OPTION_INVALID\)/u],
    ['borderline alone', ['harden', 'm', '--borderline', 'x.txt'], 2, /together/u],
    ['prompts and harmful', ['harden', 'm', '--prompts', 'a.json', '--harmful', 'x.txt'], 2, /leave/u],
    ['a field of no file', ['harden', 'm', '--field', 'x'], 2, /--field/u],
    ['texts to keep that are not there', ['harden', 'm', '--keep', at('none.txt')], 6, /ENOENT.*FILE_FAILED/u],
    ['a report of no known kind', ['harden', 'm', '--report', 'x.txt'], 2, /\.json, \.md or \.html/u],
    ['a report over the output', ['harden', 'm', '-o', 'x.md', '--report', './x.md'], 2, /the model or the output/u],
    ['a report into no folder', ['harden', 'm', '--report', at('none/x.md')], 6, /no folder/u],
    ['a report that is a folder', ['harden', 'm', '--overwrite', '--report', folderNamed('x.json')], 6, /is a folder/u],
    ['one report twice', ['harden', 'm', '--report', at('x.md'), '--report', at('./y/../x.md')], 2, /twice/u],
    [
      'a report that leads to the model',
      ['harden', file('real.gguf', 'x'), '--overwrite', '--report', link('real.gguf', 'link.md')],
      2,
      /the model or the output/u,
    ],
    ['a prompt file that is not there', ['harden', 'm', '--prompts', at('none.json')], 6, /ENOENT.*FILE_FAILED/u],
    ['a prompt file of no known kind', ['harden', 'm', '--prompts', file('x.pdf', '%')], 3, /PROMPTS_INVALID/u],
  ])('refuses %s before it begins', async (_, argv, wanted, message) => {
    const lib = library();
    const { status, out, err } = await finished(argv, lib);
    expect({ status, out, calls: lib.calls }).toEqual({ status: wanted, out: '', calls: [] });
    expect(err).toMatch(/^rosi: /u);
    expect(err).toMatch(message);
  });
});

describe('exit status', () => {
  test.each(Object.entries(exitCodes))('of %s is %i', async (code, wanted) => {
    const lib = library({ harden: () => Promise.reject(new RosiError(code as RosiErrorCode, 'what happened')) });
    expect(await finished(['harden', 'm.gguf'], lib)).toMatchObject({
      status: wanted,
      out: '',
      err: `rosi: what happened (${code})\n`,
    });
  });
  test('of a native error is that of its code', async () => {
    const native = Object.assign(new Error('damaged \u001b[2J'), { code: 'GGUF_INVALID', details: {} });
    const { status, err } = await finished(['inspect', 'm.gguf'], library({ inspect: () => Promise.reject(native) }));
    expect({ status, err }).toEqual({ status: 4, err: 'rosi: damaged \\u001b[2J (GGUF_INVALID)\n' });
  });
  test('of a bug is 1, with its stack', async () => {
    const { status, err } = await finished(
      ['inspect', 'm'],
      library({ inspect: () => Promise.reject(new TypeError('x is undefined')) }),
    );
    expect(status).toBe(1);
    expect(err).toMatch(/please report it: TypeError: x is undefined\n\s+at /u);
  });
  test('is in the help, complete', async () => {
    const { out } = await finished(['--help']);
    for (const code of [0, 1, 9, ...Object.values(exitCodes)]) expect(out).toMatch(new RegExp(`^ +${code}  `, 'mu'));
  });
});

describe('help', () => {
  test.each([[['--help']], [['-h']], [['help']], [['harden', '--help']], [['help', 'verify']], [['--version']]])(
    '%j is a result',
    async (argv) => {
      const { status, out, err } = await finished(argv);
      expect({ status, err }).toEqual({ status: 0, err: '' });
      expect(out.length).toBeGreaterThan(4);
    },
  );
  test.each(['harden', 'plan', 'apply', 'inspect', 'verify', 'generate'])('of %s has examples', async (command) => {
    expect((await finished([command, '--help'])).out).toMatch(new RegExp(`Examples:\n {2}rosi ${command} `, 'u'));
  });
  test('is printed to standard error when there is no command', async () => {
    const { status, out, err } = await finished([]);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toMatch(/Usage: rosi/u);
  });
  test('names a command that is nearly right', async () => {
    expect(await finished(['hardne', 'm'])).toMatchObject({
      status: 2,
      err: expect.stringMatching(/Did you mean harden/u) as unknown,
    });
  });
  test('fits 100 columns', async () => {
    for (const argv of [
      ['--help'],
      ...['harden', 'plan', 'apply', 'evaluate', 'generate'].map((name) => [name, '--help']),
    ]) {
      for (const line of (await finished(argv)).out.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    }
  });
});

describe('rosi generate', () => {
  test('prints one answer as it is, and makes it safe on a terminal', async () => {
    expect((await finished(['generate', 'm.gguf', 'Hi'])).out).toBe('Hello.\u001b[2J\n');
    expect((await finished(['generate', 'm.gguf', 'Hi'], library(), true)).out).toBe('Hello.\\u001b[2J\n');
  });
  test('prints several with their prompts', async () => {
    const lib = library({
      generate: (_, prompts) => Promise.resolve(prompts.map((prompt) => ({ prompt, text: `re: ${prompt}` }))),
    });
    expect((await finished(['generate', 'm.gguf', 'a', 'b'], lib)).out).toBe('> a\nre: a\n\n> b\nre: b\n');
    const json = await finished(['generate', 'm.gguf', 'a', 'b', '--json'], lib);
    expect(JSON.parse(json.out)).toEqual([
      { prompt: 'a', text: 're: a' },
      { prompt: 'b', text: 're: b' },
    ]);
  });
  test('takes prompts from a file, from arguments and from standard input', async () => {
    const lib = library();
    const argv = [
      'generate',
      'm.gguf',
      '--prompts',
      file('g.txt', 'one\ntwo'),
      'three',
      '-',
      '--max-tokens',
      '5',
      '--system',
      'Be brief.',
    ];
    await finished(argv, lib, false, 'line 1\nline 2\n');
    expect(lib.calls[0]?.args[1]).toEqual(['one', 'two', 'three', 'line 1\nline 2']);
    expect(lib.calls[0]?.args[2]).toMatchObject({ maxTokens: 5, system: 'Be brief.' });
    expect(lib.calls[0]?.args[2]).not.toHaveProperty('raw');
  });
  test('passes --raw on, but not with --system', async () => {
    const lib = library();
    await finished(['generate', 'm.gguf', 'Once', '--raw'], lib);
    expect(lib.calls[0]?.args[2]).toMatchObject({ raw: true });
    expect((await finished(['generate', 'm.gguf', 'Once', '--raw', '--system', 'x'])).status).toBe(2);
    expect((await finished(['generate', 'm.gguf'])).status).toBe(2);
  });
});

describe('stopping', () => {
  /** A library whose harden() runs until it is stopped, as the real one does: cleans up, then throws ABORTED. */
  function endless(): Library & { cleaned: boolean } {
    const lib = {
      ...library(),
      cleaned: false,
      harden: (_model: string, _prompts: unknown, { signal, onProgress }: HardenOptions) =>
        new Promise<never>((_, reject) => {
          onProgress?.({ stage: 'capture', done: 0.5 });
          signal?.addEventListener('abort', () => {
            lib.cleaned = true;
            onProgress?.({ stage: 'late', done: 1 });
            setImmediate(() => reject(new RosiError('ABORTED', 'stopped by the caller')));
          });
        }),
    };
    return lib;
  }
  const begun = async (lib: Library) => {
    const started = await rosi(['harden', 'm.gguf'], lib);
    while (started.signals.listenerCount('SIGINT') === 0) await new Promise(setImmediate);
    return started;
  };

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])('by %s exits with %i once the library has cleaned up', async (name, wanted) => {
    const lib = endless();
    const { signals, running, stderr, stdout, exits } = await begun(lib);
    signals.emit(name);
    expect(await running).toBe(wanted);
    await new Promise(setImmediate);
    expect(lib.cleaned).toBe(true);
    expect(exits).toEqual([]);
    expect(stdout.text).toBe('');
    expect(stderr.text).toBe(
      'capture\nrosi: stopping; once more to stop at once\nrosi: stopped by the caller (ABORTED)\n',
    );
  });
  test('by a second Ctrl-C ends the process', async () => {
    const { signals, running, exits } = await begun(endless());
    signals.emit('SIGINT');
    signals.emit('SIGINT');
    expect(exits).toEqual([130]);
    await running;
  });
  test('comes too late when the work is done', async () => {
    const lib = library({
      harden: (_m, _p, { signal }) =>
        new Promise((resolve) => signal?.addEventListener('abort', () => resolve(sampleReport()))),
    });
    const { signals, running } = await begun(lib);
    signals.emit('SIGINT');
    expect(await running).toBe(0);
  });
});
