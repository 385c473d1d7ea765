import { ConfigError } from '../../core/errors.ts';
import { type Key, normal64, substream, uniform64 } from '../../core/random.ts';

/** A mixture of Gaussians on the line; the weights sum to 1. */
export interface Mixture {
  readonly weights: readonly number[];
  readonly means: readonly number[];
  /** Standard deviations. */
  readonly sds: readonly number[];
}

/** @throws ConfigError for lists of different lengths, weights that are none, or sds ≤ 0. */
export function checkedMixture(mixture: Mixture): Mixture {
  const { weights, means, sds } = mixture;
  if (weights.length === 0 || means.length !== weights.length || sds.length !== weights.length) {
    throw new ConfigError(
      `mixture: need as many weights as means and sds (at least one), got ` +
        `${weights.length}, ${means.length} and ${sds.length}`,
    );
  }
  const total = weights.reduce((a, b) => a + b, 0);
  if (!(weights.every((w) => w >= 0) && Math.abs(total - 1) < 1e-12)) {
    throw new ConfigError(`mixture: weights must be ≥ 0 and sum to 1, got [${weights}]`);
  }
  if (!sds.every((s) => s > 0)) {
    throw new ConfigError(`mixture: standard deviations must be above 0, got [${sds}]`);
  }
  return mixture;
}

/** The mixture of √ᾱ·x + √(1−ᾱ)·ε: means shrink, every variance becomes ᾱσ² + 1−ᾱ. */
export function diffuse({ weights, means, sds }: Mixture, alphaBar: number): Mixture {
  return {
    weights,
    means: means.map((m) => Math.sqrt(alphaBar) * m),
    sds: sds.map((s) => Math.sqrt(alphaBar * s * s + 1 - alphaBar)),
  };
}

/**
 * The mixture p(x)·N(y; a·x, v)/p(y): a Gaussian likelihood shifts every component and weighs it by
 * how well it explains y.
 */
export function condition(prior: Mixture, y: number, a: number, v: number): Mixture {
  const logs = prior.weights.map(
    (w, i) => Math.log(w) + logNormal(y, a * prior.means[i], a * a * prior.sds[i] ** 2 + v),
  );
  const max = Math.max(...logs);
  const total = logs.reduce((sum, l) => sum + Math.exp(l - max), 0);
  const variances = prior.sds.map((s) => 1 / (1 / (s * s) + (a * a) / v));
  return {
    weights: logs.map((l) => Math.exp(l - max) / total),
    means: prior.means.map((m, i) => variances[i] * (m / prior.sds[i] ** 2 + (a * y) / v)),
    sds: variances.map(Math.sqrt),
  };
}

/** log p(x). */
export function logMixture({ weights, means, sds }: Mixture, x: number): number {
  let max = Number.NEGATIVE_INFINITY;
  const logs = weights.map((w, i) => {
    const term = Math.log(w) + logNormal(x, means[i], sds[i] ** 2);
    if (term > max) max = term;
    return term;
  });
  return max + Math.log(logs.reduce((sum, term) => sum + Math.exp(term - max), 0));
}

/** log N(x; mean, variance). */
export function logNormal(x: number, mean: number, variance: number): number {
  return -0.5 * ((x - mean) ** 2 / variance + Math.log(2 * Math.PI * variance));
}

/** n independent draws. */
export function drawMixture(mixture: Mixture, key: Key, n: number): Float64Array {
  const { weights, means, sds } = mixture;
  const which = uniform64(substream(key, 'component'), n);
  const noise = normal64(substream(key, 'noise'), n);
  return noise.map((e, i) => {
    let k = 0;
    for (let sum = weights[0]; sum <= which[i] && k < weights.length - 1; sum += weights[++k]);
    return means[k] + sds[k] * e;
  });
}
