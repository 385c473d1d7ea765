import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { rankMean } from '../jit/ranks.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import type { NetworkSpec } from '../models/network.ts';
import { BATCH_NORM_MOMENTUM } from '../nn/batch-norm.ts';
import { initialise } from '../nn/initialise.ts';
import { type ParamSpecs, type Params, prefixed, scoped, shapesOf } from '../nn/params.ts';
import { type AdamConfig, type AdamState, adam } from '../optim/adam.ts';
import { type EmaState, emaInit, emaStep } from '../optim/ema.ts';
import {
  type FlatLayout,
  flatLayout,
  pack,
  packTensors,
  unpack,
  unpackHost,
} from '../optim/flat.ts';
import type { StateDicts } from './objective.ts';

/** One optimiser and the networks it moves: the two sides of an adversarial game are two players. */
export interface PlayerConfig<N extends string> {
  readonly networks: Readonly<Record<N, NetworkSpec>>;
  readonly adam: AdamConfig;
  /** Decay of a moving average of the parameters; none by default. */
  readonly ema?: number;
}

/** `L` is `Tensor` in a step, `HostTensor` in memory. */
export interface PlayerState<L = Tensor> {
  /** All parameters as one vector. */
  readonly params: L;
  readonly adam: AdamState<L>;
  /** Running statistics of all batch norms as one vector; absent without batch norm. */
  readonly buffers?: L;
  /** Batches seen by each batch norm (float32 counts). */
  readonly batches?: L;
  readonly ema?: EmaState<L>;
}

/** Statistics that the forward passes of one network collected, in the order of the passes. */
export type Passes = readonly Readonly<Record<string, Tensor>>[];

export interface Player<N extends string> {
  readonly layout: FlatLayout;
  init(seed: number, stream: string): PlayerState<HostTensor>;
  /** Parameters of each network from the flat vector. Differentiable. */
  unpack(flat: Tensor): Record<N, Params>;
  /** The parameters to evaluate with: their average once it has started, else themselves. */
  averaged(state: PlayerState): Tensor;
  /** Running statistics of one network, for evaluation with them. */
  running(state: PlayerState, network: N): Params;
  /**
   * Adam, moving average and running statistics after one gradient; on several processes the mean
   * of theirs.
   */
  update(
    state: PlayerState,
    gradient: Tensor,
    passes?: Readonly<Partial<Record<N, Passes>>>,
  ): PlayerState;
  exportNetworks(state: PlayerState<HostTensor>, average?: boolean): StateDicts;
  importNetworks(state: PlayerState<HostTensor>, dicts: StateDicts): PlayerState<HostTensor>;
}

const COUNTER = 'num_batches_tracked';

export function player<N extends string>(config: PlayerConfig<N>): Player<N> {
  const names = Object.keys(config.networks) as N[];
  const specs = names.map((n) => config.networks[n]);
  const join = <T>(pick: (s: NetworkSpec) => Readonly<Record<string, T>>): Record<string, T> =>
    Object.assign({}, ...names.map((n, i) => prefixed(pick(specs[i]), `${n}.`)));
  const params = join((s) => s.params);
  const layout = flatLayout(shapesOf(params));
  const norms = names.flatMap((n, i) => specs[i].norms.map((k) => `${n}.${k}`));
  const idle = names.flatMap((n, i) => specs[i].idleNorms.map((k) => `${n}.${k}`));
  const allBuffers = join((s) => s.buffers);
  const statisticsOf = (keys: readonly string[]): ParamSpecs =>
    Object.fromEntries(
      keys.flatMap((k) =>
        ['running_mean', 'running_var'].map((s) => [`${k}.${s}`, allBuffers[`${k}.${s}`]]),
      ),
    );
  // Norms that run come first, network by network, so that the idle rest stays one piece.
  const running = names.map((n) =>
    flatLayout(shapesOf(statisticsOf(norms.filter((k) => k.startsWith(`${n}.`))))),
  );
  const buffers = flatLayout(shapesOf(statisticsOf([...norms, ...idle])));
  const idleTotal = buffers.total - running.reduce((sum, r) => sum + r.total, 0);
  const optimiser = adam(config.adam);
  const hasNorms = buffers.total > 0;

  /** New running statistics: each network has its own passes, in its own piece of the vector. */
  const averageStatistics = (old: Tensor, passes: readonly Passes[]): Tensor => {
    const sizes = [...running.map((r) => r.total), idleTotal].filter((size) => size > 0);
    const pieces: Tensor[] = sizes.length === 1 ? [old] : tf.split(old, sizes, 0);
    const next: Tensor[] = [];
    running.forEach((part, i) => {
      if (part.total === 0) return;
      const flat = passes[i].map((p) => packTensors(part, prefixed(p, `${names[i]}.`)));
      next.push(averageIn(pieces[next.length], flat));
    });
    if (idleTotal > 0) next.push(pieces[next.length]);
    return next.length === 1 ? next[0] : tf.concat(next);
  };

  return {
    layout,
    init(seed, stream) {
      const start = pack(layout, initialise(params, seed, stream));
      const statistics = statisticsOf([...norms, ...idle]);
      return {
        params: hostTensor(start, [layout.total]),
        adam: optimiser.init(layout.total),
        ...(hasNorms && {
          buffers: hostTensor(pack(buffers, initialise(statistics, seed, stream)), [buffers.total]),
          batches: hostTensor(new Float32Array(norms.length + idle.length), [
            norms.length + idle.length,
          ]),
        }),
        ...(config.ema !== undefined && { ema: emaInit(layout.total) }),
      };
    },
    unpack(flat) {
      const all = unpack(layout, flat);
      return Object.fromEntries(names.map((n) => [n, scoped(all, `${n}.`)])) as Record<N, Params>;
    },
    averaged({ params: current, ema }) {
      if (ema === undefined) return current;
      const rest = tf.mul(current, tf.sub(1, ema.started));
      return tf.add(tf.mul(ema.average, ema.started), rest);
    },
    running(state, network) {
      if (state.buffers === undefined) return {};
      return scoped(unpack(buffers, state.buffers), `${network}.`);
    },
    update(state, gradient, passes) {
      const next = optimiser.step(state.adam, state.params, rankMean(gradient));
      const lists: Passes[] = names.map((n) => passes?.[n] ?? []);
      const counts = [
        ...names.flatMap((_, i) => specs[i].norms.map(() => lists[i].length)),
        ...idle.map(() => 0),
      ];
      return {
        params: next.params,
        adam: next.state,
        ...(state.buffers && { buffers: averageStatistics(state.buffers, lists) }),
        ...(state.batches && { batches: tf.add(state.batches, tf.tensor1d(counts)) }),
        ...(config.ema !== undefined &&
          state.ema && { ema: emaStep(config.ema, state.ema, next.params) }),
      };
    },
    exportNetworks(state, average = false) {
      const averaged = average && state.ema !== undefined && state.ema.started.data[0] > 0;
      const flat = averaged ? state.ema.average : state.params;
      const weights = unpackHost(layout, flat.data as Float32Array);
      const stats = state.buffers
        ? unpackHost(buffers, state.buffers.data as Float32Array)
        : ({} as Record<string, HostTensor>);
      const counters = Object.fromEntries(
        [...norms, ...idle].map((k, i) => [
          `${k}.${COUNTER}`,
          hostTensor(Int32Array.of(state.batches?.data[i] ?? 0), []),
        ]),
      );
      return Object.fromEntries(
        names.map((n) => [n, scoped({ ...weights, ...stats, ...counters }, `${n}.`)]),
      );
    },
    importNetworks(state, dicts) {
      const all: Record<string, HostTensor> = Object.assign(
        {},
        ...names.map((n) => prefixed(dicts[n] ?? {}, `${n}.`)),
      );
      const pick = (test: (key: string) => boolean) =>
        Object.fromEntries(Object.entries(all).filter(([k]) => test(k)));
      const isCounter = (k: string) => k.endsWith(`.${COUNTER}`);
      const isBuffer = (k: string) => buffers.keys.includes(k);
      const weights = pack(
        layout,
        pick((k) => !isCounter(k) && !isBuffer(k)),
      );
      return {
        ...state,
        params: hostTensor(weights, [layout.total]),
        ...(hasNorms && {
          buffers: hostTensor(pack(buffers, pick(isBuffer)), [buffers.total]),
          batches: hostTensor(
            Float32Array.from([...norms, ...idle], (k) => all[`${k}.${COUNTER}`]?.data[0] ?? 0),
            [norms.length + idle.length],
          ),
        }),
      };
    },
  };
}

/** Averages the statistics of successive passes in: r ← (1−μ)·r + μ·batch for each. */
function averageIn(old: Tensor, passes: readonly Tensor[]): Tensor {
  if (passes.length === 0) return old;
  const keep = 1 - BATCH_NORM_MOMENTUM;
  let value: Tensor = tf.mul(old, keep ** passes.length);
  passes.forEach((pass, i) => {
    const weight = BATCH_NORM_MOMENTUM * keep ** (passes.length - 1 - i);
    value = tf.add(value, tf.mul(pass, weight));
  });
  return value;
}
