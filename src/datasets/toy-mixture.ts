/** A mixture of Gaussians with one isotropic standard deviation; the weights sum to 1. */
export interface IsotropicMixture {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly weight: Float64Array;
  readonly sd: number;
}

/**
 * log p of sqrt(alphaBar) x + sqrt(1 - alphaBar) eps at points x0, y0, x1, y1, ..., x from the
 * mixture: components N(sqrt(alphaBar) mu, (alphaBar sd^2 + 1 - alphaBar) I).
 */
export function mixtureLogDensity(
  mixture: IsotropicMixture,
  xy: ArrayLike<number>,
  alphaBar: number,
): Float64Array {
  const { x, y, weight, sd } = mixture;
  const scale = Math.sqrt(alphaBar);
  const variance = alphaBar * sd ** 2 + 1 - alphaBar;
  const exponent = new Float64Array(x.length);
  const out = new Float64Array(xy.length / 2);
  for (let i = 0; i < out.length; i++) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < x.length; k++) {
      const dx = xy[2 * i] - scale * x[k];
      const dy = xy[2 * i + 1] - scale * y[k];
      exponent[k] = -(dx * dx + dy * dy) / (2 * variance);
      if (exponent[k] > largest) largest = exponent[k];
    }
    let sum = 0;
    for (let k = 0; k < x.length; k++) {
      // Terms below e^-50 of the largest do not reach the last digit.
      if (exponent[k] - largest > -50) sum += weight[k] * Math.exp(exponent[k] - largest);
    }
    out[i] = largest + Math.log(sum / (2 * Math.PI * variance));
  }
  return out;
}

/** Simpson's rule on [low, high] with an even number of intervals. */
export function simpson(
  low: number,
  high: number,
  intervals: number,
): { readonly nodes: Float64Array; readonly weights: Float64Array } {
  const h = (high - low) / intervals;
  const nodes = new Float64Array(intervals + 1);
  const weights = new Float64Array(intervals + 1);
  for (let i = 0; i <= intervals; i++) {
    nodes[i] = low + h * i;
    weights[i] = (h / 3) * (i === 0 || i === intervals ? 1 : i % 2 === 1 ? 4 : 2);
  }
  return { nodes, weights };
}

/** P(low < Z < high) of a standard normal, accurate also in the tails; low <= high. */
export function normalInterval(low: number, high: number): number {
  if (low > 0) return normalInterval(-high, -low);
  if (high > 0) return 1 - upperTail(high) - upperTail(-low);
  return upperTail(-high) - upperTail(-low);
}

/**
 * P(Z > z), z >= 0: the power series of the normal integral (Abramowitz and Stegun 26.2.11) below
 * 3, the continued fraction (26.2.14) above.
 */
function upperTail(z: number): number {
  const density = Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
  if (z < 3) {
    let term = z;
    let sum = z;
    for (let k = 3; Math.abs(term) > 1e-17 * sum; k += 2) {
      term *= (z * z) / k;
      sum += term;
    }
    return 0.5 - density * sum;
  }
  let fraction = z;
  for (let k = 80; k > 0; k--) fraction = z + k / fraction;
  return density / fraction;
}
