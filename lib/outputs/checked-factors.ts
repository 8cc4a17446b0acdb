import { RosiError } from '../errors';
import type { RankOneFactors } from '../native';

/** Factors with the shape that they imply. */
export interface ShapedFactors extends RankOneFactors {
  nExperts: number;
  nIn: number;
  nOut: number;
}

/** @throws RosiError `OPTION_INVALID` when there are none, a tensor comes twice, or lengths or values can't be. */
export function checkFactors(factors: readonly RankOneFactors[]): ShapedFactors[] {
  const refuse = (why: string, details: Record<string, unknown>) =>
    new RosiError('OPTION_INVALID', why, { option: 'factors', ...details });
  if (factors.length === 0) throw refuse('factors of at least one tensor are needed', {});
  const seen = new Set<string>();
  return factors.map((given) => {
    const { name, left, right, nExperts = 1 } = given;
    if (seen.has(name)) throw refuse(`the factors of ${name} are given twice`, { tensor: name });
    seen.add(name);
    const whole = Number.isInteger(nExperts) && nExperts > 0;
    for (const [side, values] of Object.entries({ left, right })) {
      if (!whole || values.length === 0 || values.length % nExperts !== 0) {
        throw refuse(
          `the ${side} factor of ${name} must have a positive number of values for each of its ${nExperts} experts; it has ${values.length} values`,
          { tensor: name, side, values: values.length, nExperts },
        );
      }
      const bad = values.findIndex((value) => !Number.isFinite(value));
      if (bad >= 0) {
        throw refuse(`value ${bad} of the ${side} factor of ${name} is ${values[bad]}, not a finite number`, {
          tensor: name,
          side,
          index: bad,
        });
      }
    }
    return { ...given, nExperts, nIn: right.length / nExperts, nOut: left.length / nExperts };
  });
}
