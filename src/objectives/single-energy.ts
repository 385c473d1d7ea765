import type { HostTensor } from '../core/host-tensor.ts';
import { valueAndGrad } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { type Mlp, mlp } from '../models/mlp.ts';
import type { AdamConfig } from '../optim/adam.ts';
import type { HostState, Objective } from './objective.ts';
import { type PlayerState, player } from './player.ts';

/** An energy, LOW on data: [B, ...] → [B]. Samples must not influence each other. */
export type Energy = (x: Tensor) => Tensor;

export interface SingleEnergyState<L = Tensor> {
  readonly energy: PlayerState<L>;
}

/** The energy network of the 2-D density experiments: keys lin1 … lin5, 50,049 parameters. */
export function densityNetwork(dim = 2, width = 128): Mlp {
  return mlp({
    widths: [dim, width, width, width, width, 1],
    activation: 'softplus',
    layerName: (i) => `lin${i + 1}`,
  });
}

/** What the methods that train one energy network on one scalar loss have in common. */
export interface SingleEnergyConfig {
  readonly name: string;
  readonly batch: number;
  readonly dim: number;
  readonly network: Mlp;
  readonly adam: AdamConfig;
  readonly ema?: number;
  readonly noise: Objective['noise'];
  readonly loss: (energy: Energy, data: Tensor, noise: Readonly<Record<string, Tensor>>) => Tensor;
}

export function singleEnergyObjective(config: SingleEnergyConfig): Objective<SingleEnergyState> {
  const { network, batch, dim } = config;
  const side = player({ networks: { energy: network }, adam: config.adam, ema: config.ema });
  const energyOf = (flat: Tensor): Energy => {
    const params = side.unpack(flat).energy;
    return (x) => tf.reshape(network.apply(params, x), [x.shape[0]]);
  };
  return {
    name: config.name,
    batchShape: [batch, dim],
    noise: config.noise,
    init: (seed) => ({ energy: side.init(seed, `${config.name}/init`) }) as unknown as HostState,
    step(state, data, noise) {
      const { value, grad } = valueAndGrad((flat: Tensor) =>
        config.loss(energyOf(flat), data.data, noise),
      )(state.energy.params);
      return { state: { energy: side.update(state.energy, grad) }, metrics: { loss: value } };
    },
    energy(state, x) {
      return tf.neg(energyOf(side.averaged(state.energy))(x));
    },
    exportNetworks: (state, average) =>
      side.exportNetworks((state as unknown as SingleEnergyState<HostTensor>).energy, average),
    importNetworks(state, dicts) {
      const s = state as unknown as SingleEnergyState<HostTensor>;
      return { energy: side.importNetworks(s.energy, dicts) } as unknown as HostState;
    },
  };
}
