import { hostTensor } from '../../src/core/host-tensor.ts';
import { uniform } from '../../src/core/random.ts';
import { cifar10Config, cifar10Objective } from '../../src/experiments/cifar10-config.ts';
import { jit } from '../../src/jit/index.ts';
import { drawNoise } from '../../src/train/noise.ts';

/*
 * Runs the image step of the smallest preset `argv[2]` times and prints, after each twentieth of
 * them and a collection, the resident memory in MB. A process of its own: run with --expose-gc.
 */
const steps = Number(process.argv[2]);
const objective = cifar10Objective(
  cifar10Config('smoke', { batch: 2, 'network.multipliers': '1' }),
);
const step = jit(
  (state: unknown, batch: unknown, noise: unknown) =>
    objective.step(state as never, batch as never, noise as never),
  { donate: [0], name: 'image-step', checked: false },
);
let state: unknown = objective.init(0);
const shape = objective.batchShape;
const size = shape.reduce((a, b) => a * b, 1);
const readings: number[] = [];
for (let i = 1; i <= steps; i++) {
  const key = { seed: 0, stream: 'memory', step: i };
  const noise = drawNoise(objective.noise, key);
  const data = hostTensor(uniform(key, size), shape);
  const result = step(state as never, { data } as never, noise as never);
  state = result.state;
  for (const metric of Object.values(result.metrics)) metric.dispose();
  if (i % (steps / 20) === 0) {
    (globalThis as { gc?: () => void }).gc?.();
    readings.push(process.memoryUsage().rss / 2 ** 20);
  }
}
console.log(JSON.stringify(readings));
