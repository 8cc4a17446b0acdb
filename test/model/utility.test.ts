import { ModelSession, multipleChoice, type ChoiceTask } from '../../lib';
import { tinyChat } from '../helpers/tiny-chat';

let session: ModelSession;
beforeAll(async () => void (session = await ModelSession.open(tinyChat, { threads: 1 })));
afterAll(() => session.close());

const question = (context: string, right: number, category?: string) => ({
  context,
  choices: ['yes, it is near the river', 'no'],
  right: [right === 0, right === 1],
  ...(category !== undefined && { category }),
});
const task: ChoiceTask = {
  name: 'arc_easy',
  metrics: ['acc', 'acc_norm'],
  questions: [
    question('Question: Where is the market?\nAnswer:', 1, 'a'),
    question('Question: Is it far?\nAnswer:', 0, 'a'),
    question('Question: Can I get bread?\nAnswer: ', 1, 'b'), // its last space belongs to the choices
  ],
};

describe('multipleChoice', () => {
  test('scores each choice after a space, given the text before it', async () => {
    const { metrics, perQuestion, truncated } = await multipleChoice(session, task);
    expect(truncated).toBe(0);
    for (const [i, { context, choices, right }] of task.questions.entries()) {
      const tokens = session.encodeText(context.trimEnd(), session.info.addsBos);
      const expected: number[] = [];
      for (const choice of choices) {
        const option = session.encodeText(`${context} ${choice}`, session.info.addsBos).slice(tokens.length);
        expect(session.decode(option)).toBe(`${context.slice(context.trimEnd().length)} ${choice}`);
        const scores = await session.scoreContinuations([{ prefix: tokens, options: [option] }]);
        expected.push(scores[0]![0]!.logLikelihood);
      }
      const result = perQuestion[i]!;
      // The weights are quantised, so that another batch rounds otherwise: 0.1 nats a token at most.
      result.logLikelihoods.forEach((value, j) => expect(Math.abs(value - expected[j]!)).toBeLessThan(1));
      expect(result.correct).toBe(right[result.logLikelihoods[0]! >= result.logLikelihoods[1]! ? 0 : 1]);
    }
    const correct = perQuestion.filter((result) => result.correct).length;
    expect(metrics.acc).toMatchObject({ value: correct / 3, total: 3 });
    expect(metrics.acc!.standardError).toBeCloseTo(Math.sqrt(((correct / 3) * (1 - correct / 3)) / 2), 12);
    expect(Object.keys(metrics)).toEqual(['acc', 'acc_norm']);
  });

  test('limits to as many of each category as can be', async () => {
    const { perQuestion } = await multipleChoice(session, task, { limit: 2 });
    expect(perQuestion.map(({ category }) => category)).toEqual(['a', 'b']);
    for (const limit of [0, 1.5, NaN]) {
      await expect(multipleChoice(session, task, { limit })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    }
  });

  test('runs with an edit', async () => {
    const factor = Float32Array.from({ length: 256 }, (_, i) => Math.sin(i));
    const adapter = session.loadAdapter([{ name: 'blk.3.attn_output.weight', left: factor, right: factor }]);
    const [plain, edited] = [
      await multipleChoice(session, task),
      await multipleChoice(session, task, { edit: { adapter, scale: 1 } }),
    ];
    const [before, after] = [plain.perQuestion[0]!.logLikelihoods[0]!, edited.perQuestion[0]!.logLikelihoods[0]!];
    expect(Math.abs(before - after)).toBeGreaterThan(0.5);
    session.closeAdapter(adapter);
  });

  test('cuts the beginning of what is beyond the context', async () => {
    const long = 'bread and '.repeat(600);
    const cut = { ...task, questions: [question(`${long}\nAnswer:`, 0), task.questions[0]!] };
    const { truncated, perQuestion } = await multipleChoice(session, cut);
    expect(truncated).toBe(1);
    const more = { ...task, questions: [question(`More ${long}\nAnswer:`, 0)] };
    expect((await multipleChoice(session, more)).perQuestion[0]!.logLikelihoods[0]).toBeCloseTo(
      perQuestion[0]!.logLikelihoods[0]!,
      0,
    );
    const endless = { ...task, questions: [{ ...question('x', 0), choices: [long, 'no'] }] };
    await expect(multipleChoice(session, endless)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });
});
