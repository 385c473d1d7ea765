import { setThreadsCount } from '@tensorflow/tfjs-backend-wasm';
import { isHostTensor } from '../../src/core/host-tensor.ts';
import { flatten } from '../../src/core/tree.ts';
import { jit, type Tensor, tf, useEagerBackend } from '../../src/jit/index.ts';
import type { Batch, Metrics, Noise } from '../../src/objectives/objective.ts';
import { serve } from '../lib/serve.ts';
import { type ToyDraw, toyTask, versionOf } from '../ours/toy-task.ts';

await serve<ToyDraw>(
  async ({ threads, rest }) => {
    const backend = rest['backend'] === 'wasm' ? 'wasm' : 'cpu';
    if (backend === 'wasm') setThreadsCount(threads);
    await useEagerBackend(backend);
    const task = toyTask();
    const step = jit(
      (state: unknown, batch: Batch, noise: Noise): { state: unknown; metrics: Metrics } =>
        task.objective.step(state as never, batch, noise),
      { executor: 'eager' },
    );
    let state: unknown = task.state;
    return {
      name: `TensorFlow.js ${versionOf('@tensorflow/tfjs')} ${backend}, eager`,
      versions: { tfjs: versionOf('@tensorflow/tfjs'), backend },
      draw: task.draw,
      step({ batch, noise }) {
        const result = step(state, batch, noise);
        // What the step passed through unchanged is the same tensor before and after.
        const kept = new Set(tensorsOf(result.state));
        tf.dispose([...tensorsOf(state), ...tensorsOf(result.metrics)].filter((t) => !kept.has(t)));
        state = result.state;
      },
    };
  },
  ['backend'],
);

function tensorsOf(tree: unknown): Tensor[] {
  const isLeaf = (v: unknown): v is object => v instanceof tf.Tensor || isHostTensor(v);
  return flatten(tree, isLeaf).leaves.filter((leaf) => leaf instanceof tf.Tensor);
}
