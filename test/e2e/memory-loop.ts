import { toyBatch } from '../../src/datasets/toy.ts';
import { jit } from '../../src/jit/index.ts';
import { ddaebm } from '../../src/objectives/ddaebm.ts';
import type { Batch, Noise } from '../../src/objectives/objective.ts';
import { drawNoise } from '../../src/train/noise.ts';

/*
 * Runs the toy step `argv[2]` times and prints, after each twentieth of them and a collection, the
 * resident memory in MB. A process of its own: run with --expose-gc.
 */
const steps = Number(process.argv[2]);
const objective = ddaebm();
const step = jit(
  (state: unknown, batch: Batch, noise: Noise) => objective.step(state as never, batch, noise),
  { donate: [0], name: 'toy-step', checked: false },
);
let state: unknown = objective.init(0);
const readings: number[] = [];
for (let i = 1; i <= steps; i++) {
  const noise = drawNoise(objective.noise, { seed: 0, stream: 'memory', step: i });
  const data = toyBatch('25gaussians', { seed: 0, stream: 'data', step: i }, 200);
  const result = step(state as never, { data } as never, noise as never);
  state = result.state;
  for (const metric of Object.values(result.metrics)) metric.dispose();
  if (i % (steps / 20) === 0) {
    (globalThis as { gc?: () => void }).gc?.();
    readings.push(process.memoryUsage().rss / 2 ** 20);
  }
}
console.log(JSON.stringify(readings));
