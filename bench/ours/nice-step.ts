import { hostTensor } from '../../src/core/host-tensor.ts';
import { integers } from '../../src/core/random.ts';
import { logitPixels } from '../../src/datasets/dequantise.ts';
import { gatherRows } from '../../src/datasets/epochs.ts';
import { niceConfig } from '../../src/experiments/nice.ts';
import { niceMethod, niceMethodSpec } from '../../src/experiments/nice-methods.ts';
import { jit } from '../../src/jit/index.ts';
import type { Batch, Metrics, Noise } from '../../src/objectives/objective.ts';
import { drawNoise } from '../../src/train/noise.ts';
import { serve } from '../lib/serve.ts';
import { ourEngine } from './engine.ts';
import { flopsOnDevice, LatestMetrics } from './on-device.ts';

const DIM = 784;
/** Random bytes: the time does not depend on what the digits look like. */
const IMAGES = 2048;

await serve(
  ({ threads, rest }) => {
    const config = niceConfig({ method: rest['method'] ?? 'mle', preset: 'paper' });
    const objective = niceMethodSpec(niceMethod(config.method)).build(config);
    const bank = Uint8Array.from(
      integers({ seed: 0, stream: 'bench/pixels', step: 0 }, IMAGES * DIM, 256),
    );
    const [batch] = objective.batchShape;
    const step = jit(
      (state: unknown, data: Batch, noise: Noise): { state: unknown; metrics: Metrics } =>
        objective.step(state, data, noise),
      { donate: [0], name: `nice-${config.method}`, threads },
    );
    let state: unknown = objective.init(0);
    let iteration = 0;
    const metrics = new LatestMetrics();
    const draw = () => {
      const key = { seed: 0, stream: 'bench', step: iteration++ };
      const pixels = gatherRows(bank, DIM, integers(key, batch, IMAGES));
      const data = hostTensor(logitPixels(pixels, key), [batch, DIM]);
      return { batch: { data }, noise: drawNoise(objective.noise, key) };
    };
    return {
      ...ourEngine(),
      ...flopsOnDevice(() => {
        const { batch: data, noise } = draw();
        return step.explain(state, data, noise);
      }),
      draw,
      finish: () => metrics.finish(),
      step({ batch: data, noise }) {
        const result = step(state, data, noise);
        state = result.state;
        metrics.keep(result.metrics);
      },
    };
  },
  ['method'],
);
