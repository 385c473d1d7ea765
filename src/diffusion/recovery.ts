import { ConfigError } from '../core/errors.ts';

export interface RecoveryConfig {
  /** T, the number of levels. Default 6. */
  readonly steps?: number;
  /** b², the squared step size. Default 2e-4. */
  readonly stepVariance?: number;
  /** Without the factor c_t that grows with the noise: c_t = 1. Default false. */
  readonly constantStep?: boolean;
}

/** The T6 schedule of diffusion recovery likelihood and what its chains need; float64. */
export interface RecoverySchedule {
  readonly steps: number;
  /** a_j and σ_j of step j = 0..T, and their cumulative ā_j, s̄_j. */
  readonly a: Float64Array;
  readonly sigma: Float64Array;
  readonly aCum: Float64Array;
  readonly sigmaCum: Float64Array;
  /** For t = 0..T−1: a_{t+1}, but 1 at the top level, where y_t = x_t. */
  readonly scale: Float64Array;
  /** c_t² = s̄_t/s̄_0. */
  readonly stepFactor: Float64Array;
  /** δ_t² = b²·c_t²·σ_{t+1}². */
  readonly stepVariance: Float64Array;
  /** 1/(2σ_{t+1}²)·δ_t² = ½b²c_t² below the top level, 0 there: the pull towards x_{t+1}. */
  readonly tether: Float64Array;
  /** w_t = σ_1/σ_{t+1}. */
  readonly weight: Float64Array;
}

const BASE_STEPS = 1000;

/**
 * Levels cut out of 1000 linear variances 1e-4 … 0.02 at every ⌊1000/(2(T−1))⌋-th, the last at 999
 * (Gao et al., ICLR 2021, official code).
 * @throws ConfigError for fewer than 2 steps or more than the rule can cut.
 */
export function recoverySchedule(config: RecoveryConfig = {}): RecoverySchedule {
  const { steps = 6, stepVariance: b2 = 2e-4, constantStep = false } = config;
  const stride = Math.floor(BASE_STEPS / (2 * (steps - 1)));
  if (!Number.isInteger(steps) || steps < 2 || stride < 1) {
    throw new ConfigError(`recoverySchedule: steps must be an integer in 2..500, got ${steps}`);
  }
  const keep = (n: number) => Math.sqrt(1 - (1e-4 + ((0.02 - 1e-4) * n) / (BASE_STEPS - 1)));
  const cuts = Array.from({ length: steps + 1 }, (_, j) => (j < steps ? j * stride : 999));
  const a = Float64Array.from(cuts, (cut, j) => {
    let product = 1;
    for (let n = j === 0 ? 0 : cuts[j - 1] + 1; n <= cut; n++) product *= keep(n);
    return product;
  });
  const aCum = a.slice();
  for (let j = 1; j <= steps; j++) aCum[j] *= aCum[j - 1];
  const complement = (x: number) => Math.sqrt(1 - x * x);
  const sigma = a.map(complement);
  const sigmaCum = aCum.map(complement);
  const each = (f: (t: number) => number) => Float64Array.from({ length: steps }, (_, t) => f(t));
  const stepFactor = each((t) => (constantStep ? 1 : sigmaCum[t] / sigmaCum[0]));
  return {
    steps,
    a,
    sigma,
    aCum,
    sigmaCum,
    scale: each((t) => (t === steps - 1 ? 1 : a[t + 1])),
    stepFactor,
    stepVariance: each((t) => b2 * stepFactor[t] * sigma[t + 1] ** 2),
    tether: each((t) => (t === steps - 1 ? 0 : 0.5 * b2 * stepFactor[t])),
    weight: each((t) => sigma[1] / sigma[t + 1]),
  };
}
