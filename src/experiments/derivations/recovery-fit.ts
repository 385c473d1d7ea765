import { ConfigError } from '../../core/errors.ts';
import { hostTensor } from '../../core/host-tensor.ts';
import { jit, type Tensor, tf, valueAndGrad } from '../../jit/index.ts';
import { type AdamState, adam } from '../../optim/adam.ts';
import { line, logIntegral, tabulate, type Values } from './line.ts';
import { logMixture } from './mixture.ts';
import { checkedLevel, logForward, marginal, type TestBed } from './test-bed.ts';

export interface RecoveryFitOptions {
  readonly t: number;
  /** Iterations of Adam. Default 400. */
  readonly steps?: number;
  /** Its learning rate. Default 0.1. */
  readonly rate?: number;
  /** Steps at which the density is kept. Default: at 0, 1 %, 2 % and 100 % of the steps. */
  readonly snapshots?: readonly number[];
}

export interface RecoveryFit {
  /** The points of x_t that all densities below belong to. */
  readonly x: Values;
  /** q(x_t). */
  readonly target: Values;
  /** e^E/Z after some numbers of steps. */
  readonly snapshots: readonly { readonly step: number; readonly density: Values }[];
  /** The objective (7) at every step, in nat. */
  readonly objective: readonly number[];
  /** Its greatest possible value. */
  readonly optimum: number;
}

/** Bumps of which the energy is made, on [−3.5, 3.5]. */
const BUMPS = 29;

/**
 * Maximises the recovery likelihood (7) over energies E = −x²/2 + Σ_j w_j·bump_j(x) by the engine,
 * with exact integrals: nothing is sampled, the marginal q(x_t) is never shown to it as a target.
 * @throws ConfigError for a level or a number of steps that cannot be.
 */
export function fitRecovery(bed: TestBed, options: RecoveryFitOptions): RecoveryFit {
  const { t, steps = 400, rate = 0.1 } = options;
  checkedLevel(bed, t);
  if (!Number.isInteger(steps) || steps < 1) {
    throw new ConfigError(`fitRecovery: steps must be a positive integer, got ${steps}`);
  }
  const kept = options.snapshots ?? [0, 0.01, 0.02, 1].map((u) => Math.round(u * steps));
  const on = line(-5, 5, 161);
  const spacing = 7 / (BUMPS - 1);
  const bumps = on.x.length * BUMPS;
  const basis = Float32Array.from({ length: bumps }, (_, at) => {
    const centre = -3.5 + spacing * (at % BUMPS);
    return Math.exp(-0.5 * ((on.x[Math.floor(at / BUMPS)] - centre) / spacing) ** 2);
  });
  const base = Float32Array.from(on.x, (x) => -0.5 * x * x);
  const forward = Float32Array.from({ length: on.x.length ** 2 }, (_, at) =>
    logForward(bed, t, on.x[at % on.x.length], on.x[Math.floor(at / on.x.length)]),
  );
  const q = tabulate(on, (x) => Math.exp(logMixture(marginal(bed, t), x)));
  const next = tabulate(on, (x) => Math.exp(logMixture(marginal(bed, t + 1), x)));
  const n = on.x.length;

  const energies = (weights: Tensor) =>
    tf.add(
      tf.reshape(tf.matMul(tf.tensor2d(basis, [n, BUMPS]), tf.reshape(weights, [BUMPS, 1])), [n]),
      tf.tensor1d(base),
    );
  const loss = (weights: Tensor) => {
    const e = energies(weights);
    const joint = tf.add(tf.tensor2d(forward, [n, n]), tf.reshape(e, [1, n]));
    const logZ = tf.add(tf.logSumExp(joint, 1), Math.log(on.step));
    const positive = tf.sum(tf.mul(tf.tensor1d(Float32Array.from(q)), e));
    const negative = tf.sum(tf.mul(tf.tensor1d(Float32Array.from(next)), logZ));
    return tf.mul(tf.sub(negative, positive), on.step);
  };
  const optimiser = adam({ learningRate: rate });
  const step = jit(
    (state: { weights: Tensor; adam: AdamState }) => {
      const { value, grad } = valueAndGrad(loss)(state.weights);
      const moved = optimiser.step(state.adam, state.weights, grad);
      return { state: { weights: moved.params, adam: moved.state }, value };
    },
    { name: 'recovery-fit/step' },
  ) as unknown as (state: unknown) => {
    state: { weights: Tensor; adam: AdamState };
    value: Tensor;
  };

  const snapshots: { step: number; density: Values }[] = [];
  const objective: number[] = [];
  let state: unknown = {
    weights: hostTensor(new Float32Array(BUMPS), [BUMPS]),
    adam: optimiser.init(BUMPS),
  };
  let weights: Float32Array = new Float32Array(BUMPS);
  for (let k = 0; k <= steps; k++) {
    if (kept.includes(k)) snapshots.push({ step: k, density: densityOf(weights) });
    if (k === steps) break;
    const result = step(state);
    objective.push(-result.value.dataSync()[0]);
    state = result.state;
    weights = result.state.weights.dataSync() as Float32Array;
  }

  function densityOf(w: Float32Array): Values {
    const e = Float64Array.from(base, (value, i) => {
      let sum = value;
      for (let j = 0; j < BUMPS; j++) sum += basis[i * BUMPS + j] * w[j];
      return sum;
    });
    const logZ = logIntegral(on, e);
    return e.map((value) => Math.exp(value - logZ));
  }

  // At e^E = q(x) the objective is E log q(x) − E log q(x′).
  const mean = (p: Values) => p.reduce((s, v) => s + v * Math.log(v), 0) * on.step;
  return { x: on.x, target: q, snapshots, objective, optimum: mean(q) - mean(next) };
}
