import { ConfigError } from '../core/errors.ts';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { type Tensor, tf } from '../jit/tf.ts';

/** `started` is 0 before the first update and 1 after it. */
export interface EmaState<L = Tensor> {
  readonly average: L;
  readonly started: L;
}

/** The state before the first update, for a parameter vector of `size`. */
export function emaInit(size: number): EmaState<HostTensor> {
  return {
    average: hostTensor(new Float32Array(size), [size]),
    started: hostTensor(Float32Array.of(0), []),
  };
}

/**
 * Exponential moving average of parameters, taken AFTER each optimiser step:
 * average ← d·average + (1−d)·params. The first update copies the parameters; no bias correction,
 * no warm-up (the EMA of DDGAN and DDAEBM). Traceable.
 * @throws ConfigError when the decay is outside [0, 1].
 */
export function emaStep(decay: number, state: EmaState, params: Tensor): EmaState {
  if (!(decay >= 0 && decay <= 1)) {
    throw new ConfigError(`emaStep: decay must be in [0, 1], got ${decay}`);
  }
  const kept = tf.mul(state.started, decay);
  return {
    average: tf.add(tf.mul(state.average, kept), tf.mul(params, tf.sub(1, kept))),
    started: tf.maximum(state.started, 1),
  };
}
