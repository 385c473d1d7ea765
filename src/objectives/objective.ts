import type { HostTensor } from '../core/host-tensor.ts';
import type { Tree } from '../core/tree.ts';
import type { Tensor } from '../jit/tf.ts';

/** One random tensor that a step or a sampler needs; drawn outside and passed in. */
export interface NoiseSpec {
  /** `normal`: N(0,1); `uniform`: [0,1); both float32. `integers`: {0..high−1}, int32. */
  readonly kind: 'normal' | 'uniform' | 'integers';
  readonly shape: readonly number[];
  /** Exclusive upper bound, for `integers` only. */
  readonly high?: number;
}

export type NoiseSpecs = Readonly<Record<string, NoiseSpec>>;
export type Noise = Readonly<Record<string, Tensor>>;

/** A training batch by name; every objective reads `data`, of shape [batch, ...]. */
export interface Batch {
  readonly data: Tensor;
}

/** A state in ordinary memory: what checkpoints hold and `init` returns. */
export type HostState = Tree<HostTensor>;

/** Scalars to log, by name. */
export type Metrics = Readonly<Record<string, Tensor>>;

/** PyTorch state dicts by network name. */
export type StateDicts = Readonly<Record<string, Readonly<Record<string, HostTensor>>>>;

/**
 * One training method. `State` is a pytree of tensors: flat parameter vectors, optimiser moments,
 * running statistics. Everything is pure: `step` neither draws noise nor keeps anything.
 */
export interface Objective<State = unknown> {
  readonly name: string;
  /** Shape of `batch.data`. */
  readonly batchShape: readonly number[];
  /** How many batches `batch.data` holds one behind the other, each for a turn. Default 1. */
  readonly batches?: number;
  /** What `step` needs; the trainer draws it with stream `${name}/${key}` at each iteration. */
  readonly noise: NoiseSpecs;
  /** The state before the first iteration; equal seeds give equal states. */
  init(seed: number): HostState;
  /** One whole iteration (all networks, all optimisers). Traceable. */
  step(state: State, batch: Batch, noise: Noise): { state: State; metrics: Metrics };
  /**
   * For methods that do less on most iterations: on those whose number is no multiple of `every`,
   * this runs in place of `step`, with the same states, noise and metrics.
   */
  readonly between?: { readonly every: number; readonly step: Objective<State>['step'] };
  /**
   * Log-density up to a constant, [B]: HIGH on data (the sign of the paper), for `x` [B, ...].
   * `t` is the diffusion level, default 0. This and `sample` use the moving average of the
   * parameters where the method keeps one.
   */
  energy?(state: State, x: Tensor, t?: number): Tensor;
  /** What `sample` needs for `n` samples. */
  sampleNoise?(n: number): NoiseSpecs;
  /** Samples [n, ...] from the noise of `sampleNoise`. Traceable. */
  sample?(state: State, noise: Noise): Tensor;
  /**
   * The networks by name as PyTorch state dicts (parameters and buffers), for checkpoints; with
   * `average` the moving averages of the parameters, where the method keeps them.
   */
  exportNetworks?(state: HostState, average?: boolean): StateDicts;
  /** The state whose networks are `dicts`; moments and counters are taken from `state`. */
  importNetworks?(state: HostState, dicts: StateDicts): HostState;
}
