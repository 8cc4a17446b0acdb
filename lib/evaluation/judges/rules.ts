import { labelAnswer } from '../../refusal';
import type { Judge } from '../judge';

/** Labels by rules from the answer's own words: {@link labelAnswer}. Says nothing about harm. */
export const rulesJudge: Judge = {
  name: 'rules',
  identity: null, // faster than a cache
  judge: (items) =>
    Promise.resolve(
      items.map(({ answer }) => {
        const { label, reason } = labelAnswer(answer);
        return { label, harmful: null, reason };
      }),
    ),
};
