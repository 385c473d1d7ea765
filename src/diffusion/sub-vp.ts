import { ConfigError } from '../core/errors.ts';
import { type Tensor, tf } from '../jit/tf.ts';

export interface SubVpConfig {
  /** β(t) = β_0 + t(β_1 − β_0) for t in [0, 1]. Defaults 0.1 and 20. */
  readonly betaMin?: number;
  readonly betaMax?: number;
  /** Smallest time ε_0 drawn in training. Default 1e-3 (for 2-D data). */
  readonly firstTime?: number;
}

/**
 * The sub-VP diffusion (Song et al. 2021): x_t = e^{−B/2}x + (1 − e^{−B})ε with
 * B(t) = β_0 t + ½(β_1−β_0)t² and g² = β(1 − e^{−2B}).
 */
export interface SubVp {
  /** ∫ g²/std² dt over [ε_0, 1] = 2 log( sinh(B(1)/2) / sinh(B(ε_0)/2) ). */
  readonly importanceTotal: number;
  /** β(t). */
  rate(t: number): number;
  /** B(t). */
  integral(t: number): number;
  /**
   * Times with density ∝ g²/std², from uniform `u` [B]: those under which likelihood weighting
   * becomes the plain weight std². Also the signal e^{−B/2} and std, all [B].
   */
  importanceTimes(u: Tensor): {
    readonly t: Tensor;
    readonly signal: Tensor;
    readonly std: Tensor;
  };
}

/** @throws ConfigError when not 0 < βmin <= βmax or ε_0 is outside (0, 1). */
export function subVp(config: SubVpConfig = {}): SubVp {
  const { betaMin = 0.1, betaMax = 20, firstTime = 1e-3 } = config;
  if (!(betaMin > 0 && betaMax > betaMin)) {
    throw new ConfigError(`subVp: need 0 < betaMin < betaMax, got ${betaMin} and ${betaMax}`);
  }
  if (!(firstTime > 0 && firstTime < 1)) {
    throw new ConfigError(`subVp: firstTime must be in (0, 1), got ${firstTime}`);
  }
  const slope = betaMax - betaMin;
  const integral = (t: number) => betaMin * t + 0.5 * slope * t * t;
  const first = Math.log(Math.sinh(integral(firstTime) / 2));
  const last = Math.log(Math.sinh(integral(1) / 2));
  return {
    rate: (t) => betaMin + slope * t,
    integral,
    importanceTotal: 2 * (last - first),
    importanceTimes(u) {
      // sinh(B/2) runs geometrically from its first to its last value.
      const s = tf.exp(tf.add(tf.mul(u, last - first), first));
      // asinh through log1p, which keeps the digits of a small s.
      const root = tf.sqrt(tf.add(tf.square(s), 1));
      const half = tf.log1p(tf.add(s, tf.div(tf.square(s), tf.add(root, 1))));
      const b = tf.mul(half, 2);
      const t = tf.div(tf.sub(tf.sqrt(tf.add(tf.mul(b, 2 * slope), betaMin ** 2)), betaMin), slope);
      const signal = tf.exp(tf.neg(half));
      // 1 − e^{−B} = 2·e^{−B/2}·sinh(B/2), without the difference.
      return { t, signal, std: tf.mul(tf.mul(signal, s), 2) };
    },
  };
}
