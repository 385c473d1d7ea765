import { jit } from '../../src/jit/index.ts';
import type { Batch, Metrics, Noise } from '../../src/objectives/objective.ts';
import { serve } from '../lib/serve.ts';
import { ourEngine } from './engine.ts';
import { flopsOnDevice, LatestMetrics } from './on-device.ts';
import { type ToyDraw, toyTask } from './toy-task.ts';

await serve<ToyDraw>(({ threads }) => {
  const task = toyTask();
  const step = jit(
    (state: unknown, batch: Batch, noise: Noise): { state: unknown; metrics: Metrics } =>
      task.objective.step(state as never, batch, noise),
    { donate: [0], name: 'toy-step', threads },
  );
  let state: unknown = task.state;
  const metrics = new LatestMetrics();
  return {
    ...ourEngine(),
    ...flopsOnDevice(() => {
      const { batch, noise } = task.draw();
      return step.explain(state, batch, noise);
    }),
    finish: () => metrics.finish(),
    draw: task.draw,
    step({ batch, noise }) {
      const result = step(state, batch, noise);
      state = result.state;
      metrics.keep(result.metrics);
    },
  };
});
