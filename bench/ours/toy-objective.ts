import { toyConfig, toyObjective } from '../../src/experiments/toy-config.ts';
import { toyMethod } from '../../src/experiments/toy-methods.ts';
import { jit, type Tensor } from '../../src/jit/index.ts';
import type { Batch, Metrics, Noise } from '../../src/objectives/objective.ts';
import { serve } from '../lib/serve.ts';
import { ourEngine } from './engine.ts';
import { objectiveTask, type ToyDraw } from './toy-task.ts';

/** Any method of `gibbs run toy` at its preset `paper`: `--method NAME`. */
await serve<ToyDraw>(
  ({ threads, rest }) => {
    const method = toyMethod(rest['method'] ?? 'ddaebm');
    const task = objectiveTask(toyObjective(toyConfig({ method, preset: 'paper' })));
    const step = jit(
      (state: unknown, batch: Batch, noise: Noise): { state: unknown; metrics: Metrics } =>
        task.objective.step(state, batch, noise),
      { donate: [0], name: method, threads },
    );
    const engine = ourEngine();
    let state: unknown = task.state;
    return {
      name: `${method}: ${engine.name}`,
      versions: engine.versions,
      draw: task.draw,
      step({ batch, noise }) {
        const result = step(state, batch, noise);
        state = result.state;
        for (const metric of Object.values<Tensor>(result.metrics)) metric.dispose();
      },
    };
  },
  ['method'],
);
