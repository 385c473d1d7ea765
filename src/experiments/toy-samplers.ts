import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { normal, uniform } from '../core/random.ts';
import { subVp } from '../diffusion/sub-vp.ts';
import { grad, jit, type Tensor, tf } from '../jit/index.ts';
import type { HostState, Noise, Objective } from '../objectives/objective.ts';
import { langevin, langevinChain } from '../samplers/langevin.ts';
import { probabilityFlow } from '../samplers/probability-flow.ts';
import { drawNoise } from '../train/noise.ts';

/** Draws of one batch of samples; equal keys give equal samples. */
export interface DrawKey {
  readonly seed: number;
  /** Number of the batch. */
  readonly index: number;
  readonly count: number;
}

/** Samples [count, 2] of a trained model. */
export type ToySampler = (objective: Objective, state: HostState) => (key: DrawKey) => HostTensor;

export interface LangevinSettings {
  /** Metropolis-adjusted Langevin steps from uniform points on the square of the grid. */
  readonly steps: number;
  /** ε of x + ½ε∇f + √ε·noise. */
  readonly stepSize: number;
}

/** Steps compiled as one call. */
const CHUNK = 20;

/** Metropolis-adjusted Langevin dynamics on the energy at t = 0. */
export function langevinToySampler(settings: LangevinSettings, limit: number): ToySampler {
  const sampler = langevin({ stepSize: settings.stepSize, adjusted: true });
  return (objective, state) => {
    const stream = `${objective.name}/langevin`;
    const advance = compiled<LangevinArguments>(
      ({ state: s, x, normal: n, uniform: u }) =>
        langevinChain(sampler, (y) => objective.energy!(s, y), x, { normal: n, uniform: u }).state
          .x,
      stream,
    );
    return ({ seed, index, count }) => {
      const start = uniform({ seed, stream: `${stream}/start`, step: index }, 2 * count);
      let x = hostTensor(
        start.map((u) => (2 * u - 1) * limit),
        [count, 2],
      );
      for (let done = 0; done < settings.steps; done += CHUNK) {
        const step = index * settings.steps + done;
        const next = advance({
          state,
          x,
          normal: hostTensor(normal({ seed, stream, step }, CHUNK * 2 * count), [CHUNK, count, 2]),
          uniform: hostTensor(uniform({ seed, stream: `${stream}/accept`, step }, CHUNK * count), [
            CHUNK,
            count,
          ]),
        });
        x = taken(next, [count, 2]);
      }
      return x;
    };
  };
}

interface LangevinArguments {
  readonly state: unknown;
  readonly x: Tensor;
  readonly normal: Tensor;
  readonly uniform: Tensor;
}

export interface FlowSettings {
  /** Heun steps of the probability-flow ODE from t = 1 to `lastTime`. */
  readonly steps: number;
  readonly lastTime: number;
}

/** The probability-flow ODE of the sub-VP diffusion with the score ∇f(x, t). */
export function flowToySampler(settings: FlowSettings): ToySampler {
  const diffusion = subVp();
  return (objective, state) => {
    const score = (s: unknown) => (x: Tensor, t: number) =>
      grad((y: Tensor) => tf.sum(objective.energy!(s, y, t)))(x);
    const flow = compiled<{ readonly state: unknown; readonly x: Tensor }>(
      ({ state: s, x }) => probabilityFlow(diffusion, score(s), x, settings),
      `${objective.name}/flow`,
    );
    const stream = `${objective.name}/sample`;
    return ({ seed, index, count }) => {
      const start = hostTensor(normal({ seed, stream, step: index }, 2 * count), [count, 2]);
      return taken(flow({ state, x: start }), [count, 2]);
    };
  };
}

/** Samples of the objective's own generator. */
export const generatorToySampler: ToySampler = (objective, state) => {
  const draw = compiled<{ readonly state: unknown; readonly noise: Noise }>(
    ({ state: s, noise }) => objective.sample!(s, noise),
    `${objective.name}/sample`,
  );
  return ({ seed, index, count }) => {
    const key = { seed, stream: `${objective.name}/sample`, step: index };
    const noise = drawNoise(objective.sampleNoise!(count), key);
    return taken(draw({ state, noise }), [count, 2]);
  };
};

/** A jitted function takes host arrays wherever the function itself takes tensors. */
function compiled<A extends object>(f: (args: A) => Tensor, name: string) {
  return jit(f, { name }) as unknown as (args: { readonly [K in keyof A]: unknown }) => Tensor;
}

function taken(tensor: Tensor, shape: readonly number[]): HostTensor {
  const copy = (tensor.dataSync() as Float32Array).slice();
  tensor.dispose();
  return hostTensor(copy, shape);
}
