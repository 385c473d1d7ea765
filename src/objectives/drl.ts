import { gatherLevels, levelTable } from '../diffusion/levels.ts';
import { type RecoveryConfig, recoverySchedule } from '../diffusion/recovery.ts';
import { grad, stopGradient, valueAndGrad } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import type { TimeInput } from '../models/network.ts';
import { type ToyConfig, toyEnergy } from '../models/toy.ts';
import type { AdamConfig } from '../optim/adam.ts';
import { type GameState, playersIo } from './game.ts';
import type { Objective } from './objective.ts';
import { player } from './player.ts';

export interface DrlConfig {
  /** Samples per step. Default 200. */
  readonly batch?: number;
  readonly dim?: number;
  readonly schedule?: RecoveryConfig;
  /** K, Langevin steps of a chain. Default 30. */
  readonly chainSteps?: number;
  /** Default: DDAEBM's toy energy. */
  readonly network?: ToyConfig;
  /** Default: rate 1e-4, betas (0.9, 0.999). */
  readonly adam?: Partial<AdamConfig>;
  /** Decay of the average that `energy` and `sample` evaluate. Default 0.999. */
  readonly ema?: number;
  /**
   * Factor on f/δ_0² in `energy`. Trained on short chains, the density of level 0 is far too
   * steep; DDAEBM's comparison scales it by 0.01 (App. C.1). Default 0.01.
   */
  readonly temperature?: number;
}

/**
 * Diffusion recovery likelihood (Gao et al., ICLR 2021) on vectors: for each level t an energy f
 * of y_t = a_{t+1}x_t, whose conditional density given x_{t+1} is
 * f(y, t)/δ_t² − |y − x_{t+1}|²/(2σ_{t+1}²). Negatives come from K Langevin steps started at
 * x_{t+1}; loss mean w_t·[f(y⁻) − f(y⁺)], no gradient through the chain.
 */
export function drl(config: DrlConfig = {}): Objective<GameState<'energy'>> {
  const { batch = 200, dim = 2, chainSteps = 30, ema = 0.999, temperature = 0.01 } = config;
  const s = recoverySchedule(config.schedule);
  const levels = Array.from({ length: s.steps }, (_, t) => t);
  const table = levelTable({
    aCum: s.aCum.slice(0, s.steps),
    sigmaCum: s.sigmaCum.slice(0, s.steps),
    aNext: s.a.slice(1),
    sigmaNext: s.sigma.slice(1),
    scale: s.scale,
    tether: s.tether,
    delta: s.stepVariance.map(Math.sqrt),
    weight: s.weight,
  });
  const network = toyEnergy({ ...config.network, dim });
  const players = {
    energy: player({
      networks: { energy: network },
      adam: { learningRate: 1e-4, ...config.adam },
      ema,
    }),
  };

  /** y ← y + ½∇f − ½c²b²(y − x_{t+1}) + δ·ε, for each row of `noise`. */
  const chain = (
    f: (y: Tensor) => Tensor,
    xNext: Tensor,
    tether: Tensor | number,
    delta: Tensor | number,
    noise: Tensor,
  ): Tensor => {
    const force = grad((y: Tensor) => tf.sum(f(y)));
    let y = xNext;
    for (const row of tf.unstack(noise, 0)) {
      const pull = tf.mul(tf.sub(y, xNext), tether);
      const drift = tf.sub(tf.mul(force(y), 0.5), pull);
      y = stopGradient(tf.add(tf.add(y, drift), tf.mul(row, delta)));
    }
    return y;
  };
  const bound = (flat: Tensor, time: TimeInput) =>
    network.bind(players.energy.unpack(flat).energy, time);

  return {
    name: 'drl',
    batchShape: [batch, dim],
    noise: {
      t: { kind: 'integers', shape: [batch], high: s.steps },
      x: { kind: 'normal', shape: [batch, dim] },
      xNext: { kind: 'normal', shape: [batch, dim] },
      chain: { kind: 'normal', shape: [chainSteps, batch, dim] },
    },
    ...playersIo('drl', players),
    step(state, { data }, noise) {
      const { at, select } = gatherLevels(table, noise['t']);
      const time = { levels, select };
      const x = tf.add(tf.mul(data, at.aCum), tf.mul(noise['x'], at.sigmaCum));
      const xNext = tf.add(tf.mul(x, at.aNext), tf.mul(noise['xNext'], at.sigmaNext));
      const positive = tf.mul(x, at.scale);
      const now = bound(state.energy.params, time);
      const negative = chain(now, xNext, at.tether, at.delta, noise['chain']);
      const weight = tf.reshape(at.weight, [batch]);
      const { value, grad: gradient } = valueAndGrad((flat: Tensor) => {
        const f = bound(flat, time);
        return tf.mean(tf.mul(tf.sub(f(negative), f(positive)), weight));
      })(state.energy.params);
      return {
        state: { energy: players.energy.update(state.energy, gradient) },
        metrics: {
          energyLoss: value,
          displacement: tf.mean(tf.norm(tf.sub(negative, xNext), 2, 1)),
        },
      };
    },
    energy(state, x, t = 0) {
      const f = bound(players.energy.averaged(state.energy), { levels: [t] });
      return tf.mul(f(tf.mul(x, s.scale[t])), temperature / s.stepVariance[t]);
    },
    sampleNoise: (n) => ({
      start: { kind: 'normal', shape: [n, dim] },
      chain: { kind: 'normal', shape: [s.steps, chainSteps, n, dim] },
    }),
    sample(state, noise) {
      const flat = players.energy.averaged(state.energy);
      const rows = tf.unstack(noise['chain'], 0);
      let x = noise['start'];
      for (let t = s.steps - 1; t >= 0; t--) {
        const f = bound(flat, { levels: [t] });
        const y = chain(f, x, s.tether[t], Math.sqrt(s.stepVariance[t]), rows[t]);
        x = tf.div(y, s.scale[t]);
      }
      return x;
    },
  };
}
