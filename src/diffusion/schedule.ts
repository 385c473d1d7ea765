import { ConfigError, unknownName } from '../core/errors.ts';

/** What fixes a noise schedule of T steps. */
export interface ScheduleConfig {
  /** T, the number of steps; levels are 0..T. */
  readonly steps: number;
  /** Range of β(τ). For `geometric` the range of the variance itself. */
  readonly betaMin: number;
  readonly betaMax: number;
  /** `vp`: eq. (47), 1 − exp(−½τ²(βmax−βmin) − τβmin). `geometric`: βmin·(βmax/βmin)^τ. */
  readonly variance?: 'vp' | 'geometric';
  /**
   * `uniform`: τ_k = ε + (1−ε)k/T. `first-stage`: the LSUN schedule taken from diffusion recovery
   * likelihood, τ_k = k·⌊1000/(2(T−1))⌋/999 for k < T and τ_T = 1, which spends its steps on low
   * noise.
   */
  readonly times?: 'uniform' | 'first-stage';
  /** ε of the uniform times. The released code uses 1e-3 (default), the paper's text 0. */
  readonly firstTime?: number;
  /**
   * Upper bound of β_k for k ≥ 1. The image code clamps at 0.999, the toy code does not (default).
   * It matters for LSUN, and for T ≤ 2 with βmax = 20.
   */
  readonly maxBeta?: number;
}

/** A schedule in float64. Arrays of T+1 entries, levels k = 0..T. */
export interface Schedule {
  readonly steps: number;
  /** τ_k in [0, 1]. */
  readonly times: Float64Array;
  /** β_k, with β_0 = σ²(τ_0): level 0 already carries that little noise. */
  readonly betas: Float64Array;
  /** √(1−β_k): the signal kept in step k. */
  readonly a: Float64Array;
  /** √β_k. */
  readonly sigma: Float64Array;
  /** ᾱ_k = ∏_{j≤k}(1−β_j), β_0 included. */
  readonly alphaBars: Float64Array;
  /** √ᾱ_k: the signal left at level k. */
  readonly aCum: Float64Array;
  /** √(1−ᾱ_k): the noise at level k. */
  readonly sigmaCum: Float64Array;
}

/** Ranges of the paper (Table 10) and, where it is silent, of the released code. */
const SCHEDULES = {
  /** Default of the toy script. At T its noise variance is only 0.054, far from N(0, I). */
  toy: { steps: 4, betaMin: 0.01, betaMax: 0.1 },
  mnist: { steps: 4, betaMin: 0.1, betaMax: 10, maxBeta: 0.999 },
  cifar10: { steps: 4, betaMin: 0.1, betaMax: 20, maxBeta: 0.999 },
  celeba64: { steps: 4, betaMin: 0.1, betaMax: 20, maxBeta: 0.999 },
  lsun128: { steps: 4, betaMin: 0.1, betaMax: 20, maxBeta: 0.999, times: 'first-stage' },
} as const satisfies Record<string, ScheduleConfig>;

/** @throws ConfigError for a name that has no schedule. */
export function scheduleConfig(name: string): ScheduleConfig {
  const found = (SCHEDULES as Record<string, ScheduleConfig>)[name];
  if (found === undefined) throw unknownName('schedule', name, Object.keys(SCHEDULES));
  return found;
}

/**
 * The forward process of DDAEBM (eqs. 4, 47, 48): β_k = 1 − (1−σ²(τ_k))/(1−σ²(τ_{k−1})) for k ≥ 1
 * and β_0 = σ²(τ_0). Without a clamp ᾱ_k = 1 − σ²(τ_k) exactly.
 * @throws ConfigError for a number of steps below 1 or a range that is not 0 < βmin ≤ βmax.
 */
export function noiseSchedule(config: ScheduleConfig): Schedule {
  const { steps, betaMin, betaMax, variance = 'vp', maxBeta = 1 } = config;
  if (!Number.isInteger(steps) || steps < 1) {
    throw new ConfigError(`noiseSchedule: steps must be a positive integer, got ${steps}`);
  }
  if (!(betaMin > 0 && betaMax >= betaMin)) {
    throw new ConfigError(
      `noiseSchedule: need 0 < betaMin <= betaMax, got betaMin ${betaMin} and betaMax ${betaMax}`,
    );
  }
  const times = discreteTimes(config);
  const signal = times.map((tau) =>
    variance === 'vp'
      ? Math.exp(-0.5 * tau * tau * (betaMax - betaMin) - tau * betaMin)
      : 1 - betaMin * (betaMax / betaMin) ** tau,
  );
  const betas = signal.map((s, k) => (k === 0 ? 1 - s : Math.min(maxBeta, 1 - s / signal[k - 1])));
  const alphaBars = betas.map((b) => 1 - b);
  for (let k = 1; k <= steps; k++) alphaBars[k] *= alphaBars[k - 1];
  return {
    steps,
    times,
    betas,
    a: betas.map((b) => Math.sqrt(1 - b)),
    sigma: betas.map(Math.sqrt),
    alphaBars,
    aCum: alphaBars.map(Math.sqrt),
    sigmaCum: alphaBars.map((ab) => Math.sqrt(1 - ab)),
  };
}

function discreteTimes({ steps, times = 'uniform', firstTime = 1e-3 }: ScheduleConfig) {
  if (times === 'uniform') {
    return Float64Array.from(
      { length: steps + 1 },
      (_, k) => firstTime + ((1 - firstTime) * k) / steps,
    );
  }
  if (steps < 2) {
    throw new ConfigError(`noiseSchedule: 'first-stage' times need at least 2 steps, got ${steps}`);
  }
  const stride = Math.floor(1000 / (2 * (steps - 1)));
  return Float64Array.from({ length: steps + 1 }, (_, k) => (k < steps ? (k * stride) / 999 : 1));
}
