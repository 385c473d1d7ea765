import { type Tensor, tf } from './tf.ts';
import { RANK_MEAN } from './trace/rank-mean.ts';
import { activeTracer } from './trace/tracer.ts';

/*
 * A training step on several processes (ranks) sees a share of the batch on each. What the whole
 * batch decides (gradients, batch statistics, means that a loss bends) is marked with `rankMean`
 * where it is computed, and the traced step is cut there: see `distributed`.
 *
 * Marks are differentiable. With L the mean of the ranks' losses and every rank starting its
 * backward pass at 1, what a rank holds for an operand x is R·∂L/∂x; for y = mean of x over the ranks
 * that is the mean over the ranks of R·∂L/∂y. So the gradient of a mean is the mean of the gradients,
 * at every order, and the mean of the ranks' gradients in shared parameters is the gradient of L.
 */

/** One process of a job. */
export interface RankPlace {
  readonly rank: number;
  /** How many processes there are. */
  readonly size: number;
}

/** A place, or any of so many, told by the one of `at` [size] that is 1 and not 0. */
type TracedPlace = RankPlace | { readonly at: Tensor; readonly size: number };

let current: TracedPlace | undefined;

/** The mean of `x` over the ranks, for steps on several processes; anywhere else `x` itself. */
export function rankMean(x: Tensor): Tensor {
  if (current === undefined || activeTracer() === null) return x;
  return tf.engine().runKernel(RANK_MEAN, { x });
}

/** How many ranks share the batch that is being traced; 1 outside a step on several processes. */
export function rankCount(): number {
  return current?.size ?? 1;
}

/** `x` of the next rank, that of the first for the last; with one rank `x` itself. */
export function fromNextRank(x: Tensor): Tensor {
  const place = current ?? { rank: 0, size: 1 };
  const { size } = place;
  if (size === 1) return x;
  if ('at' in place) return fromNextOf(place.at, x);
  const { rank } = place;
  const others = x.shape.slice(1).map((): [number, number] => [0, 0]);
  const rows = x.shape[0];
  const mine = tf.pad(x, [[rank * rows, (size - 1 - rank) * rows], ...others]);
  const all = tf.mul(rankMean(mine), size);
  const begin = x.shape.map((_, i) => (i === 0 ? ((rank + 1) % size) * rows : 0));
  return tf.slice(all, begin, x.shape);
}

/** The same in a graph for every rank. */
function fromNextOf(at: Tensor, x: Tensor): Tensor {
  const [size] = at.shape;
  const column = [size, ...x.shape.map(() => 1)];
  const all = tf.mul(rankMean(tf.mul(tf.reshape(at, column), tf.expandDims(x, 0))), size);
  const next = tf.concat([tf.slice(at, [size - 1], [1]), tf.slice(at, [0], [size - 1])]);
  return tf.sum(tf.mul(all, tf.reshape(next, column)), 0);
}

/** Records `fn` as the share of one process, or of any part: marks count while it runs. */
export function asOneRank<T>(place: TracedPlace, fn: () => T): T {
  const before = current;
  current = place;
  try {
    return fn();
  } finally {
    current = before;
  }
}
