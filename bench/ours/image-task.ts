import { hostTensor } from '../../src/core/host-tensor.ts';
import { normal, uniform } from '../../src/core/random.ts';
import { scheduleConfig } from '../../src/diffusion/schedule.ts';
import { grad } from '../../src/jit/grad.ts';
import { type JitFunction, jit, type Tensor } from '../../src/jit/index.ts';
import { smallEncoder } from '../../src/models/encoders.ts';
import { NCSNPP_CIFAR10, ncsnppEnergy, ncsnppGenerator } from '../../src/models/ncsnpp.ts';
import type { EnergyNetwork } from '../../src/models/network.ts';
import { wideResNet } from '../../src/models/wide-resnet.ts';
import { initialise } from '../../src/nn/initialise.ts';
import { shapesOf } from '../../src/nn/params.ts';
import { ddaebm } from '../../src/objectives/ddaebm.ts';
import { drl } from '../../src/objectives/drl.ts';
import type { Metrics, Objective } from '../../src/objectives/objective.ts';
import { flatLayout, pack, unpack } from '../../src/optim/flat.ts';
import { drawNoise } from '../../src/train/noise.ts';
import { type Program, serve } from '../lib/serve.ts';
import { ourEngine } from './engine.ts';
import { flopsOnDevice, LatestMetrics } from './on-device.ts';

const SHAPE = [3, 32, 32];
const ENGINE = ourEngine();

interface Sizes {
  readonly network: string;
  readonly task: string;
  readonly width: number;
  readonly batch: number;
  readonly chain: number;
}

await serve(
  ({ threads, rest }): Program<unknown> => {
    const sizes: Sizes = {
      network: rest['network'] ?? 'ncsnpp',
      task: rest['task'] ?? 'step',
      width: Number(rest['width'] ?? 32),
      batch: Number(rest['batch'] ?? 8),
      chain: Number(rest['chain'] ?? 2),
    };
    return sizes.task === 'step' ? training(sizes, threads) : evaluation(sizes, threads);
  },
  ['network', 'task', 'width', 'batch', 'chain'],
);

function energyOf({ network, width }: Sizes): EnergyNetwork {
  if (network === 'ncsnpp') return ncsnppEnergy({ ...NCSNPP_CIFAR10, width });
  return wideResNet({ depth: 28, widen: width / 16 });
}

function objectiveOf(sizes: Sizes): Objective {
  const { network, width, batch, chain } = sizes;
  const energy = energyOf(sizes);
  if (network === 'wrn') {
    return drl({ batch, dataShape: SHAPE, chainSteps: chain, network: energy }) as Objective;
  }
  return ddaebm({
    batch,
    dataShape: SHAPE,
    latentDim: 100,
    schedule: scheduleConfig('cifar10'),
    posterior: 'image',
    reconstructionFloor: 'second',
    networks: {
      energy,
      generator: ncsnppGenerator({ ...NCSNPP_CIFAR10, width }),
      encoder: smallEncoder({ width }),
    },
    ema: 0.9999,
  }) as Objective;
}

/** Whole iterations, state and all. */
function training(sizes: Sizes, threads: number): Program<unknown> {
  const objective = objectiveOf(sizes);
  const step = jit(
    (s: unknown, data: Tensor, noise: Record<string, Tensor>): Stepped =>
      objective.step(s, { data }, noise),
    { donate: [0], name: `bench/${sizes.network}`, threads },
  ) as unknown as JitFunction<[unknown, unknown, unknown], Stepped>;
  let state: unknown = objective.init(0);
  let iteration = 0;
  const metrics = new LatestMetrics();
  const draw = () => {
    const key = { seed: 0, stream: 'bench', step: iteration++ };
    const size = objective.batchShape.reduce((a, b) => a * b, 1);
    const data = hostTensor(
      uniform(key, size).map((v) => 2 * v - 1),
      objective.batchShape,
    );
    return { data, noise: drawNoise(objective.noise, key) };
  };
  return {
    name: `${ENGINE.name}, ${sizes.network} step`,
    versions: ENGINE.versions,
    ...flopsOnDevice(() => {
      const { data, noise } = draw();
      return step.explain(state, data, noise);
    }),
    draw,
    finish: () => metrics.finish(),
    step(drawn) {
      const { data, noise } = drawn as { data: unknown; noise: unknown };
      const result = step(state, data, noise);
      state = result.state;
      metrics.keep(result.metrics);
    },
  };
}

interface Stepped {
  readonly state: unknown;
  readonly metrics: Metrics;
}

/** The energy alone, or its gradient in x. */
function evaluation(sizes: Sizes, threads: number): Program<unknown> {
  const network = energyOf(sizes);
  const layout = flatLayout(shapesOf(network.params));
  const flat = hostTensor(pack(layout, initialise(network.params, 0, 'bench')), [layout.total]);
  const shape = [sizes.batch, ...SHAPE];
  const energy = (params: Tensor, x: Tensor) =>
    network.bind(unpack(layout, params), { levels: [0] })(x);
  const slope = (params: Tensor, x: Tensor) => grad((y: Tensor) => energy(params, y).sum())(x);
  const run = jit(sizes.task === 'forward' ? energy : slope, {
    name: `bench/${sizes.network}`,
    threads,
  });
  let iteration = 0;
  return {
    name: `${ENGINE.name}, ${sizes.network} ${sizes.task}`,
    versions: ENGINE.versions,
    draw() {
      const key = { seed: 0, stream: 'bench', step: iteration++ };
      return hostTensor(
        normal(
          key,
          shape.reduce((a, b) => a * b, 1),
        ),
        shape,
      );
    },
    step(x) {
      run(flat, x as never).dispose();
    },
  };
}
