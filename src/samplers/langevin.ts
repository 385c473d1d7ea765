import { ConfigError } from '../core/errors.ts';
import { sumPerSample } from '../diffusion/gaussian.ts';
import { stopGradient, valueAndGrad } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';

/** log-density up to a constant, [B, ...] → [B]; samples must not influence each other. */
export type LogDensity = (x: Tensor) => Tensor;

export interface LangevinConfig {
  /** ε: x ← x + ½ε∇log p + √ε·noise, in squared units of x. */
  readonly stepSize: number;
  /**
   * Metropolis-adjusted (MALA): a proposal is kept with probability
   * min(1, p(x′)q(x|x′) / p(x)q(x′|x)), which removes the bias of the step size.
   */
  readonly adjusted?: boolean;
}

/** `logDensity` and `gradient` belong to `x`. */
export interface LangevinState {
  readonly x: Tensor;
  readonly logDensity: Tensor;
  readonly gradient: Tensor;
}

export interface LangevinNoise {
  /** Standard normal, shape of x. */
  readonly normal: Tensor;
  /** Uniform in [0, 1), [B]; only with `adjusted`. */
  readonly uniform?: Tensor;
}

export interface Langevin {
  init(logDensity: LogDensity, x: Tensor): LangevinState;
  /** One step. `accepted` is 1 per sample that moved ([B]), always 1 without adjustment. */
  step(
    logDensity: LogDensity,
    state: LangevinState,
    noise: LangevinNoise,
  ): { readonly state: LangevinState; readonly accepted: Tensor };
}

/**
 * Langevin dynamics as a pure function of state and noise (unadjusted, or MALA after Roberts &
 * Tweedie 1996). Not differentiated through: the chain is data to whatever uses it.
 * @throws ConfigError for a step size that is not positive.
 */
export function langevin(config: LangevinConfig): Langevin {
  const { stepSize, adjusted = false } = config;
  if (!(stepSize > 0)) {
    throw new ConfigError(`langevin: stepSize must be positive, got ${stepSize}`);
  }
  const init = (logDensity: LogDensity, x: Tensor): LangevinState => {
    const { grad, aux } = valueAndGrad(
      (y: Tensor) => {
        const values = logDensity(y);
        return [tf.sum(values), values] as const;
      },
      { hasAux: true },
    )(x);
    return stopGradient({ x, logDensity: aux, gradient: grad });
  };
  const drifted = (s: LangevinState) => tf.add(s.x, tf.mul(s.gradient, 0.5 * stepSize));
  /** log q(to | from) up to a constant. */
  const logProposal = (to: Tensor, from: LangevinState) =>
    tf.mul(sumPerSample(tf.square(tf.sub(to, drifted(from)))), -0.5 / stepSize);

  return {
    init,
    step(logDensity, state, noise) {
      const moved = tf.add(drifted(state), tf.mul(noise.normal, Math.sqrt(stepSize)));
      const proposal = init(logDensity, moved);
      const batch = state.x.shape[0];
      if (!adjusted) return { state: proposal, accepted: tf.ones([batch]) };
      if (noise.uniform === undefined) {
        throw new ConfigError('langevin: an adjusted step needs noise.uniform of shape [B]');
      }
      const logRatio = tf.sub(
        tf.add(proposal.logDensity, logProposal(state.x, proposal)),
        tf.add(state.logDensity, logProposal(proposal.x, state)),
      );
      // u < e^r as log u < r: no overflow, and a NaN ratio rejects.
      const accept = tf.less(tf.log(noise.uniform), logRatio);
      const perSample = tf.reshape(accept, [batch, ...state.x.shape.slice(1).map(() => 1)]);
      return {
        state: {
          x: tf.where(perSample, proposal.x, state.x),
          logDensity: tf.where(accept, proposal.logDensity, state.logDensity),
          gradient: tf.where(perSample, proposal.gradient, state.gradient),
        },
        accepted: tf.cast(accept, 'float32'),
      };
    },
  };
}

/** `count` steps; `noise.normal` is [count, B, ...] and `noise.uniform` [count, B]. */
export function langevinChain(
  sampler: Langevin,
  logDensity: LogDensity,
  start: Tensor,
  noise: LangevinNoise,
): { readonly state: LangevinState; readonly acceptance: Tensor } {
  const normals = tf.unstack(noise.normal, 0);
  const uniforms = noise.uniform && tf.unstack(noise.uniform, 0);
  let state = sampler.init(logDensity, start);
  const rates: Tensor[] = [];
  normals.forEach((normal, i) => {
    const next = sampler.step(logDensity, state, { normal, uniform: uniforms?.[i] });
    state = next.state;
    rates.push(tf.mean(next.accepted));
  });
  return { state, acceptance: tf.mean(tf.stack(rates)) };
}
