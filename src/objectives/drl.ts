import { ConfigError } from '../core/errors.ts';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { sumPerSample } from '../diffusion/gaussian.ts';
import { gatherLevels, levelTable } from '../diffusion/levels.ts';
import {
  type RecoveryConfig,
  type RecoverySchedule,
  recoverySchedule,
} from '../diffusion/recovery.ts';
import { grad, stopGradient, valueAndGrad } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import type { SpectralEnergyNetwork } from '../models/drl-resnet.ts';
import type { EnergyNetwork } from '../models/network.ts';
import { type ToyConfig, toyEnergy } from '../models/toy.ts';
import { initialise } from '../nn/initialise.ts';
import { type Params, shapesOf } from '../nn/params.ts';
import type { AdamConfig } from '../optim/adam.ts';
import { flatLayout, pack, packTensors, unpack } from '../optim/flat.ts';
import { type GameState, playersIo } from './game.ts';
import type { HostState, Objective } from './objective.ts';
import { player } from './player.ts';

export interface DrlConfig {
  /** Samples per step. Default 200. */
  readonly batch?: number;
  /** Shape of one sample. Default [2]. */
  readonly dataShape?: readonly number[];
  readonly schedule?: RecoveryConfig;
  /** K, Langevin steps of a chain. Default 30. */
  readonly chainSteps?: number;
  /** Default: DDAEBM's toy energy. Its weights may be spectrally normalised (`drlResNet`). */
  readonly network?: ToyConfig | EnergyNetwork | SpectralEnergyNetwork;
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

/** The objective with what draws samples level by level, without one graph for all levels. */
export interface Drl extends Objective<DrlState> {
  readonly schedule: RecoverySchedule;
  /** Numbers of the energy network. */
  readonly parameterCount: number;
  /** What `energy` and `sample` bind: averaged, spectrally normalised. Traceable. */
  evaluationParams(state: DrlState): Params;
  /** f(y_t, t), [B], for y [B, ...] and its levels t [B] (int32). Traceable. */
  levelEnergy(params: Params, y: Tensor, t: Tensor): Tensor;
  /**
   * y^K of the chains that start at x_{t+1} [B, ...], for levels t [B] (int32) and normal draws
   * [K, B, ...]; divided by a_{t+1} below the top level it is x_t. Traceable.
   */
  levelChain(params: Params, xNext: Tensor, t: Tensor, noise: Tensor): Tensor;
}

/** State of the game and the vectors of the spectral norms, as one vector. */
export interface DrlState<L = Tensor> extends GameState<'energy', L> {
  readonly spectral?: L;
}

/**
 * The states y^0 = x_{t+1}, …, y^K of a Langevin chain, y ← y + ½∇f − ½c²b²(y − x_{t+1}) + δ·ε, one
 * step for each row of `noise`; without gradient. `tether` is ½c²b², 0 at the top level.
 */
export function recoveryChain(
  f: (y: Tensor) => Tensor,
  xNext: Tensor,
  at: { readonly tether: Tensor | number; readonly delta: Tensor | number },
  noise: Tensor,
): Tensor[] {
  const force = grad((y: Tensor) => tf.sum(f(y)));
  const states = [xNext];
  for (const row of tf.unstack(noise, 0)) {
    const y = states[states.length - 1];
    const pull = tf.mul(tf.sub(y, xNext), at.tether);
    const drift = tf.sub(tf.mul(force(y), 0.5), pull);
    states.push(stopGradient(tf.add(tf.add(y, drift), tf.mul(row, at.delta))));
  }
  return states;
}

/** Power iterations before sampling, where averaged weights meet vectors that are not averaged. */
const SAMPLING_ITERATIONS = 3;

/**
 * Diffusion recovery likelihood (Gao et al., ICLR 2021): for each level t an energy f of
 * y_t = a_{t+1}x_t, whose conditional density given x_{t+1} is
 * f(y, t)/δ_t² − |y − x_{t+1}|²/(2σ_{t+1}²). Negatives come from K Langevin steps started at
 * x_{t+1}; loss mean w_t·[f(y⁻) − f(y⁺)], no gradient through the chain.
 */
export function drl(config: DrlConfig = {}): Drl {
  const { batch = 200, dataShape = [2], chainSteps = 30, ema = 0.999, temperature = 0.01 } = config;
  const data = [batch, ...dataShape];
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
  const network = resolveNetwork(config.network ?? {}, dataShape);
  const spectral =
    'spectral' in network ? { network, layout: flatLayout(shapesOf(network.spectral)) } : undefined;
  const players = {
    energy: player({
      networks: { energy: network },
      adam: { learningRate: 1e-4, ...config.adam },
      ema,
    }),
  };

  const last = (states: readonly Tensor[]) => states[states.length - 1];
  /** Parameters ready to bind, and the vectors after `iterations` more power iterations. */
  const prepare = (flat: Tensor, vectors: Tensor | undefined, iterations: number) => {
    const params = players.energy.unpack(flat).energy;
    if (spectral === undefined || vectors === undefined) return { params, vectors };
    let unpacked: Params = unpack(spectral.layout, vectors);
    for (let i = 0; i < iterations; i++) unpacked = spectral.network.iterate(params, unpacked);
    return {
      params: spectral.network.normalise(params, unpacked),
      vectors: packTensors(spectral.layout, unpacked),
    };
  };
  const averaged = (state: DrlState) =>
    prepare(players.energy.averaged(state.energy), state.spectral, SAMPLING_ITERATIONS).params;
  const io = playersIo('drl', players);

  return {
    name: 'drl',
    schedule: s,
    parameterCount: players.energy.layout.total,
    batchShape: data,
    noise: {
      t: { kind: 'integers', shape: [batch], high: s.steps },
      x: { kind: 'normal', shape: data },
      xNext: { kind: 'normal', shape: data },
      chain: { kind: 'normal', shape: [chainSteps, ...data] },
    },
    ...io,
    init(seed) {
      const state = io.init(seed) as unknown as DrlState<HostTensor>;
      if (spectral === undefined) return state as unknown as HostState;
      const { layout } = spectral;
      const start = initialise(spectral.network.spectral, seed, 'drl/init/spectral');
      const vectors = hostTensor(pack(layout, start), [layout.total]);
      return { ...state, spectral: vectors } as unknown as HostState;
    },
    step(state, batchData, noise) {
      const { at, select } = gatherLevels(table, noise['t'], data.length);
      const time = { levels, select };
      const x = tf.add(tf.mul(batchData.data, at.aCum), tf.mul(noise['x'], at.sigmaCum));
      const xNext = tf.add(tf.mul(x, at.aNext), tf.mul(noise['xNext'], at.sigmaNext));
      const positive = tf.mul(x, at.scale);
      const now = prepare(state.energy.params, state.spectral, 1);
      const f = network.bind(now.params, time);
      const negative = last(recoveryChain(f, xNext, at, noise['chain']));
      const weight = tf.reshape(at.weight, [batch]);
      const { value, grad: gradient } = valueAndGrad((flat: Tensor) => {
        const g = network.bind(prepare(flat, now.vectors, 0).params, time);
        return tf.mean(tf.mul(tf.sub(g(negative), g(positive)), weight));
      })(state.energy.params);
      return {
        state: {
          energy: players.energy.update(state.energy, gradient),
          ...(now.vectors !== undefined && { spectral: now.vectors }),
        },
        metrics: {
          energyLoss: value,
          displacement: tf.mean(tf.sqrt(sumPerSample(tf.square(tf.sub(negative, xNext))))),
        },
      };
    },
    energy(state, x, t = 0) {
      const f = network.bind(averaged(state), { levels: [t] });
      return tf.mul(f(tf.mul(x, s.scale[t])), temperature / s.stepVariance[t]);
    },
    sampleNoise: (n) => ({
      start: { kind: 'normal', shape: [n, ...dataShape] },
      chain: { kind: 'normal', shape: [s.steps, chainSteps, n, ...dataShape] },
    }),
    sample(state, noise) {
      const params = averaged(state);
      const rows = tf.unstack(noise['chain'], 0);
      let x = noise['start'];
      for (let t = s.steps - 1; t >= 0; t--) {
        const f = network.bind(params, { levels: [t] });
        const at = { tether: s.tether[t], delta: Math.sqrt(s.stepVariance[t]) };
        const y = last(recoveryChain(f, x, at, rows[t]));
        x = tf.div(y, s.scale[t]);
      }
      return x;
    },
    evaluationParams: averaged,
    levelEnergy(params, y, t) {
      const { select } = gatherLevels(table, t, data.length);
      return network.bind(params, { levels, select })(y);
    },
    levelChain(params, xNext, t, noise) {
      const { at, select } = gatherLevels(table, t, data.length);
      return last(recoveryChain(network.bind(params, { levels, select }), xNext, at, noise));
    },
  };
}

function resolveNetwork(
  network: ToyConfig | EnergyNetwork | SpectralEnergyNetwork,
  dataShape: readonly number[],
): EnergyNetwork | SpectralEnergyNetwork {
  if ('bind' in network) return network;
  if (dataShape.length !== 1) {
    throw new ConfigError(
      `drl: the toy network takes vectors, dataShape is [${dataShape}]; pass a network for images`,
    );
  }
  return toyEnergy({ ...network, dim: dataShape[0] });
}
