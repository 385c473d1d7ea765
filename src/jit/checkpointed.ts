import { flatten, unflatten } from '../core/tree.ts';
import { differentiate } from './gradients/define.ts';
import { registerMissingGradients } from './gradients.ts';
import { isTensor } from './leaves.ts';
import { type Tensor, tf } from './tf.ts';
import { AFTER } from './trace/after.ts';
import { activeTracer } from './trace/tracer.ts';

/**
 * The same function, whose gradient computes it again in place of remembering its intermediate
 * results: a backward pass then holds those of one such piece at a time, for the price of one more
 * forward pass. Values and gradients, also of gradients, are those of `fn`.
 *
 * What `fn` depends on and is to be differentiated must come as an argument: trees of tensors.
 */
export function checkpointed<A extends unknown[]>(
  fn: (...args: A) => Tensor,
): (...args: A) => Tensor {
  registerMissingGradients();
  return (...args) => {
    const { leaves, structure } = flatten(args, isTensor);
    const run = (xs: Tensor[]) => fn(...(unflatten(structure, xs) as unknown as A));
    const whole = tf.customGrad((...all) => {
      const save = all.pop() as unknown as tf.GradSaveFunc;
      const xs = all as Tensor[];
      save(xs);
      return {
        value: run(xs),
        gradFunc: (dy: Tensor, saved: Tensor[]) => {
          const later = saved.map((x) => after(x, dy));
          return differentiate(() => run(later), later, dy);
        },
      };
    });
    return whole(...leaves);
  };
}

/** `x`, computed upon no earlier than `y` is there; in a trace only, elsewhere just `x`. */
function after(x: Tensor, y: Tensor): Tensor {
  if (activeTracer() === null) return x.clone();
  return tf.engine().runKernel(AFTER, { x, y });
}
