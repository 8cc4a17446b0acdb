import { mean } from '../statistics';
import type { Answer } from './answers';
import type { BaseNll } from './base-nll';
import type { AnswerDrift } from './drift';
import type { ModelResult, SuiteResult } from './evaluation';
import type { Verdict } from './judge';
import { sha256 } from '../result-store';
import type { Suite, SuiteItem } from './suite';
import { shift, tally } from './tally';

/**
 * @param verdicts - [judge][model][item]
 * @param nlls - [model][item]
 */
export function suiteResult(
  suite: Suite,
  answers: Answer[][],
  verdicts: Verdict[][][],
  nlls: (BaseNll | null)[][],
  drifts: readonly (AnswerDrift | null)[],
): SuiteResult {
  const { name, role, items } = suite;
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
      baseNll: nllOf(nlls[model]!),
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
        baseNll: nlls[model]![i]!,
        verdicts: verdicts.map((ofJudge) => ofJudge[model]![i]!),
      })),
    })),
  };
}

function nllOf(nlls: readonly (BaseNll | null)[]): ModelResult['baseNll'] {
  const means = nlls.flatMap((one) => (one === null ? [] : [one.mean]));
  return means.length === 0 ? null : { mean: mean(means), highest: Math.max(...means) };
}

/** What decides an answer, in a fixed order. */
function asked({ request, user, history = [], system, assistantPrefix }: SuiteItem) {
  const turns = history.map((turn) => [turn.user, turn.assistant]);
  return [request, user, turns, system ?? null, assistantPrefix ?? null];
}
