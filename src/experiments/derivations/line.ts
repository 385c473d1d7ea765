import { ConfigError, NumericError, ShapeError } from '../../core/errors.ts';

/** Equidistant points of an interval, both ends included. */
export interface Line {
  readonly x: Float64Array;
  readonly step: number;
}

/** A function on the points of a line. */
export type Values = Float64Array;

/** @throws ConfigError unless low < high (both finite) and there are at least 3 points. */
export function line(low: number, high: number, points: number): Line {
  if (!(Number.isFinite(low) && Number.isFinite(high) && low < high)) {
    throw new ConfigError(`line: need finite low < high, got ${low} and ${high}`);
  }
  if (!Number.isInteger(points) || points < 3) {
    throw new ConfigError(`line: need at least 3 points, got ${points}`);
  }
  const step = (high - low) / (points - 1);
  return { x: Float64Array.from({ length: points }, (_, i) => low + step * i), step };
}

export function tabulate({ x }: Line, f: (x: number) => number): Values {
  return Float64Array.from(x, f);
}

/**
 * ∫f by the sum of values times the step. For a smooth f that vanishes at both ends the error falls
 * faster than any power of the step, so 1e-14 needs only a step of about a quarter of the narrowest
 * width in f.
 * @throws ShapeError when the values are not one per point.
 */
export function integral({ x, step }: Line, values: Values): number {
  sameLength('integral', x, values);
  let sum = 0;
  for (const value of values) sum += value;
  return sum * step;
}

/** E_p[f] = ∫p·f, with 0 where p is 0 whatever f is there. */
export function expectation(on: Line, density: Values, f: Values): number {
  sameLength('expectation', on.x, density);
  sameLength('expectation', on.x, f);
  let sum = 0;
  for (let i = 0; i < f.length; i++) if (density[i] !== 0) sum += density[i] * f[i];
  return sum * on.step;
}

/** log ∫e^f without overflow. @throws NumericError when it is not finite. */
export function logIntegral({ step }: Line, logValues: Values): number {
  let max = Number.NEGATIVE_INFINITY;
  for (const value of logValues) if (value > max || Number.isNaN(value)) max = value;
  let sum = 0;
  for (const value of logValues) sum += Math.exp(value - max);
  const result = max + Math.log(sum * step);
  if (!Number.isFinite(result)) {
    throw new NumericError(
      `logIntegral: log ∫e^f is ${result}; f must be finite somewhere and fall off at both ends`,
    );
  }
  return result;
}

/** The density proportional to e^f. @throws NumericError when it cannot be normalised. */
export function normalised(on: Line, logValues: Values): Values {
  const logZ = logIntegral(on, logValues);
  return logValues.map((value) => Math.exp(value - logZ));
}

/** H(p) = −∫p·log p, in nat, of a density given by its logarithm. */
export function entropy(on: Line, logP: Values): number {
  return -expectation(on, logP.map(Math.exp), logP);
}

/** KL(p ‖ q) = ∫p·log(p/q), in nat, of densities given by their logarithms. */
export function divergence(on: Line, logP: Values, logQ: Values): number {
  sameLength('divergence', logP, logQ);
  const ratio = logP.map((value, i) => value - logQ[i]);
  return expectation(on, logP.map(Math.exp), ratio);
}

/** Derivative of f by the five-point stencil; error about h⁴·f⁽⁵⁾/30 ≈ 1e-13 at unit scale. */
export function slope(f: (x: number) => number, x: number, h = 1e-3): number {
  return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h);
}

function sameLength(name: string, a: Values, b: Values): void {
  if (a.length !== b.length) {
    throw new ShapeError(`${name}: ${a.length} and ${b.length} values; tabulate both on one line`);
  }
}
