import type { HostTensor } from '../core/host-tensor.ts';
import { sumPerSample } from '../diffusion/gaussian.ts';
import { stopGradient, valueAndGrad } from '../jit/grad.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import type { Params } from '../nn/params.ts';
import type { HostState, Metrics, Objective, StateDicts } from './objective.ts';
import type { Passes, Player, PlayerState } from './player.ts';

/** The state of a method with several optimisers, by the names of its players. */
export type GameState<K extends string, L = Tensor> = { readonly [P in K]: PlayerState<L> };

/** The parts of an objective that follow from its players alone. */
export function playersIo<K extends string>(
  name: string,
  players: {
    readonly [P in K]: Pick<Player<string>, 'init' | 'exportNetworks' | 'importNetworks'>;
  },
): Required<Pick<Objective, 'init' | 'exportNetworks' | 'importNetworks'>> {
  const keys = Object.keys(players) as K[];
  const each = <T>(make: (key: K) => T) =>
    Object.fromEntries(keys.map((key) => [key, make(key)])) as Record<K, T>;
  return {
    init: (seed) => each((key) => players[key].init(seed, `${name}/init`)) as unknown as HostState,
    exportNetworks(state, average): StateDicts {
      const s = state as unknown as GameState<K, HostTensor>;
      return Object.assign({}, ...keys.map((key) => players[key].exportNetworks(s[key], average)));
    },
    importNetworks(state, dicts) {
      const s = state as unknown as GameState<K, HostTensor>;
      return {
        ...s,
        ...each((key) => players[key].importNetworks(s[key], dicts)),
      } as unknown as HostState;
    },
  };
}

/** A loss to lower, numbers to log, and the statistics that batch norms collected on the way. */
export type PlayerLoss<N extends string, M extends Metrics> = readonly [
  loss: Tensor,
  metrics: M,
  passes?: Readonly<Partial<Record<N, Passes>>>,
];

/** A player after its turn. */
export interface Turn<M extends Metrics = Metrics> {
  readonly state: PlayerState;
  /** Before the update. */
  readonly loss: Tensor;
  readonly metrics: M;
}

/** One player's turn: the gradient of its loss in all of its parameters, then its update. */
export function turn<N extends string, M extends Metrics>(
  side: Player<N>,
  state: PlayerState,
  loss: (networks: Record<N, Params>) => PlayerLoss<N, M>,
): Turn<M> {
  const { value, grad, aux } = valueAndGrad(
    (flat: Tensor) => {
      const [score, metrics, passes = {}] = loss(side.unpack(flat));
      return [score, { metrics, passes }] as const;
    },
    { hasAux: true },
  )(state.params);
  const passes = aux.passes as Readonly<Partial<Record<N, Passes>>>;
  return { state: side.update(state, grad, passes), loss: value, metrics: aux.metrics };
}

/**
 * The same with a batch in parts: the gradient, the loss and the numbers are means over the parts.
 * Each loss is a mean over its part, and all parts are equally large.
 */
export function turnInParts<N extends string, M extends Metrics>(
  side: Player<N>,
  state: PlayerState,
  losses: readonly ((networks: Record<N, Params>) => PlayerLoss<N, M>)[],
): Turn<M> {
  if (losses.length === 1) return turn(side, state, losses[0]);
  const share = 1 / losses.length;
  const parts = losses.map((loss) =>
    valueAndGrad(
      (flat: Tensor) => {
        const [score, metrics] = loss(side.unpack(flat));
        return [score, metrics] as const;
      },
      { hasAux: true },
    )(state.params),
  );
  const mean = (of: (part: (typeof parts)[number]) => Tensor) =>
    tf.mul(
      parts.map(of).reduce((sum, value) => tf.add(sum, value)),
      share,
    );
  const metrics = Object.fromEntries(
    Object.keys(parts[0].aux).map((name) => [name, mean((part) => part.aux[name])]),
  ) as unknown as M;
  return {
    state: side.update(
      state,
      mean((part) => part.grad),
    ),
    loss: mean((part) => part.value),
    metrics,
  };
}

/** What a step returns once energy and generator had their turns. */
export function endOfStep(energy: Turn, generator: Turn) {
  return {
    state: { energy: energy.state, generator: generator.state },
    metrics: {
      energyLoss: energy.loss,
      ...energy.metrics,
      generatorLoss: generator.loss,
      ...generator.metrics,
    },
  };
}

/** mean f(x) and ∇_x f per sample, in one forward and one backward pass. */
export function meanAndGradient(
  f: (x: Tensor) => Tensor,
  x: Tensor,
): { readonly mean: Tensor; readonly gradient: Tensor } {
  // Of the mean itself, so that the backward pass of a loss holding it is not done twice.
  const { value, grad } = valueAndGrad((y: Tensor) => tf.mean(f(y)))(x);
  return { mean: value, gradient: tf.mul(grad, x.shape[0]) };
}

export type EnergyLossMetrics = Readonly<Record<'realEnergy' | 'fakeEnergy' | 'penalty', Tensor>>;

/**
 * −mean f(data) + w·mean f(fake) + c·mean |∇f(data)|², minimised by an f that is high on data.
 * `fake` is held fixed.
 */
export function energyLoss(
  f: (x: Tensor) => Tensor,
  data: Tensor,
  fake: Tensor,
  penaltyWeight: number,
  fakeWeight = 1,
): readonly [Tensor, EnergyLossMetrics] {
  const real = meanAndGradient((x) => tf.neg(f(x)), data);
  const fakeEnergy = tf.mean(f(stopGradient(fake)));
  const penalty = tf.mul(meanSquaredNorm(real.gradient), penaltyWeight);
  const contrast = tf.add(real.mean, tf.mul(fakeEnergy, fakeWeight));
  return [tf.add(contrast, penalty), { realEnergy: tf.neg(real.mean), fakeEnergy, penalty }];
}

/** mean |g|² over the batch, the zero-centred gradient penalty without its factor. */
export function meanSquaredNorm(gradient: Tensor): Tensor {
  return tf.mean(sumPerSample(tf.square(gradient)));
}
