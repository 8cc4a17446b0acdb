import type { Answer } from './answers';
import type { AnswerDrift } from './drift';
import type { SuiteResult } from './evaluation';
import type { Verdict } from './judge';
import { sha256 } from '../result-store';
import type { Suite, SuiteItem } from './suite';
import { shift, tally } from './tally';

/** @param verdicts - [judge][model][item] */
export function suiteResult(
  suite: Suite,
  answers: Answer[][],
  verdicts: Verdict[][][],
  drifts: readonly (AnswerDrift | null)[],
): SuiteResult {
  const { name, role, items } = suite;
  const mean = (of: readonly number[]) => of.reduce((sum, n) => sum + n, 0) / of.length;
  const categories = [...new Set(items.flatMap(({ category }) => (category === undefined ? [] : [category])))].sort();
  return {
    name,
    role,
    sha256: sha256(JSON.stringify(items.map(asked))),
    prompts: items.length,
    results: answers.map((ofModel, model) => ({
      tallies: verdicts.map((ofJudge) => tally(ofJudge[model]!)),
      shifts: model === 0 ? null : verdicts.map((ofJudge) => shift(ofJudge[0]!, ofJudge[model]!)),
      tokens: { prompt: mean(ofModel.map((one) => one.promptTokens)), answer: mean(ofModel.map((one) => one.tokens)) },
      cut: ofModel.filter(({ cut }) => cut).length,
      drift: drifts[model]!,
    })),
    categories: categories.map((category) => {
      const inCategory = <T>(of: readonly T[]) => of.filter((_, i) => items[i]!.category === category);
      return {
        name: category,
        prompts: inCategory(items).length,
        tallies: verdicts[0]!.map((ofModel) => tally(inCategory(ofModel))),
      };
    }),
    rows: items.map(({ request, category = null }, i) => ({
      request,
      category,
      answers: answers.map((ofModel, model) => ({
        ...ofModel[i]!,
        verdicts: verdicts.map((ofJudge) => ofJudge[model]![i]!),
      })),
    })),
  };
}

/** What decides an answer, in a fixed order. */
function asked({ request, user, history = [], system, assistantPrefix }: SuiteItem) {
  const turns = history.map((turn) => [turn.user, turn.assistant]);
  return [request, user, turns, system ?? null, assistantPrefix ?? null];
}
