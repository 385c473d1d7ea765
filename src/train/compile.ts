import { type HostTensor, isHostTensor } from '../core/host-tensor.ts';
import { flatten, unflatten } from '../core/tree.ts';
import { type Tensor, tf } from '../jit/tf.ts';

// Stands in for jit until the engine is there.
export function jit<A extends unknown[], R>(
  fn: (...args: A) => R,
  options: { donate?: number[]; name?: string; executor?: string } = {},
): (...args: A) => R {
  return (...args) => {
    const isLeaf = (v: unknown): v is Tensor | HostTensor =>
      v instanceof tf.Tensor || isHostTensor(v);
    const { leaves, structure } = flatten(args, isLeaf);
    const tensors = leaves.map((l) =>
      isHostTensor(l) && !(l instanceof tf.Tensor)
        ? tf.tensor(l.data as never, [...l.shape], l.dtype as never)
        : (l as Tensor),
    );
    const result = tf.tidy(
      () => fn(...(unflatten(structure, tensors) as never as A)) as never,
    ) as R;
    tensors.forEach((t, i) => {
      if (t !== leaves[i]) t.dispose();
    });
    for (const i of options.donate ?? []) {
      for (const l of flatten(args[i], isLeaf).leaves) if (l instanceof tf.Tensor) l.dispose();
    }
    return result;
  };
}
