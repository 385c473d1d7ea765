import type { Tensor } from '../jit/tf.ts';
import type { NormMode } from '../nn/batch-norm.ts';
import type { DropoutDraws } from '../nn/dropout.ts';
import type { ParamSpecs, Params } from '../nn/params.ts';

/** What every network declares: its parameters and running statistics, by state_dict key. */
export interface NetworkSpec {
  readonly params: ParamSpecs;
  /** Running means and variances; empty without batch norm. */
  readonly buffers: ParamSpecs;
  /** Keys of the batch norms that run, e.g. `net.layers_bn.0`. */
  readonly norms: readonly string[];
  /** Batch norms of the state dict that never run; their statistics stay as they are. */
  readonly idleNorms: readonly string[];
  /**
   * Shapes of the uniform draws that one training pass over `batch` samples takes for dropout, by
   * block. Absent where nothing is ever dropped.
   */
  dropoutShapes?(batch: number): Readonly<Record<string, readonly number[]>>;
}

/**
 * The diffusion level of every sample. Few distinct levels occur, so networks embed each once and
 * pick: row r of the embedding belongs to the samples whose row of `select` [B, R] has its one in
 * column r.
 */
export interface TimeInput {
  /** The distinct levels, as numbers or as a vector [R]. */
  readonly levels: readonly number[] | Tensor;
  /** One-hot rows [B, R]; absent when R is B, or 1 for a level shared by all samples. */
  readonly select?: Tensor;
}

/**
 * `bind` does the work that depends on parameters and level alone; the function it returns can be
 * called several times in one step.
 */
export interface EnergyNetwork extends NetworkSpec {
  /** `x` [B, ...] → log-density up to a constant, [B]. Without draws nothing is dropped. */
  bind(params: Params, time: TimeInput): (x: Tensor, drawn?: DropoutDraws) => Tensor;
}

export interface GeneratorNetwork extends NetworkSpec {
  /** x_{t+1} [B, ...] and latent z [B, m] → predicted clean data [B, ...]. */
  bind(
    params: Params,
    time: TimeInput,
  ): (xNext: Tensor, z: Tensor, mode: NormMode, drawn?: DropoutDraws) => Tensor;
}

/** A diagonal Gaussian; both [B, m]. */
export interface DiagonalGaussian {
  readonly mean: Tensor;
  readonly logVariance: Tensor;
}

export interface EncoderNetwork extends NetworkSpec {
  /** x_t and x_{t+1} → the variational posterior of the latent. */
  bind(
    params: Params,
    time: TimeInput,
  ): (x: Tensor, xNext: Tensor, mode: NormMode) => DiagonalGaussian;
}
