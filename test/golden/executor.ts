import { type HostTensor, hostTensor } from '../../src/core/host-tensor.ts';
import { flatten, unflatten } from '../../src/core/tree.ts';
import * as engine from '../../src/jit/index.ts';
import { tf } from '../../src/jit/tf.ts';
import { eagerly, toTensor } from './tensors.ts';

/**
 * How a whole training step runs in the comparisons: traced and executed by the engine, or
 * operation by operation. GIBBS_GOLDEN_EXECUTOR (`--executor` of the command) is `onnx` (default),
 * `native` or `eager`.
 */
export const EXECUTORS = ['onnx', 'native', 'eager'] as const;
export type ExecutorName = (typeof EXECUTORS)[number];

export function executorName(): ExecutorName {
  const name = process.env['GIBBS_GOLDEN_EXECUTOR'] ?? ('jit' in engine ? 'onnx' : 'eager');
  if (!EXECUTORS.includes(name as ExecutorName)) {
    throw new Error(`GIBBS_GOLDEN_EXECUTOR must be one of ${EXECUTORS.join(', ')}, got '${name}'`);
  }
  return name as ExecutorName;
}

const isHost = (v: unknown): v is HostTensor =>
  typeof v === 'object' && v !== null && 'data' in v && 'dtype' in v;
const isTensor = (v: unknown): v is tf.Tensor => v instanceof tf.Tensor;

/** `fn` over trees of tensors as a function over trees in memory, run by the chosen executor. */
export function executor(
  fn: (...args: never[]) => unknown,
): (...args: unknown[]) => Promise<unknown> {
  const compiled = executorName() === 'eager' ? fn : jitted(fn);
  return (...args) =>
    eagerly(() => {
      const tensors = flatten(args, isHost);
      const inputs = unflatten(tensors.structure, tensors.leaves.map(toTensor));
      const { leaves, structure } = flatten(compiled(...(inputs as never[])), isTensor);
      return unflatten(
        structure,
        leaves.map((t) => hostTensor(t.dataSync().slice() as Float32Array, t.shape)),
      );
    });
}

function jitted(fn: (...args: never[]) => unknown): (...args: never[]) => unknown {
  const { jit } = engine as unknown as { jit: <F>(f: F, options: { executor: string }) => F };
  return jit(fn, { executor: executorName() });
}
