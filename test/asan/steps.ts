import { hostTensor, sizeOf } from '../../src/core/host-tensor.ts';
import { uniform } from '../../src/core/random.ts';
import { cifar10Config, cifar10Objective } from '../../src/experiments/cifar10-config.ts';
import { drlImageConfig, drlImageObjective } from '../../src/experiments/drl-config.ts';
import { niceConfig } from '../../src/experiments/nice.ts';
import { niceMethod, niceMethodSpec } from '../../src/experiments/nice-methods.ts';
import { jit } from '../../src/jit/index.ts';
import { ddaebm } from '../../src/objectives/ddaebm.ts';
import type { Batch, Metrics, Noise, Objective } from '../../src/objectives/objective.ts';
import { drawNoise } from '../../src/train/noise.ts';

/** Iterations of whole trainings as compiled C; ends with an error at the first number that is none. */

const nice = (method: string) => {
  const config = niceConfig({ method, preset: 'smoke' });
  return niceMethodSpec(niceMethod(config.method)).build(config);
};

const TRAININGS: Readonly<Record<string, () => Pick<Objective, 'batchShape' | 'noise'>>> = {
  toy: () => ddaebm(),
  'nice mle': () => nice('mle'),
  'nice ddaebm': () => nice('ddaebm'),
  'ncsn++': () => cifar10Objective(cifar10Config('smoke')),
  'wide resnet': () => drlImageObjective(drlImageConfig('smoke')),
};
const ITERATIONS = 2;

for (const [name, make] of Object.entries(TRAININGS)) {
  const started = performance.now();
  const objective = make() as Objective;
  const step = jit(
    (state: unknown, batch: Batch, noise: Noise): { state: unknown; metrics: Metrics } =>
      objective.step(state, batch, noise),
    { donate: [0], name, executor: 'native' },
  );
  let state: unknown = objective.init(0);
  for (let i = 0; i < ITERATIONS; i++) {
    const key = { seed: 0, stream: 'asan', step: i };
    const pixels = uniform(key, sizeOf(objective.batchShape)).map((v) => 2 * v - 1);
    const data = hostTensor(pixels, objective.batchShape);
    const result = step(state, { data }, drawNoise(objective.noise, key));
    state = result.state;
    for (const [metric, value] of Object.entries(result.metrics)) {
      const [number] = value.dataSync();
      if (!Number.isFinite(number)) throw new Error(`${name}: ${metric} is ${number}`);
    }
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  process.stdout.write(`${name}: ${ITERATIONS} iterations, ${seconds} s\n`);
}
