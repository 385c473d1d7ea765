import { ShapeError, TraceError } from '../core/errors.ts';
import { flatten, type Tree, unflatten } from '../core/tree.ts';
import { registerMissingGradients } from './gradients.ts';
import { isTensor } from './leaves.ts';
import { type Tensor, tf } from './tf.ts';

export interface GradOptions {
  /** Which positional argument to differentiate with respect to. Default 0. */
  readonly argnum?: number;
  /** The function returns `[loss, aux]`; `aux` is any tree of tensors and passes through. */
  readonly hasAux?: boolean;
}

export interface ValueAndGrad<G, A = undefined> {
  /** The scalar that was differentiated. */
  readonly value: Tensor;
  /** Same tree and shapes as the differentiated argument; zeros where it has no influence. */
  readonly grad: G;
  readonly aux: A;
}

/**
 * Reverse-mode differentiation of a scalar function of trees of tensors. Works eagerly and inside
 * a trace, and nests: the gradient is itself differentiable, which is what gradient penalties
 * (R1, score matching) need.
 *
 * @param fn returns a scalar tensor, or `[scalar, aux]` with `hasAux`.
 * @throws ShapeError when the loss is not a scalar or the argument holds no tensor.
 * @throws TraceError when an op on the way has no gradient; it is named.
 */
export function valueAndGrad<Args extends unknown[], A = undefined, N extends number = 0>(
  fn: (...args: Args) => Tensor | readonly [Tensor, A],
  options: GradOptions & { argnum?: N } = {},
): (...args: Args) => ValueAndGrad<Args[N], A> {
  const { argnum = 0, hasAux = false } = options;
  registerMissingGradients();
  const run = (args: Args): ValueAndGrad<Args[N], A> => {
    const { leaves: xs, structure } = flatten(args[argnum], isTensor);
    if (xs.length === 0) {
      throw new ShapeError(`valueAndGrad: argument ${argnum} holds no tensor to differentiate`);
    }
    let auxStructure: ReturnType<typeof flatten>['structure'] | undefined;
    let auxLeaves: Tensor[] = [];
    const forward = (): tf.Scalar => {
      const result = fn(...args);
      const loss = hasAux ? (result as readonly [Tensor, A])[0] : (result as Tensor);
      if (!isTensor(loss) || loss.size !== 1) {
        const got = isTensor(loss) ? `a tensor of shape [${loss.shape}]` : typeof loss;
        throw new ShapeError(
          `valueAndGrad: the function must return a scalar, got ${got}; reduce it with tf.mean or tf.sum`,
        );
      }
      if (hasAux) {
        const flat = flatten((result as readonly [Tensor, A])[1], isTensor);
        auxStructure = flat.structure;
        // The forward scope disposes what it does not return: aux must be kept past its end.
        auxLeaves = flat.leaves.map((leaf) => tf.keep(leaf.clone()));
      }
      return loss.reshape([]) as tf.Scalar;
    };
    try {
      const { value, grads } = differentiate(forward, xs);
      const complete = grads.map((g, i) => g ?? tf.zerosLike(xs[i]));
      return {
        value,
        grad: unflatten(structure, complete) as Args[N],
        aux: (auxStructure && unflatten(auxStructure, auxLeaves)) as A,
      };
    } finally {
      for (const leaf of auxLeaves) {
        leaf.kept = false;
        trackInCurrentScope(leaf);
      }
    }
  };
  return (...args: Args) => tf.tidy(() => run(args) as never) as ValueAndGrad<Args[N], A>;
}

/** The gradient alone: `grad(f)(x)` is `valueAndGrad(f)(x).grad`. */
export function grad<Args extends unknown[], N extends number = 0>(
  fn: (...args: Args) => Tensor,
  options: { argnum?: N } = {},
): (...args: Args) => Args[N] {
  const both = valueAndGrad<Args, undefined, N>(fn, options);
  return (...args) => tf.tidy(() => both(...args).grad as never) as Args[N];
}

/**
 * The same values, treated as a constant by differentiation (`detach` in PyTorch,
 * `stop_gradient` in JAX). Costs nothing: no node is recorded.
 */
export function stopGradient<T extends Tensor | Tree<Tensor>>(x: T): T {
  const engine = tf.engine();
  const { leaves, structure } = flatten(x, isTensor);
  const detached = leaves.map((leaf) => {
    engine.backend.incRef(leaf.dataId);
    return engine.makeTensorFromTensorInfo(leaf);
  });
  return unflatten(structure, detached) as T;
}

function differentiate(forward: () => tf.Scalar, xs: Tensor[]) {
  try {
    return tf.engine().gradients(forward, xs, undefined, true);
  } catch (error) {
    abandonTape();
    const missing = /gradient function not found for (\w+)/.exec(String(error));
    if (missing === null) throw error;
    throw new TraceError(
      missing[1],
      `${missing[1]} has no gradient of this order; write it from differentiable pieces or wrap it in stopGradient()`,
      { cause: error },
    );
  }
}

/** What a gradient that failed had saved; TensorFlow.js frees it after a success only. */
function abandonTape(): void {
  const { state } = tf.engine();
  if (state.gradientDepth > 0 || !state.activeTape) return;
  for (const { saved } of state.activeTape) for (const tensor of saved ?? []) tensor.dispose();
  state.activeTape = [];
}

/** Hands a kept tensor back to the enclosing tidy (the engine's `track` is not in its types). */
function trackInCurrentScope(tensor: Tensor): void {
  (tf.engine() as unknown as { track(t: Tensor): Tensor }).track(tensor);
}
