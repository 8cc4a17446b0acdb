import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { readChoiceTask, RosiError, type ChoiceQuestion, type ChoiceTaskName } from '../../../lib';
import { judge } from '../../../lib/evaluation/utility/multiple-choice';
import { parquetFile } from '../../helpers/parquet';
import { temporaryFolder } from '../../helpers/temporary';

const folder = temporaryFolder();
let files = 0;

function write(content: unknown, extension: string): string {
  const path = join(folder, `${files++}${extension}`);
  const lines = () => (content as unknown[]).map((row) => JSON.stringify(row)).join('\n');
  writeFileSync(
    path,
    typeof content === 'string' ? content : extension === '.json' ? JSON.stringify(content) : lines(),
  );
  return path;
}

async function asked(name: ChoiceTaskName, ...rows: unknown[]): Promise<ChoiceQuestion[]> {
  return [...(await readChoiceTask(name, write(rows, '.jsonl'))).questions];
}

const records = {
  mmlu: { question: ' What is 1 + 1? ', subject: 'abstract_algebra', choices: ['1', '2', '3', '4'], answer: 1 },
  hellaswag: {
    ind: 24,
    activity_label: 'Roof shingle removal',
    ctx_a: 'A man is sitting on a roof.',
    ctx_b: 'he',
    ctx: 'A man is sitting on a roof. he',
    endings: ['is using wrap.', 'rips level tiles off.', "holds a rubik's cube.", 'starts pulling up roofing.'],
    label: '3',
  },
  arc: {
    id: 'Mercury_1',
    question: 'Which is a gas?',
    choices: { text: ['iron', 'oxygen', 'salt'], label: ['A', 'B', 'C'] },
    answerKey: 'B',
  },
  boolq: { question: 'is the sky blue', passage: 'The sky is blue.', idx: 0, label: 1 },
  truthful: {
    question: 'What happens if you eat seeds?',
    mc1_targets: { choices: ['Nothing.', 'You grow a tree.', 'You turn green.'], labels: [1, 0, 0] },
    mc2_targets: { choices: ['Nothing.', 'A tree grows.', 'You digest them.'], labels: [1, 0, 1] },
  },
};

// Expected texts are spelled out as the harness renders its task files, not made by the code under test.
describe('questions read as lm-evaluation-harness asks them', () => {
  test('MMLU: letters after a description of the subject', async () => {
    const [question] = await asked('mmlu', records.mmlu);
    expect(question).toEqual({
      context:
        'The following are multiple choice questions (with answers) about abstract algebra.\n\n' +
        'What is 1 + 1?\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer:',
      choices: ['A', 'B', 'C', 'D'],
      right: [false, true, false, false],
      category: 'abstract_algebra',
    });
  });

  test('MMLU: the first examples of the same subject come with their answers', async () => {
    const example = (subject: string, i: number) => ({ ...records.mmlu, subject, question: `Q${i}`, answer: i % 4 });
    const dev = [0, 1, 2].flatMap((i) => [example('anatomy', i + 4), example('abstract_algebra', i)]);
    const { questions } = await readChoiceTask('mmlu', write([records.mmlu], '.jsonl'), {
      examples: write(dev, '.json'),
      shots: 2,
    });
    expect(questions[0]!.context).toBe(
      'The following are multiple choice questions (with answers) about abstract algebra.\n\n' +
        'Q0\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer: A\n\n' +
        'Q1\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer: B\n\n' +
        'What is 1 + 1?\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer:',
    );
  });

  test('HellaSwag: the label first, the second part with a capital, no brackets', async () => {
    const wiki = {
      ...records.hellaswag,
      activity_label: 'Home',
      ctx_a: '[header] How to sew [title] Buy a needle. [step] Any  shop has one.',
      ctx_b: 'THEN Go home',
      endings: [' [substeps] Sew.', 'a [title] b', 'c', 'd'],
      label: 0,
    };
    const [plain, cleaned] = await asked('hellaswag', records.hellaswag, wiki);
    expect(plain!.context).toBe('Roof shingle removal: A man is sitting on a roof. He');
    expect(plain!.choices[2]).toBe("holds a rubik's cube.");
    expect(plain!.right).toEqual([false, false, false, true]);
    // Two spaces become one once: the third of three stays with the one before it.
    expect(cleaned!.context).toBe('Home: How to sew. Buy a needle. Any shop has one. Then go home');
    expect(cleaned!.choices).toEqual([' Sew.', 'a. b', 'c', 'd']);
  });

  test('ARC: the answer by its label, which may be a number', async () => {
    const numbered = { ...records.arc, choices: { text: ['x', 'y'], label: ['1', '2'] }, answerKey: '1' };
    for (const name of ['arc_easy', 'arc_challenge'] as const) {
      const [first, second] = await asked(name, records.arc, numbered);
      expect(first).toEqual({
        context: 'Question: Which is a gas?\nAnswer:',
        choices: ['iron', 'oxygen', 'salt'],
        right: [false, true, false],
      });
      expect(second!.right).toEqual([true, false]);
    }
  });

  test('BoolQ: no before yes, from either publication', async () => {
    const { question, passage } = records.boolq;
    const rest = { question, passage };
    const questions = await asked('boolq', records.boolq, { ...rest, answer: true }, { ...rest, answer: false });
    expect(questions[0]).toEqual({
      context: 'The sky is blue.\nQuestion: is the sky blue?\nAnswer:',
      choices: ['no', 'yes'],
      right: [false, true],
    });
    expect(questions.slice(1).map(({ right }) => right)).toEqual([
      [false, true],
      [true, false],
    ]);
  });

  test('TruthfulQA: after six answered questions', async () => {
    const [mc1] = await asked('truthfulqa_mc1', records.truthful);
    const [mc2] = await asked('truthfulqa_mc2', records.truthful);
    expect(mc1!.context).toMatch(
      /^Q: What is human life expectancy in the United States\?\nA: Human life expectancy in the United States is 78 years\.\n\nQ: Who was/u,
    );
    expect(mc1!.context.match(/^A: /gmu)).toHaveLength(6);
    expect(mc1!.context).toMatch(
      /\n\nQ: Where were the 1992 Olympics held\?\nA: The 1992 Olympics were held in Barcelona, Spain\.\n\nQ: What happens if you eat seeds\?\nA:$/u,
    );
    expect(mc1!.right).toEqual([true, false, false]);
    expect(mc2!.context).toBe(mc1!.context);
    expect(mc2!.choices).toEqual(records.truthful.mc2_targets.choices);
    expect(mc2!.right).toEqual([true, false, true]);
  });
});

describe('files', () => {
  test('of the same records in every format give the same questions', async () => {
    const rows = [records.arc, { ...records.arc, question: 'Is "x", or y?', answerKey: 'C' }];
    const cell = (value: unknown) =>
      `"${(typeof value === 'string' ? value : JSON.stringify(value)).replaceAll('"', '""')}"`;
    const csv = [Object.keys(records.arc).join(','), ...rows.map((row) => Object.values(row).map(cell).join(','))];
    const jsonl = await readChoiceTask('arc_easy', write(rows, '.jsonl'));
    expect(jsonl.questions).toHaveLength(2);
    expect(await readChoiceTask('arc_easy', write(rows, '.json'))).toEqual(jsonl);
    expect(await readChoiceTask('arc_easy', write(csv.join('\r\n'), '.csv'))).toEqual(jsonl);
  });

  test('of which one record is wrong are refused with its place and fields', async () => {
    const path = write([records.hellaswag, { ctx: 'x', label: '1' }], '.jsonl');
    await expect(readChoiceTask('hellaswag', path)).rejects.toMatchObject({
      name: 'RosiError',
      code: 'PROMPTS_INVALID',
      details: {
        path,
        line: 2,
        expected: ['activity_label', 'ctx_a', 'ctx_b', 'endings', 'label'],
        found: ['ctx', 'label'],
      },
    });
  });

  test.each<[string, ChoiceTaskName, unknown]>([
    ['no record', 'mmlu', 'text'],
    ['three choices', 'mmlu', { ...records.mmlu, choices: ['1', '2', '3'] }],
    ['an answer beyond the choices', 'mmlu', { ...records.mmlu, answer: 4 }],
    ['an answer below them', 'mmlu', { ...records.mmlu, answer: -1 }],
    ['no label, as in a test split', 'hellaswag', { ...records.hellaswag, label: '' }],
    ['a key that is no label', 'arc_easy', { ...records.arc, answerKey: 'E' }],
    ['choices that are no list', 'arc_challenge', { ...records.arc, choices: 'iron' }],
    ['a label that is none', 'boolq', { ...records.boolq, label: -1 }],
    ['an answer that is no truth', 'boolq', { ...records.boolq, answer: 'maybe' }],
    [
      'no right choice',
      'truthfulqa_mc1',
      { ...records.truthful, mc1_targets: { choices: ['a', 'b'], labels: [0, 0] } },
    ],
    ['fewer marks', 'truthfulqa_mc2', { ...records.truthful, mc2_targets: { choices: ['a', 'b'], labels: [1] } }],
  ])('with %s are refused', async (_, name, record) => {
    const refused = expect.objectContaining({ code: 'PROMPTS_INVALID', details: expect.objectContaining({ line: 1 }) });
    await expect(asked(name, record)).rejects.toEqual(refused);
  });

  test.each<[string, string, string]>([
    ['nothing', '', '.jsonl'],
    ['no list', '{}', '.json'],
    ['broken JSON', '[', '.json'],
    ['texts alone', 'x', '.txt'],
    ['another ending', 'x', '.xml'],
    ['a broken table', 'a,b\n"', '.csv'],
  ])('with %s are refused', async (_, content, extension) => {
    const path = write(content, extension);
    const refused = readChoiceTask('mmlu', path);
    await expect(refused).rejects.toMatchObject({ code: 'PROMPTS_INVALID', details: { path } });
  });

  test('that are not there are FILE_FAILED', async () => {
    await expect(readChoiceTask('mmlu', join(folder, 'absent.jsonl'))).rejects.toMatchObject({ code: 'FILE_FAILED' });
  });

  test('of Parquet, whose integers are bigints', async () => {
    const path = join(folder, 'mmlu.parquet');
    const { question, subject } = records.mmlu;
    const columns = { question: [question], subject: [subject], choices: [records.mmlu.choices], answer: [1n] };
    writeFileSync(path, await parquetFile(columns));
    expect((await readChoiceTask('mmlu', path)).questions).toEqual(await asked('mmlu', records.mmlu));
  });

  test('examples are for MMLU, enough of each subject, and shots need them', async () => {
    const path = write([records.mmlu], '.jsonl');
    const code = async (promise: Promise<unknown>) => promise.catch((error: RosiError) => error.code);
    expect(await code(readChoiceTask('mmlu', path, { shots: 5 }))).toBe('OPTION_INVALID');
    expect(await code(readChoiceTask('mmlu', path, { examples: path, shots: -1 }))).toBe('OPTION_INVALID');
    expect(await code(readChoiceTask('arc_easy', path, { examples: path }))).toBe('OPTION_INVALID');
    expect(await code(readChoiceTask('winogrande' as ChoiceTaskName, path))).toBe('OPTION_INVALID');
    expect(await code(readChoiceTask('mmlu', path, { examples: path }))).toBe('PROMPTS_INVALID'); // one, not five
    const other = write([{ ...records.mmlu, subject: 'anatomy' }], '.jsonl');
    expect(await code(readChoiceTask('mmlu', path, { examples: other, shots: 1 }))).toBe('PROMPTS_INVALID');
  });
});

describe('a question is judged', () => {
  const question = (choices: string[], right: boolean[]): ChoiceQuestion => ({ context: 'x', choices, right });

  test('by the likelihood of each choice, and by that of a character', () => {
    const of = question(['no', 'certainly not'], [false, true]);
    // -4 / 2 = -2 and -13 / 13 = -1: the second is less likely as a whole and more likely a character.
    expect(judge(of, ['acc', 'acc_norm'], [-4, -13])).toEqual({
      correct: false,
      values: { acc: 0, acc_norm: 1 },
      logLikelihoods: [-4, -13],
    });
  });

  test('by characters, not bytes or code units', () => {
    // Two characters of eight bytes and four code units: a character costs 3, by units 1.5, by bytes 0.75.
    const of = question(['😀😀', 'ab'], [false, true]);
    expect(judge(of, ['acc_norm'], [-6, -5]).values).toEqual({ acc_norm: 1 });
  });

  test('of equally likely choices the first counts', () => {
    expect(judge(question(['a', 'b'], [true, false]), ['acc'], [-1, -1]).correct).toBe(true);
    expect(judge(question(['a', 'b'], [false, true]), ['acc'], [-1, -1]).correct).toBe(false);
  });

  test('by the probability of all right choices, also of very unlikely ones', () => {
    const of = question(['a', 'b', 'c'], [true, false, true]);
    const logs = [0.5, 0.3, 0.2].map((p) => Math.log(p));
    expect(judge(of, ['mc2'], logs).values.mc2).toBeCloseTo(0.7, 12);
    const far = judge(
      of,
      ['mc2'],
      logs.map((value) => value - 2000),
    ); // e^-2000 is 0 in float64
    expect(far.values.mc2).toBeCloseTo(0.7, 12);
  });
});
