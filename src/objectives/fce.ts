import { hostTensor } from '../core/host-tensor.ts';
import { stopGradient, valueAndGrad } from '../jit/grad.ts';
import { rankMean } from '../jit/ranks.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { glowPlane, type PlaneFlow } from '../models/glow.ts';
import type { NetworkSpec } from '../models/network.ts';
import type { Params } from '../nn/params.ts';
import { type GameState, playersIo } from './game.ts';
import type { HostState, Objective } from './objective.ts';
import { type PlayerState, player } from './player.ts';
import { type ToyGameConfig, toyGame } from './toy-game.ts';

export interface FceConfig extends Omit<ToyGameConfig, 'generator' | 'latentDim'> {
  /** Default: Glow with five blocks of the game's width. */
  readonly flow?: PlaneFlow;
  /** Iterations of maximum likelihood that the flow takes first. Default 5000. */
  readonly pretraining?: number;
  /** The flow moves once the energy tells data from flow with this accuracy … Default 0.525. */
  readonly accuracy?: number;
  /** … or has had this many steps since. Default 5. */
  readonly patience?: number;
}

/** `energy` holds f_θ and its log-normaliser c; the counters are scalars. */
export interface FceState<L = Tensor> extends GameState<'energy' | 'flow', L> {
  readonly iteration: L;
  /** Energy steps since the flow last moved. */
  readonly waited: L;
}

/**
 * Flow contrastive estimation (Gao et al., CVPR 2020). With p_θ = e^{f_θ − c} and a flow q_φ,
 * V = E_p log[p_θ/(p_θ+q_φ)] + E_q log[q_φ/(p_θ+q_φ)] is raised by energy and c and lowered by the
 * flow, whose gradient runs through its samples and its density.
 *
 * The energy steps at each iteration; the flow only when the energy is good enough. Both updates
 * are computed and the flow's is kept or dropped by a mask, since a compiled step has no branches.
 */
export function fce(config: FceConfig = {}): Objective<FceState> {
  const { pretraining = 5000, accuracy: wanted = 0.525, patience = 5 } = config;
  const game = toyGame('fce', { ...config, latentDim: 2 });
  const { batch, dim, width } = game;
  const flow = config.flow ?? glowPlane(5, width);
  const normaliser: NetworkSpec = {
    params: { log_normaliser: { shape: [1], init: { kind: 'constant', value: 0 } } },
    buffers: {},
    norms: [],
    idleNorms: [],
  };
  const players = {
    energy: player({
      networks: { energy: game.energyNet, normaliser },
      adam: game.energyAdam,
    }),
    flow: player({ networks: { flow }, adam: game.generatorAdam }),
  };
  const io = playersIo('fce', players);
  const count = () => hostTensor(Float32Array.of(0), []);

  /** log p_θ(x) − log q_φ(x), [B]. */
  const logRatio = (energy: Record<'energy' | 'normaliser', Params>, q: Params, x: Tensor) => {
    const logP = tf.sub(game.energy(energy.energy)(x), energy.normaliser['log_normaliser']);
    return tf.sub(logP, flow.logDensity(q, x));
  };

  return {
    name: 'fce',
    batchShape: [batch, dim],
    noise: { z: { kind: 'normal', shape: [batch, 2] } },
    ...io,
    init: (seed) =>
      ({ ...(io.init(seed) as object), iteration: count(), waited: count() }) as HostState,
    step(state, { data }, noise) {
      const before = players.flow.unpack(state.flow.params).flow;
      const fake = stopGradient(flow.sample(before, noise['z']));
      const forEnergy = valueAndGrad(
        (flat: Tensor) => {
          const params = players.energy.unpack(flat);
          const real = logRatio(params, before, data);
          const made = logRatio(params, before, fake);
          const loss = tf.add(tf.mean(tf.softplus(tf.neg(real))), tf.mean(tf.softplus(made)));
          const right = tf.add(tf.mean(tf.step(real)), tf.mean(tf.step(tf.neg(made))));
          return [loss, { accuracy: rankMean(tf.mul(right, 0.5)) }] as const;
        },
        { hasAux: true },
      )(state.energy.params);
      const energy = players.energy.update(state.energy, forEnergy.grad);

      const learned = players.energy.unpack(energy.params);
      const warm = tf.cast(tf.less(state.iteration, pretraining), 'float32');
      const forFlow = valueAndGrad(
        (flat: Tensor) => {
          const q = players.flow.unpack(flat).flow;
          const likelihood = tf.mean(flow.logDensity(q, data));
          const x = flow.sample(q, noise['z']);
          // V = −E softplus(−ratio(data)) − E softplus(ratio(sample)).
          const value = tf.neg(
            tf.add(
              tf.mean(tf.softplus(tf.neg(logRatio(learned, q, data)))),
              tf.mean(tf.softplus(logRatio(learned, q, x))),
            ),
          );
          const loss = tf.sub(tf.mul(value, tf.sub(1, warm)), tf.mul(likelihood, warm));
          return [loss, { value, likelihood }] as const;
        },
        { hasAux: true },
      )(state.flow.params);
      const waited = tf.add(state.waited, 1);
      const good = tf.cast(tf.greater(forEnergy.aux.accuracy, wanted), 'float32');
      const late = tf.cast(tf.greaterEqual(waited, patience), 'float32');
      const moves = tf.maximum(warm, tf.maximum(good, late));
      const moved = players.flow.update(state.flow, forFlow.grad);
      return {
        state: {
          energy,
          flow: choose(moves, moved, state.flow),
          iteration: tf.add(state.iteration, 1),
          waited: tf.mul(waited, tf.sub(1, moves)),
        },
        metrics: {
          energyLoss: forEnergy.value,
          accuracy: forEnergy.aux.accuracy,
          flowLoss: forFlow.value,
          ...forFlow.aux,
          moves,
        },
      };
    },
    energy(state, x) {
      const params = players.energy.unpack(state.energy.params);
      return tf.sub(game.energy(params.energy)(x), params.normaliser['log_normaliser']);
    },
    sampleNoise: (n) => ({ z: { kind: 'normal', shape: [n, 2] } }),
    sample: (state, noise) => flow.sample(players.flow.unpack(state.flow.params).flow, noise['z']),
  };
}

/** The player's state after (mask 1) or before (mask 0) its update. */
function choose(mask: Tensor, after: PlayerState, before: PlayerState): PlayerState {
  const pick = (a: Tensor, b: Tensor) => tf.add(b, tf.mul(tf.sub(a, b), mask));
  const adam = Object.fromEntries(
    Object.keys(after.adam).map((key) => {
      const k = key as keyof typeof after.adam;
      return [k, pick(after.adam[k] as Tensor, before.adam[k] as Tensor)];
    }),
  ) as unknown as PlayerState['adam'];
  return { params: pick(after.params, before.params), adam };
}
