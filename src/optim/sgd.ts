import { ConfigError } from '../core/errors.ts';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { type Tensor, tf } from '../jit/tf.ts';

export interface SgdConfig {
  readonly learningRate: number;
  /** Share of the previous velocity kept, in [0, 1). Default 0. */
  readonly momentum?: number;
  /** L2 penalty added to the gradient. Default 0. */
  readonly weightDecay?: number;
}

export interface SgdState<L = Tensor> {
  readonly learningRate: L;
  readonly velocity: L;
}

export interface Sgd {
  init(size: number): SgdState<HostTensor>;
  /** One update of the flat vector `params`. Traceable. */
  step(
    state: SgdState,
    params: Tensor,
    gradient: Tensor,
  ): { readonly params: Tensor; readonly state: SgdState };
}

/**
 * Gradient descent with momentum, PyTorch's form: u ← μ u + g, p ← p − lr·u.
 * @throws ConfigError for a momentum outside [0, 1) or a negative rate or decay.
 */
export function sgd(config: SgdConfig): Sgd {
  const { learningRate, momentum = 0, weightDecay = 0 } = config;
  if (!(momentum >= 0 && momentum < 1)) {
    throw new ConfigError(`sgd: momentum must be in [0, 1), got ${momentum}`);
  }
  for (const [name, value] of Object.entries({ learningRate, weightDecay })) {
    if (!(value >= 0)) throw new ConfigError(`sgd: ${name} must not be negative, got ${value}`);
  }
  return {
    init: (size) => ({
      learningRate: hostTensor(Float32Array.of(learningRate), []),
      velocity: hostTensor(new Float32Array(size), [size]),
    }),
    step(state, params, gradient) {
      const g = weightDecay === 0 ? gradient : tf.add(gradient, tf.mul(params, weightDecay));
      const velocity = momentum === 0 ? g : tf.add(tf.mul(state.velocity, momentum), g);
      return {
        params: tf.sub(params, tf.mul(velocity, state.learningRate)),
        state: { learningRate: state.learningRate, velocity },
      };
    },
  };
}
