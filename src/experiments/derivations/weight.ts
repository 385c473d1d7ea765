import type { Key } from '../../core/random.ts';
import { recoveryWeights } from '../../diffusion/posterior.ts';
import { type Check, equality, equalityEverywhere, estimate } from './check.ts';
import { evidenceParts } from './evidence.ts';
import { encoderTable, generatorTable } from './latent-tables.ts';
import { expectation, type Values } from './line.ts';
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
  truePosterior,
} from './test-bed.ts';

/** p_θ(x_t | x_{t+1}) / q(x_t | x_{t+1}) on the grid of x. */
export function importanceRatio(bed: TestBed, at: At): Values {
  const logQ = logTruePosterior(bed, at);
  return conditionalModel(bed, at).logDensity.map((p, i) => Math.exp(p - logQ[i]));
}

/** (20), left: an expectation under p_θ as one under q, here of the negative bound of (18). */
export function importanceWeighting(bed: TestBed, at: At): Check {
  const { reconstruction, prior } = evidenceParts(
    bed,
    generatorTable(bed, at),
    encoderTable(bed, at),
  );
  const loss = reconstruction.map((r, i) => prior[i] - r);
  const q = logTruePosterior(bed, at).map(Math.exp);
  const ratio = importanceRatio(bed, at);
  const model = expectation(bed.x, conditionalModel(bed, at).density, loss);
  const data = expectation(bed.x, q, loss);
  // ratio² q = ratio·p_θ, which does not overflow where q vanishes.
  const square = expectation(bed.x, conditionalModel(bed, at).density, ratio);
  return equality(
    { id: 'A9', claim: 'E_{p_θ}[g] = E_q[(p_θ/q)·g], g = −ELBO', equation: '(20)' },
    model,
    expectation(
      bed.x,
      q,
      ratio.map((w, i) => w * loss[i]),
    ),
    1e-10,
    { unweighted: data, 'constant weight': model / data, 'effective share': 1 / square },
  );
}

/** The ratio is 1 everywhere exactly when e^E is proportional to q(x_t). */
export function ratioAtOptimum(bed: TestBed, at: At): Check {
  const best = conditionalModel(bed, at, logMarginal(bed, at.t)).logDensity;
  const ratio = logTruePosterior(bed, at).map((logQ, i) => Math.exp(best[i] - logQ));
  return equalityEverywhere(
    { id: 'A9 optimum', claim: 'p_θ/q ≡ 1 where e^E ∝ q(x)', equation: '(20)' },
    ratio,
    ratio.map(() => 1),
    1e-10,
  );
}

/** (20) by draws of x_t from q(x_t | x_{t+1}), each weighted, of the energy. */
export function importanceSampling(bed: TestBed, at: At, key: Key, draws: number): Check {
  const x = drawMixture(truePosterior(bed, at), key, draws);
  const { logZ, density } = conditionalModel(bed, at);
  const prior = marginal(bed, at.t);
  const logNext = logMixture(marginal(bed, at.t + 1), at.xNext);
  const weighted = x.map((value) => {
    const forward = logForward(bed, at.t, value, at.xNext);
    const logModel = energy(bed, value) + forward - logZ;
    const logData = logMixture(prior, value) + forward - logNext;
    return Math.exp(logModel - logData) * energy(bed, value);
  });
  const exact = expectation(
    bed.x,
    density,
    bed.x.x.map((value) => energy(bed, value)),
  );
  return estimate(
    { id: 'A9 MC', claim: 'mean of (p_θ/q)·E over draws of q is E_{p_θ}[E]', equation: '(20)' },
    weighted,
    exact,
  );
}

/** (21): w(1) = w and w(½) = w_mid. */
export function weightCurve(weight: number, middle: number): Check {
  const [half, one] = recoveryWeights([0.5, 1], weight, middle);
  return equalityEverywhere(
    { id: '(21)', claim: 'w(½) = w_mid, w(1) = w', equation: '(21)' },
    [half, one],
    [middle, weight],
    1e-14,
    { exponent: Math.log2(weight / middle) },
  );
}
