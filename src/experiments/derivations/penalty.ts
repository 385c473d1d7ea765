import { type Key, normal64, substream } from '../../core/random.ts';
import { gaussianLogDensity, gaussianLogNorm } from '../../diffusion/gaussian.ts';
import { tf } from '../../jit/tf.ts';
import { type Check, equality, equalityEverywhere, estimate, sampleMean } from './check.ts';
import { expectation, slope, tabulate } from './line.ts';
import { drawMixture, logMixture } from './mixture.ts';
import {
  type At,
  conditionalModel,
  energy,
  logForward,
  logMarginal,
  logTruePosterior,
  marginal,
  type TestBed,
} from './test-bed.ts';

/** E_q(x_t)[(∂E/∂x)²] and the constant n·a²/β of the forward kernel, n = 1. */
export function penaltyParts(bed: TestBed, t: number): { energy: number; constant: number } {
  const { a, betas } = bed.levels;
  const slopes = tabulate(bed.x, (x) => slope((at) => energy(bed, at), x));
  const q = logMarginal(bed, t).map(Math.exp);
  return {
    energy: expectation(
      bed.x,
      q,
      slopes.map((s) => s * s),
    ),
    constant: a[t + 1] ** 2 / betas[t + 1],
  };
}

/** (23): the penalty on E + log q(x_{t+1} | x_t), integrated over pairs, is R1 plus a constant. */
export function penaltyEquivalence(bed: TestBed, t: number): Check {
  const q = logMarginal(bed, t).map(Math.exp);
  const slopes = tabulate(bed.x, (x) => slope((at) => energy(bed, at), x));
  const { a, betas } = bed.levels;
  const inner = tabulate(bed.x, () => 0);
  bed.x.x.forEach((x, i) => {
    // Beyond the data the terms do not reach the last digit, and the kernel leaves the grid.
    if (q[i] < 1e-25) return;
    const squares = tabulate(bed.x, (y) => {
      const pull = (a[t + 1] / betas[t + 1]) * (y - a[t + 1] * x);
      return (slopes[i] + pull) ** 2;
    });
    const kernel = tabulate(bed.x, (y) => Math.exp(logForward(bed, t, x, y)));
    inner[i] = expectation(bed.x, kernel, squares);
  });
  const { energy: own, constant } = penaltyParts(bed, t);
  return equality(
    {
      id: `A11 t=${t}`,
      claim: 'E|∇E + ∇log q(x′|x)|² = E|∇E|² + n·a²/β',
      equation: '(23)',
    },
    expectation(bed.x, q, inner),
    own + constant,
    1e-9,
    { energy: own, constant },
  );
}

/** Draws of (x_t, ε′) and what either penalty makes of them. */
export interface PenaltyDraws {
  readonly x: Float64Array;
  /** ∇ log q(x_{t+1} | x_t) = (a/√β)·ε′. */
  readonly pull: Float64Array;
  /** ∂E/∂x. */
  readonly slopes: Float64Array;
}

export function drawPenalty(bed: TestBed, t: number, key: Key, draws: number): PenaltyDraws {
  const { a, betas } = bed.levels;
  const x = drawMixture(marginal(bed, t), substream(key, 'x'), draws);
  const scale = a[t + 1] / Math.sqrt(betas[t + 1]);
  const pull = normal64(substream(key, 'noise'), draws).map((e) => scale * e);
  return { x, pull, slopes: x.map((at) => slope((u) => energy(bed, u), at)) };
}

/** A11 by draws: the mean of the penalty on pairs is the exact R1 plus the constant. */
export function penaltySampling(bed: TestBed, t: number, key: Key, draws: number): Check {
  const { pull, slopes } = drawPenalty(bed, t, key, draws);
  const { energy: own, constant } = penaltyParts(bed, t);
  return estimate(
    { id: 'A11 MC', claim: 'E|∇E + ∇log q(x′|x)|² by draws of pairs', equation: '(23)' },
    slopes.map((s, i) => (s + pull[i]) ** 2),
    own + constant,
  );
}

/** The gradient of either penalty in one coefficient of the energy. */
export interface PenaltyGradient {
  readonly coefficient: number;
  readonly exact: number;
  /** With log q(x_{t+1} | x_t) inside, as trained. */
  readonly pairs: { readonly mean: number; readonly standardError: number };
  /** R1 on the energy alone. */
  readonly plain: { readonly mean: number; readonly standardError: number };
}

/** ∂/∂θ_j of both penalties by the same draws: the same mean, the first only noisier. */
export function penaltyGradients(
  bed: TestBed,
  t: number,
  key: Key,
  draws: number,
): PenaltyGradient[] {
  const { x, pull, slopes } = drawPenalty(bed, t, key, draws);
  const q = logMarginal(bed, t).map(Math.exp);
  return bed.features.map((feature, coefficient) => {
    const own = (at: number) => slope(feature, at);
    const exact = expectation(
      bed.x,
      q,
      tabulate(bed.x, (at) => 2 * slope((u) => energy(bed, u), at) * own(at)),
    );
    const features = x.map(own);
    return {
      coefficient,
      exact,
      pairs: sampleMean(features.map((f, i) => 2 * (slopes[i] + pull[i]) * f)),
      plain: sampleMean(features.map((f, i) => 2 * slopes[i] * f)),
    };
  });
}

/** Squared error against Gaussian likelihood, the latter as the training code computes it. */
export function squaredErrorIsLikelihood(bed: TestBed, t: number, key: Key): Check {
  const [rows, n] = [64, 5];
  const residual = normal64(key, rows * n);
  const variance = bed.posterior.variance[t];
  const likelihood = tf.tidy(
    () =>
      gaussianLogDensity(tf.tensor2d(Float32Array.from(residual), [rows, n]), {
        halfPrecision: tf.fill([rows, 1], 1 / (2 * variance)),
        logNorm: tf.fill([rows, 1], gaussianLogNorm(n, variance)),
      }).dataSync() as Float32Array,
  );
  const algebra = Array.from({ length: rows }, (_, b) => {
    const squares = residual.subarray(b * n, (b + 1) * n).reduce((sum, r) => sum + r * r, 0);
    return squares / (2 * variance) + (n / 2) * Math.log(2 * Math.PI * variance);
  });
  return equalityEverywhere(
    { id: 'A12', claim: '−log N(x;m,vI) = |x−m|²/2v + (n/2)·log 2πv', equation: '(19)' },
    Array.from(likelihood, (value) => -value),
    algebra,
    // The training code is float32.
    1e-6 * Math.max(10, ...algebra.map(Math.abs)),
    { 'weight of the square': 1 / (2 * variance) },
  );
}

/** (24): the slope of −½(x − f)² is −(1 − f′)(x − f), for f = ½tanh(2x). */
export function residualEnergySlope(bed: TestBed): Check {
  const f = (x: number) => 0.5 * Math.tanh(2 * x);
  const df = (x: number) => 1 - Math.tanh(2 * x) ** 2;
  return equalityEverywhere(
    { id: '(24) slope', claim: '∇E = −(1 − f′)ᵀ(x − f) for E = −½|x − f|²', equation: '(24)' },
    tabulate(bed.x, (x) => slope((u) => -0.5 * (u - f(u)) ** 2, x)),
    tabulate(bed.x, (x) => -(1 - df(x)) * (x - f(x))),
    1e-9,
  );
}

/** (24) loses nothing: f = x + √(2·max log q − 2·log q) makes e^E ∝ q(x_t), which solves (7). */
export function residualEnergyReaches(bed: TestBed, at: At): Check {
  const q = marginal(bed, at.t);
  const highest = Math.max(...bed.x.x.map((x) => logMixture(q, x)));
  const f = (x: number) => x + Math.sqrt(2 * Math.max(0, highest - logMixture(q, x)));
  return equalityEverywhere(
    {
      id: '(24)',
      claim: 'f = x + √(2(max log q − log q)) ⇒ p_θ(x|x′) = q(x|x′)',
      equation: '(24)',
    },
    conditionalModel(
      bed,
      at,
      tabulate(bed.x, (x) => -0.5 * (x - f(x)) ** 2),
    ).density,
    logTruePosterior(bed, at).map(Math.exp),
    1e-12,
  );
}
