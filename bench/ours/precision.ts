import { parseArgs } from 'node:util';
import { hostTensor } from '../../src/core/host-tensor.ts';
import type { Key } from '../../src/core/random.ts';
import { logitPixels } from '../../src/datasets/dequantise.ts';
import { epochBatches, gatherRows } from '../../src/datasets/epochs.ts';
import { loadMnist } from '../../src/datasets/image-set.ts';
import { dataFolder } from '../../src/experiments/data-folder.ts';
import { niceConfig } from '../../src/experiments/nice.ts';
import { NiceEvaluator } from '../../src/experiments/nice-evaluation.ts';
import { niceMethodSpec } from '../../src/experiments/nice-methods.ts';
import { EPOCH, MNIST_DIM, niceRates } from '../../src/experiments/nice-settings.ts';
import { toyTraining } from '../../src/experiments/toy.ts';
import { toyConfig, toyObjective } from '../../src/experiments/toy-config.ts';
import { evaluateToy } from '../../src/experiments/toy-evaluation.ts';
import type { HostState } from '../../src/objectives/objective.ts';
import { type TrainOptions, type TrainResult, train } from '../../src/train/loop.ts';

/*
 * A short training in the precision of GIBBS_PRECISION, evaluated in float32; prints its numbers.
 * `--task toy|nice --steps N --seed S`. MNIST is looked for where it is fetched, or in the folder
 * GIBBS_BENCH_MNIST.
 */

/** Iterations before the clock starts: compilation is none of them. */
const WARMUP = 20;

type Numbers = Readonly<Record<string, number | undefined>>;

interface Task {
  readonly options: TrainOptions<unknown>;
  evaluate(state: HostState): Numbers;
}

function toyTask(steps: number, seed: number): Task {
  const overrides = { steps };
  const config = toyConfig({ overrides });
  return {
    options: toyTraining({ overrides, seed }),
    evaluate(state) {
      const { metrics } = evaluateToy(config, toyObjective(config), state, seed);
      const { modesCovered, shareWithin4Sigma, gridKl, mmd } = metrics;
      return { modesCovered, shareWithin4Sigma, gridKl, mmd };
    },
  };
}

function niceTask(steps: number, seed: number): Task {
  // The rate falls as over one epoch, whatever part of it is trained.
  const config = niceConfig({ overrides: { steps: Math.max(steps, EPOCH) } });
  const spec = niceMethodSpec('mle');
  const objective = spec.build(config);
  const folder = dataFolder('mnist', process.env['GIBBS_BENCH_MNIST']);
  const [trainSet, testSet] = [loadMnist(folder, 'train'), loadMnist(folder, 'test')];
  const places = epochBatches(trainSet.images.count, config.batch);
  const data = (key: Key) => {
    const pixels = gatherRows(trainSet.images.pixels, MNIST_DIM, places(key));
    return hostTensor(logitPixels(pixels, key), [config.batch, MNIST_DIM]);
  };
  return {
    options: { objective, data, steps, seed, scalars: niceRates(config, spec.generatorPlayers) },
    evaluate(state) {
      const evaluator = new NiceEvaluator(config, spec, objective, { trainSet, testSet, seed });
      const { test, train: fitted } = evaluator.row(state, steps);
      return { test, train: fitted };
    },
  };
}

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** Trains, and says how much processor time an iteration took. */
async function timed({ options }: Task): Promise<{ result: TrainResult; perIteration: number }> {
  let started = cpuMs();
  const data = (key: Key) => {
    if (key.step === WARMUP) started = cpuMs();
    return options.data(key);
  };
  const result = await train({ ...options, data });
  return { result, perIteration: (cpuMs() - started) / (options.steps - WARMUP) };
}

const { values } = parseArgs({
  options: {
    task: { type: 'string', default: 'toy' },
    steps: { type: 'string', default: '200' },
    seed: { type: 'string', default: '0' },
  },
});
const [steps, seed] = [Number(values.steps), Number(values.seed)];
const task = values.task === 'nice' ? niceTask(steps, seed) : toyTask(steps, seed);
const { result, perIteration } = await timed(task);
process.env['GIBBS_PRECISION'] = 'float32';
const { step: _, ...metrics } = result.metrics ?? { step: 0 };
const numbers = { ...metrics, ...task.evaluate(result.state) };
process.stdout.write(
  `${JSON.stringify({ cpuMs: perIteration, checksum: result.checksum, numbers })}\n`,
);
