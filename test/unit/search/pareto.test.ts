import { paretoFront } from '../../../lib/search/pareto';
import { sampleReport } from '../../helpers/report';

const counts = { harmful: 32, harmless: 24, borderline: 32 };
/** Of an original that refuses .4 of harmful prompts; `cost` is what the others pay. */
const at = (kl: number, harmful: number, cost = 0, fewer = false) => ({
  ...sampleReport().trials[0]!,
  counts: fewer ? { ...counts, harmful: 12 } : counts,
  screening: { kl, refusal: { harmful, harmless: 0, borderline: 0 } },
  score: harmful - 0.4 - cost,
});

test('has what no other trial beats in refusal, cost and drift', () => {
  const trials = [
    at(0.3, 0.8, 0.1),
    at(0.1, 0.5, 0.1),
    at(0.2, 0.4, 0.1), // refuses less and drifts more than the second
    at(0.1, 0.6, 0.1), // beats the second
    at(0.4, 0.8, 0.1), // drifts more than the first
    at(0.4, 0.8, 0), // costs less than the first
    at(0.01, 0.9, 0, true), // on fewer prompts
  ];
  expect(paretoFront(trials)).toEqual([trials[3], trials[0], trials[5]]);
});

test('equal trials are both on it; no trials have none', () => {
  expect(paretoFront([at(0.1, 0.5), at(0.1, 0.5)])).toHaveLength(2);
  expect(paretoFront([])).toEqual([]);
});
