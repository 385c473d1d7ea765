import { hostTensor } from '../core/host-tensor.ts';
import { normal } from '../core/random.ts';
import { sumPerSample } from '../diffusion/gaussian.ts';
import { type SubVpConfig, subVp } from '../diffusion/sub-vp.ts';
import { grad, valueAndGrad } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { type ToyConfig, toyEnergy } from '../models/toy.ts';
import type { AdamConfig } from '../optim/adam.ts';
import { type GameState, playersIo } from './game.ts';
import type { Objective } from './objective.ts';
import { player } from './player.ts';

export interface ScoreFlowConfig {
  /** Samples per step. Default 200. */
  readonly batch?: number;
  readonly dim?: number;
  readonly diffusion?: SubVpConfig;
  /** Default: DDAEBM's toy energy, but SiLU (a PReLU energy has a piecewise constant score). */
  readonly network?: ToyConfig;
  /** Standard deviation of the random Fourier frequencies, for times in [0, 1]. Default 2. */
  readonly fourierScale?: number;
  /** Default: rate 1e-4, betas (0.9, 0.999). */
  readonly adam?: Partial<AdamConfig>;
  /** Decay of the average that `energy` evaluates. Default 0.999. */
  readonly ema?: number;
}

/** The frequencies are part of the architecture: the same for every seed of a run. */
const FOURIER_SEED = 0;

/** [sin 2πWt, cos 2πWt] with fixed W ~ N(0, scale²). */
function fourierFeatures(scale: number) {
  return (levels: readonly number[] | Tensor, dim: number): Tensor => {
    const half = dim / 2;
    const draws = normal({ seed: FOURIER_SEED, stream: 'score-flow/frequencies', step: 0 }, half);
    const frequencies = hostTensor(
      draws.map((w) => 2 * Math.PI * scale * w),
      [1, half],
    );
    const t = Array.isArray(levels) ? tf.tensor1d(levels) : (levels as Tensor);
    const angles = tf.mul(tf.reshape(t, [-1, 1]), tf.tensor(frequencies.data, [1, half]));
    return tf.concat([tf.sin(angles), tf.cos(angles)], 1);
  };
}

/**
 * Score flow (Song et al., NeurIPS 2021) with the score written as the gradient of an energy, as
 * DDAEBM compares it (App. C.1): s_θ = ∇_x f_θ(x, t) on the sub-VP diffusion, likelihood weighting
 * with importance-sampled times, which makes the loss (Z/2)·E|std·s_θ + ε|².
 */
export function scoreFlow(config: ScoreFlowConfig = {}): Objective<GameState<'energy'>> {
  const { batch = 200, dim = 2, fourierScale = 2, ema = 0.999 } = config;
  const diffusion = subVp(config.diffusion);
  const firstTime = config.diffusion?.firstTime ?? 1e-3;
  const network = toyEnergy({
    activation: 'silu',
    embed: fourierFeatures(fourierScale),
    ...config.network,
    dim,
  });
  const players = {
    energy: player({
      networks: { energy: network },
      adam: { learningRate: 1e-4, ...config.adam },
      ema,
    }),
  };
  return {
    name: 'score-flow',
    batchShape: [batch, dim],
    noise: {
      time: { kind: 'uniform', shape: [batch] },
      noise: { kind: 'normal', shape: [batch, dim] },
    },
    ...playersIo('score-flow', players),
    step(state, { data }, noise) {
      const { t, signal, std } = diffusion.importanceTimes(noise['time']);
      const [a, s] = [signal, std].map((v) => tf.reshape(v, [batch, 1]));
      const x = tf.add(tf.mul(data, a), tf.mul(noise['noise'], s));
      const { value, grad: gradient } = valueAndGrad((flat: Tensor) => {
        const f = network.bind(players.energy.unpack(flat).energy, { levels: t });
        const score = grad((y: Tensor) => tf.sum(f(y)))(x);
        const residual = tf.add(tf.mul(score, s), noise['noise']);
        const loss = tf.mean(sumPerSample(tf.square(residual)));
        return tf.mul(loss, 0.5 * diffusion.importanceTotal);
      })(state.energy.params);
      return {
        state: { energy: players.energy.update(state.energy, gradient) },
        metrics: { energyLoss: value },
      };
    },
    energy(state, x, t = firstTime) {
      const flat = players.energy.averaged(state.energy);
      return network.bind(players.energy.unpack(flat).energy, { levels: [t] })(x);
    },
  };
}
