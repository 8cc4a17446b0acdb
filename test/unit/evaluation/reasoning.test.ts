import { splitReasoning } from '../../../lib/evaluation/reasoning';

describe('splitReasoning', () => {
  test.each([
    ['no reasoning', ' An answer. ', false, null, 'An answer.'],
    ['a block', '<think>\nhm\n</think>\n\nAn answer.', false, 'hm', 'An answer.'],
    ['another tag', '[THINK]hm[/THINK]An answer.', false, 'hm', 'An answer.'],
    ['an empty block', '<think>\n\n</think>\n\nAn answer.', false, '', 'An answer.'],
    ['cut off while thinking', '<think>I could refuse. I can not help', false, 'I could refuse. I can not help', ''],
    ['opened by the prompt', 'hm</think>An answer.', true, 'hm', 'An answer.'],
    ['opened by the prompt and cut off', 'I can not', true, 'I can not', ''],
    ['a tag that an answer speaks of', 'Write </think> at the end.', false, null, 'Write </think> at the end.'],
    ['a block later on', 'Use it: <think>x</think>', false, null, 'Use it: <think>x</think>'],
  ])('%s', (_, text, opened, reasoning, answer) => {
    expect(splitReasoning(text, opened)).toEqual({ reasoning, answer });
  });
});
