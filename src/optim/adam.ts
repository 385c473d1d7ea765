import { ConfigError } from '../core/errors.ts';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { type Tensor, tf } from '../jit/tf.ts';

export interface AdamConfig {
  /** Start value of `learningRate` in the state. */
  readonly learningRate: number;
  /** Decay of the first and second moment, each in [0, 1). Default (0.9, 0.999). */
  readonly betas?: readonly [number, number];
  /** Added to the root of the second moment. Default 1e-8. */
  readonly eps?: number;
  /** L2 penalty added to the gradient (not decoupled, as PyTorch's `Adam`). Default 0. */
  readonly weightDecay?: number;
  /** Divide by the largest second moment so far (Reddi et al. 2018). Default false. */
  readonly amsgrad?: boolean;
}

/**
 * `L` is `Tensor` in a step, `HostTensor` in memory. All moments are vectors as long as the
 * parameters; the rest are scalars.
 */
export interface AdamState<L = Tensor> {
  readonly learningRate: L;
  readonly m: L;
  readonly v: L;
  /** Running maximum of `v`; only with amsgrad. */
  readonly vMax?: L;
  /** 1 − β1^k and 1 − β2^k after k steps. */
  readonly correction1: L;
  readonly correction2: L;
}

export interface Adam {
  init(size: number): AdamState<HostTensor>;
  /** One update of the flat vector `params`. Traceable. */
  step(
    state: AdamState,
    params: Tensor,
    gradient: Tensor,
  ): { readonly params: Tensor; readonly state: AdamState };
}

/**
 * Smallest second moment kept. With β2 = 0.9 the moment of a dead unit would fall below the
 * normal float32 range (1e-38) within 1000 steps, and arithmetic on such numbers is many times
 * slower. The root of this floor, 1e-15, is far below any `eps`, so no update changes.
 */
const SECOND_MOMENT_FLOOR = 1e-30;

/**
 * Adam (Kingma & Ba 2015) with the semantics of PyTorch's `torch.optim.Adam`:
 * m ← β1 m + (1−β1) g, v ← β2 v + (1−β2) g², p ← p − lr/(1−β1^k) · m / (√(v/(1−β2^k)) + eps).
 *
 * The corrections 1 − β^k are carried as the same moving average applied to ones: forming them
 * from β^k in float32 loses digits in the first steps.
 * @throws ConfigError for a β outside [0, 1) or a negative rate, eps or decay.
 */
export function adam(config: AdamConfig): Adam {
  const { learningRate, eps = 1e-8, weightDecay = 0, amsgrad = false } = config;
  const [beta1, beta2] = config.betas ?? [0.9, 0.999];
  for (const [name, beta] of [
    ['beta1', beta1],
    ['beta2', beta2],
  ] as const) {
    if (!(beta >= 0 && beta < 1))
      throw new ConfigError(`adam: ${name} must be in [0, 1), got ${beta}`);
  }
  for (const [name, value] of Object.entries({ learningRate, eps, weightDecay })) {
    if (!(value >= 0)) throw new ConfigError(`adam: ${name} must not be negative, got ${value}`);
  }

  const average = (old: Tensor, value: Tensor | number, beta: number): Tensor =>
    tf.add(tf.mul(old, beta), typeof value === 'number' ? value : tf.mul(value, 1 - beta));

  return {
    init(size) {
      const zeros = () => hostTensor(new Float32Array(size), [size]);
      return {
        learningRate: scalar(learningRate),
        m: zeros(),
        v: zeros(),
        ...(amsgrad && { vMax: zeros() }),
        correction1: scalar(0),
        correction2: scalar(0),
      };
    },
    step(state, params, gradient) {
      const g = weightDecay === 0 ? gradient : tf.add(gradient, tf.mul(params, weightDecay));
      const m = beta1 === 0 ? g : average(state.m, g, beta1);
      const v = tf.maximum(average(state.v, tf.square(g), beta2), SECOND_MOMENT_FLOOR);
      const correction1 = average(state.correction1, 1 - beta1, beta1);
      const correction2 = average(state.correction2, 1 - beta2, beta2);
      const vMax = amsgrad ? tf.maximum(state.vMax as Tensor, v) : undefined;
      // √(v/c2) + eps = (√v + eps·√c2)/√c2: the root of the correction joins the scalar factor.
      const root = tf.sqrt(correction2);
      const rate = tf.div(tf.mul(state.learningRate, root), correction1);
      const denominator = tf.add(tf.sqrt(vMax ?? v), tf.mul(root, eps));
      return {
        params: tf.sub(params, tf.mul(tf.div(m, denominator), rate)),
        state: {
          learningRate: state.learningRate,
          m,
          v,
          ...(vMax && { vMax }),
          correction1,
          correction2,
        },
      };
    },
  };
}

function scalar(value: number): HostTensor {
  return hostTensor(Float32Array.of(value), []);
}
