import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { writeModelfile } from '../../../lib';
import { modelfile } from '../../../lib/outputs/modelfile';
import { conversationWriter, type Message, type RenderOptions } from '../../../lib/template';
import { runGoTemplate } from '../../helpers/go-template';
import { folderPerTest } from '../../helpers/temporary';

const templates = join(__dirname, '..', '..', 'fixtures', 'chat-templates');
const fixture = (name: string) => readFileSync(join(templates, `${name}.jinja`), 'utf8');

const info = {
  chatTemplate: fixture('smollm2'),
  bosText: '<s>',
  eosText: '</s>',
  addsBos: true,
  controlTokens: ['<|', '<s>', '</s>', '<|im_start|>', '<|im_end|>', '<end_of_turn>', '<|end|>'],
};

/** What Ollama's parser makes of a Modelfile: a command a line, or as many lines as three quotes hold together. */
function commands(text: string): [name: string, value: string][] {
  const found: [string, string][] = [];
  for (let rest = text; rest !== '';) {
    const match = /^(?:#.*|([A-Z]+(?: stop)?) (?:"""([^]*?)"""|"([^"\n]*)"|([^"\n].*)))\n/u.exec(rest);
    if (match === null) throw new Error(`no command at ${JSON.stringify(rest.slice(0, 60))}`);
    if (match[1] !== undefined) found.push([match[1], match[2] ?? match[3] ?? match[4]!]);
    rest = rest.slice(match[0].length);
  }
  return found;
}

const templateOf = (text: string) => commands(text).find(([name]) => name === 'TEMPLATE')?.[1];
const stops = (text: string) => commands(text).flatMap(([name, value]) => (name.endsWith('stop') ? [value] : []));
const reason = (text: string) => /^# No TEMPLATE: (.*)\.$/mu.exec(text)?.[1];

const conversations = [1, 2, 3, 4].flatMap((turns) =>
  ['', 'Be {{ brief }}.'].map((system) => ({
    system,
    messages: Array.from({ length: 2 * turns - 1 }, (_, i): Message => ({
      role: i % 2 === 0 ? 'user' : 'assistant',
      content: `Say "{{ ${i} }}".`,
    })),
  })),
);

/** As the model's own template writes it, less the token that the tokeniser adds. */
function own(template: string, system: string, messages: Message[], options: RenderOptions): string {
  const write = conversationWriter(template, { bosToken: info.bosText, eosToken: info.eosText });
  const [first, ...rest] = messages as [Message, ...Message[]];
  const attempts: Message[][] =
    system === ''
      ? [messages]
      : [
          [{ role: 'system', content: system }, ...messages],
          [{ ...first, content: `${system}\n\n${first.content}` }, ...rest],
        ];
  for (const [i, attempt] of attempts.entries()) {
    try {
      return write(attempt, options).replace(/^<s>/u, '');
    } catch (error) {
      if (i === attempts.length - 1) throw error;
    }
  }
  throw new Error('unreachable');
}

const others = {
  braces: `{% for m in messages %}{{ '{' + m.role + '{{}}\n' + m.content + '}{' }}{% endfor %}{{ '{assistant{{' }}`,
  calls: `{% for m in messages %}{{ m.role + '{' + m.content + '}' }}{% endfor %}{{ 'assistant{' }}`,
  quotes: `{% for m in messages %}{{ '"' + m.role + '""\n' + m.content + '"' }}{% endfor %}{{ '"assistant"' }}`,
  names: `{% for m in messages %}{{ m.role | upper + ': ' + m.content + '\n' }}{% endfor %}{{ 'ASSISTANT:' }}`,
};

describe('TEMPLATE', () => {
  const mapped = ['deepseek', 'gemma2', 'gemma3', 'list-content', 'llama2', 'phi3', 'qwen2.5', 'qwen3', 'smollm2'];
  test.each([...mapped.map((name) => [name, fixture(name)]), ...Object.entries(others)])(
    'of %s writes every conversation as the model does',
    (_, chatTemplate) => {
      const go = templateOf(modelfile('./m.gguf', { ...info, chatTemplate }))!;
      for (const { system, messages } of conversations) {
        for (const thinking of [undefined, true, false]) {
          const data = {
            System: system,
            Messages: messages.map(({ role, content }) => ({ Role: role, Content: content })),
          };
          expect(runGoTemplate(go, { ...data, Think: thinking })).toBe(
            own(chatTemplate, system, messages, { thinking }),
          );
        }
      }
    },
  );

  test('asks to turn thinking off where that makes a difference', () => {
    const of = (name: string) => templateOf(modelfile('./m.gguf', { ...info, chatTemplate: fixture(name) }));
    expect(of('qwen3')).toContain('<think>\n\n</think>');
    expect(of('smollm2')).not.toContain('Think');
  });

  test.each([
    ['the day', fixture('llama3'), /writes the day's date/u],
    ['a system text beside the last turn', fixture('mistral'), /texts in their order/u],
    [
      'one turn alone',
      "{% if messages | length > 1 %}{{ raise_exception('once') }}{% endif %}{{ messages[0].content }}:",
      /refuses a conversation: once/u,
    ],
    [
      'turns with numbers',
      '{% for m in messages %}{{ loop.index }}{{ m.role }}{{ m.content }}{% endfor %}',
      /later turn/u,
    ],
    ['a text twice', '{% for m in messages %}{{ m.role + m.content + m.content }}{% endfor %}', /more than once/u],
    ['three quotes', `{% for m in messages %}{{ '"""' + m.role + m.content }}{% endfor %}`, /three quotes/u],
    ['nothing', null, /has no chat template/u],
    [
      'earlier thoughts',
      "{% for m in messages %}{{ m.role + ('!' if enable_thinking else '') + m.content }}{% endfor %}",
      /think aloud/u,
    ],
  ])('is left out, with the reason, where the model writes %s', (_, chatTemplate, why) => {
    const text = modelfile('./m.gguf', { ...info, chatTemplate });
    expect(templateOf(text)).toBeUndefined();
    expect(reason(text)).toMatch(why);
    expect(commands(text)[0]).toEqual(['FROM', './m.gguf']);
  });

  test('keeps the first token where the tokeniser adds none', () => {
    const chatTemplate = fixture('gemma2');
    const beginning = (addsBos: boolean) =>
      runGoTemplate(templateOf(modelfile('./m.gguf', { ...info, chatTemplate, addsBos }))!, {
        System: '',
        Messages: [{ Role: 'user', Content: 'x' }],
      }).slice(0, 5);
    expect([beginning(true), beginning(false)]).toEqual(['<star', '<s><s']);
  });

  test('a damaged template is an error', () => {
    expect(() => modelfile('./m.gguf', { ...info, chatTemplate: '{% for %}' })).toThrow(
      expect.objectContaining({ code: 'TEMPLATE_FAILED' }),
    );
  });
});

describe('stop texts', () => {
  test.each([
    ['smollm2', ['</s>', '<|im_end|>']],
    ['gemma3', ['</s>', '<end_of_turn>']],
    ['llama2', ['</s>']],
  ])('of %s are the tokens that end a turn', (name, wanted) => {
    expect(stops(modelfile('./m.gguf', { ...info, chatTemplate: fixture(name) }))).toEqual(wanted);
  });

  test('of a template without control tokens are the next speaker, of none the end token', () => {
    expect(stops(modelfile('./m.gguf', { ...info, chatTemplate: others.names }))).toEqual(['</s>', 'USER:']);
    expect(stops(modelfile('./m.gguf', { ...info, chatTemplate: null, eosText: '' }))).toEqual([]);
  });
});

describe('SYSTEM', () => {
  test.each(['Be brief.', 'Be "brief".\nAlways.', '"', ' padded '])('%j comes back', (system) => {
    expect(commands(modelfile('./m.gguf', info, system))).toContainEqual(['SYSTEM', system]);
  });

  test('is left out when blank, and refused when the format can not hold it', () => {
    expect(commands(modelfile('./m.gguf', info, '  ')).map(([name]) => name)).not.toContain('SYSTEM');
    expect(() => modelfile('./m.gguf', info, 'a """ b')).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', details: { option: 'system' } }),
    );
  });
});

describe('writeModelfile', () => {
  const folder = folderPerTest();
  const at = (name: string) => join(folder(), name);

  test.each([
    ['m.gguf', 'Modelfile', './m.gguf'],
    ['models/my model.gguf', 'Modelfile', './models/my model.gguf'],
    ['m.gguf', 'models/Modelfile', '../m.gguf'],
  ])('names %s from %s as %s', async (gguf, path, from) => {
    mkdirSync(at('models'));
    await writeModelfile(at(path), at(gguf), info);
    expect(commands(readFileSync(at(path), 'utf8'))[0]).toEqual(['FROM', from]);
  });

  test('refuses a path that the format can not hold, and the GGUF itself', async () => {
    await expect(writeModelfile(at('Modelfile'), at('a\nb.gguf'), info)).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
    await writeModelfile(at('Modelfile'), at('m.gguf'), info);
    const onto = writeModelfile(at('Modelfile'), at('Modelfile'), info, { overwrite: true });
    await expect(onto).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    expect(readdirSync(folder())).toEqual(['Modelfile']);
  });
});
