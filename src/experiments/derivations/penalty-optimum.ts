import { ConfigError, NumericError } from '../../core/errors.ts';
import { type Check, equality } from './check.ts';
import { logIntegral, tabulate, type Values } from './line.ts';
import { logMixture } from './mixture.ts';
import { logMarginal, marginal, type TestBed } from './test-bed.ts';

/** The density that training with the penalty converges to, in place of q. */
export interface PenaltyOptimum {
  readonly gamma: number;
  /** e^E/Z on the grid of x. */
  readonly density: Values;
  /** ½∫|e^E/Z − q|. */
  readonly fromData: number;
  /** ½∫|e^E/Z − q⋆N(0, 2γ)|. */
  readonly fromBlurred: number;
  /** Largest entry of q − e^E/Z + γ(q·E′)′, which vanishes at the optimum. */
  readonly stationarity: number;
}

/**
 * The energy that maximises E_q[E] − log∫e^E − (γ/2)·E_q[E′²], the limit of (22) and (23) with a
 * perfect generator. A concave problem: Newton steps, each a tridiagonal system.
 * @throws ConfigError for γ ≤ 0; NumericError when Newton's method does not arrive.
 */
export function penaltyOptimum(bed: TestBed, t: number, gamma: number): PenaltyOptimum {
  if (!(gamma > 0)) throw new ConfigError(`penaltyOptimum: gamma must be above 0, got ${gamma}`);
  const { step } = bed.x;
  const logQ = logMarginal(bed, t);
  const q = logQ.map(Math.exp);
  // γ·q between neighbouring points, by the square of the step: the conductances of −γ(qE′)′.
  const links = tabulate(bed.x, () => 0).map((_, i) =>
    i + 1 < q.length ? (gamma * Math.exp((logQ[i] + logQ[i + 1]) / 2)) / step ** 2 : 0,
  );
  let energies = logQ.map((v) => Math.max(v, -60));
  let state = evaluate(energies);
  for (let k = 0; state.worst > 1e-11; k++) {
    if (k === 100) {
      throw new NumericError(`penaltyOptimum: no convergence; stationarity is ${state.worst}`);
    }
    const move = tridiagonal(state.p, links, state.gradient);
    let size = 1;
    let next = evaluate(energies);
    // Concave: half the step until the objective rises.
    for (; size > 1e-6; size /= 2) {
      const tried = energies.map((e, i) => e + size * move[i]);
      next = evaluate(tried);
      if (next.objective >= state.objective - 1e-13) {
        energies = tried;
        break;
      }
    }
    state = next;
  }
  const blurred = marginalBlurred(bed, t, 2 * gamma);
  return {
    gamma,
    density: state.p,
    fromData: variation(state.p, q, step),
    fromBlurred: variation(state.p, blurred, step),
    stationarity: state.worst,
  };

  function evaluate(e: Values) {
    const logZ = logIntegral(bed.x, e);
    const p = e.map((value) => Math.exp(value - logZ));
    let objective = -logZ;
    const gradient = q.map((value, i) => {
      const right = i + 1 < e.length ? links[i] * (e[i + 1] - e[i]) : 0;
      const left = i > 0 ? links[i - 1] * (e[i - 1] - e[i]) : 0;
      if (i + 1 < e.length) objective -= 0.5 * step * links[i] * (e[i + 1] - e[i]) ** 2;
      objective += step * value * e[i];
      return value - p[i] + right + left;
    });
    return { p, gradient, objective, worst: Math.max(...gradient.map(Math.abs)) };
  }
}

/** q(x_t) convolved with N(0, variance). */
function marginalBlurred(bed: TestBed, t: number, variance: number): Values {
  const mixture = marginal(bed, t);
  const sds = mixture.sds.map((s) => Math.sqrt(s * s + variance));
  return tabulate(bed.x, (x) => Math.exp(logMixture({ ...mixture, sds }, x)));
}

function variation(p: Values, q: Values, step: number): number {
  return 0.5 * step * p.reduce((sum, v, i) => sum + Math.abs(v - q[i]), 0);
}

/** Solves (diag(p) + L)·x = b, L the Laplacian of a chain with these links (Thomas' algorithm). */
function tridiagonal(p: Values, links: Values, b: Values): Values {
  const n = p.length;
  const upper = new Float64Array(n);
  const right = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const left = i > 0 ? links[i - 1] : 0;
    const pivot = p[i] + left + links[i] + (i > 0 ? left * upper[i - 1] : 0);
    upper[i] = -links[i] / pivot;
    right[i] = (b[i] + (i > 0 ? left * right[i - 1] : 0)) / pivot;
  }
  const x = new Float64Array(n);
  for (let i = n - 1; i >= 0; i--) x[i] = right[i] - (i + 1 < n ? upper[i] * x[i + 1] : 0);
  return x;
}

/**
 * The optimum with the penalty is q⋆N(0, 2γ) but for terms of second order in γ: their size falls
 * by nearly four when γ is halved.
 */
export function penaltyBlurs(bed: TestBed, t: number, gamma: number): Check {
  const whole = penaltyOptimum(bed, t, gamma);
  const half = penaltyOptimum(bed, t, gamma / 2);
  return equality(
    {
      id: 'R1 optimum',
      claim: 'd log₂ TV(e^E/Z, q⋆N(0,2γ)) / d log₂ γ ≈ 2',
      equation: '(22), (23)',
    },
    Math.log2(whole.fromBlurred / half.fromBlurred),
    2,
    0.25,
    { 'TV to q': whole.fromData, 'TV to blurred q': whole.fromBlurred },
  );
}
