import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { normal, permutation, uniform } from '../core/random.ts';
import type { LabelledImages } from '../datasets/image-set.ts';
import { jit, type Tensor, tf } from '../jit/index.ts';
import { auroc } from '../metrics/auroc.ts';
import { meanAndError } from '../metrics/likelihood.ts';
import {
  type LatentPrior,
  type LatentPriorState,
  logLikelihood,
} from '../objectives/latent-prior.ts';
import type { HostState } from '../objectives/objective.ts';
import { langevin, langevinChain } from '../samplers/langevin.ts';
import type { RunArrays } from './kept-run.ts';
import type { LatentPriorExperiment } from './latent-prior-config.ts';

const SIDE = 28;
const PIXELS = SIDE * SIDE;

/** Sets that the decoder has not been trained on, each made from the test digits or of noise. */
export const OUTSIDERS = ['noise', 'shuffled pixels', 'turned digits', 'inverted digits'] as const;

export type Outsider = (typeof OUTSIDERS)[number];

export interface LatentPriorNumbers {
  /** Mean squared error per pixel of test reconstructions, in [−1, 1]. */
  readonly reconstructionError: number;
  /** Mean E (without the Gaussian part) of posterior latents, prior samples and N(0, I). */
  readonly posteriorEnergy: number;
  readonly priorEnergy: number;
  readonly gaussianEnergy: number;
  /**
   * AUROC of test digits (inside) against each set by the negative log joint
   * |x − G(z)|²/(2σ²) + U(z), and by either part alone.
   */
  readonly detection: Readonly<
    Record<Outsider, { readonly joint: number; readonly fit: number; readonly prior: number }>
  >;
}

export interface LatentPriorEvaluation {
  readonly config: LatentPriorExperiment;
  readonly objective: LatentPrior;
  readonly state: HostState;
  readonly seed: number;
  /** The test set. */
  readonly digits: LabelledImages;
}

/** Langevin steps compiled as one call. */
const CHUNK_STEPS = 20;

type Loose = (...args: unknown[]) => Tensor;

/** Everything that is shown of a trained prior. Deterministic in state and seed. */
export function evaluateLatentPrior(given: LatentPriorEvaluation): {
  readonly numbers: LatentPriorNumbers;
  readonly arrays: RunArrays;
} {
  const { config, digits, seed } = given;
  const { pictures, images: count } = config.evaluation;
  const tools = toolsOf(given);
  const real = Float32Array.from(
    digits.images.pixels.subarray(0, count * PIXELS),
    (v) => v / 127.5 - 1,
  );
  const inside = tools.judge(real, 'digits');
  const detection = Object.fromEntries(
    OUTSIDERS.map((name) => {
      const outside = tools.judge(outsider(name, real, seed), name);
      const compare = (part: 'joint' | 'fit' | 'prior') => auroc(inside[part], outside[part]);
      return [name, { joint: compare('joint'), fit: compare('fit'), prior: compare('prior') }];
    }),
  ) as LatentPriorNumbers['detection'];
  const prior = tools.prior(count, false);
  const raw = tools.prior(pictures, true);
  const gaussian = normal({ seed, stream: 'latent-prior/gaussian', step: 0 }, count * tools.nz);
  const energies = {
    posterior: tools.latentEnergy(inside.latents),
    prior: tools.latentEnergy(prior),
    gaussian: tools.latentEnergy(gaussian),
  };
  const mean = (values: Float32Array) => meanAndError(values).mean;
  const first = (z: Float32Array) => z.subarray(0, pictures * tools.nz);
  return {
    numbers: {
      reconstructionError: inside.squaredError / (count * PIXELS),
      posteriorEnergy: mean(energies.posterior),
      priorEnergy: mean(energies.prior),
      gaussianEnergy: mean(energies.gaussian),
      detection,
    },
    arrays: {
      originals: picture(real.subarray(0, pictures * PIXELS)),
      reconstructions: picture(tools.decode(first(inside.latents))),
      samples: picture(tools.decode(first(prior))),
      rawSamples: picture(tools.decode(raw)),
      gaussianSamples: picture(tools.decode(first(gaussian))),
      posteriorEnergy: hostTensor(energies.posterior, [count]),
      priorEnergy: hostTensor(energies.prior, [count]),
      gaussianEnergy: hostTensor(energies.gaussian, [count]),
    },
  };
}

function toolsOf({ config, objective, state, seed }: LatentPriorEvaluation) {
  const { latentDim: nz } = config.network;
  const { posteriorSteps, sigma } = config.objective;
  const { priorSteps, priorStep, images: count } = config.evaluation;
  const compile = <A extends unknown[]>(fn: (...args: A) => Tensor, name: string) =>
    jit(fn, { name: `latent-prior/${name}` }) as unknown as Loose;
  type S = LatentPriorState;

  const decodeBatch = compile((s: S, z: Tensor) => objective.decode(s, z), 'decode');
  const energyBatch = compile(
    (s: S, z: Tensor) => tf.sub(objective.priorEnergy(s)(z), tf.mul(tf.sum(tf.square(z), 1), 0.5)),
    'energy',
  );
  const posterior = compile(
    (s: S, x: Tensor, start: Tensor, noise: Tensor) => objective.posterior(s, x, start, noise),
    'posterior',
  );
  /** log p(x | z) and −U(z), behind each other: [2 B]. */
  const parts = compile(
    (s: S, x: Tensor, z: Tensor) =>
      tf.concat([
        logLikelihood(objective.decode(s, z), x, sigma),
        tf.neg(objective.priorEnergy(s)(z)),
      ]),
    'joint',
  );
  const sampler = langevin({ stepSize: priorStep ** 2 });
  const chain = (raw: boolean) =>
    compile(
      (s: S, z: Tensor, noise: Tensor) =>
        langevinChain(sampler, (v) => tf.neg(objective.priorEnergy(s, raw)(v)), z, {
          normal: noise,
        }).state.x,
      raw ? 'prior, raw' : 'prior',
    );
  const tensor = (data: Float32Array, ...shape: number[]) => hostTensor(data, shape);

  return {
    nz,
    decode: (z: Float32Array) => taken(decodeBatch(state, tensor(z, z.length / nz, nz))),
    latentEnergy: (z: Float32Array) => taken(energyBatch(state, tensor(z, z.length / nz, nz))),
    /** Prior samples by Langevin steps from N(0, I). */
    prior(n: number, raw: boolean): Float32Array {
      const advance = chain(raw);
      let z = normal({ seed, stream: 'latent-prior/start', step: 0 }, n * nz);
      for (let done = 0; done < priorSteps; done += CHUNK_STEPS) {
        const key = { seed, stream: 'latent-prior/chain', step: done };
        const noise = normal(key, CHUNK_STEPS * n * nz);
        z = taken(advance(state, tensor(z, n, nz), tensor(noise, CHUNK_STEPS, n, nz)));
      }
      return z;
    },
    /** Posterior latents of images and how well they explain them. */
    judge(x: Float32Array, name: string) {
      const n = x.length / PIXELS;
      const start = normal({ seed, stream: `latent-prior/${name}/start`, step: 0 }, n * nz);
      // Twice the chain of training: at test time there is no need to hurry.
      const steps = 2 * posteriorSteps;
      const noise = normal({ seed, stream: `latent-prior/${name}/chain`, step: 0 }, steps * n * nz);
      const images = tensor(x, n, 1, SIDE, SIDE);
      const latents = taken(
        posterior(state, images, tensor(start, n, nz), tensor(noise, steps, n, nz)),
      );
      const both = taken(parts(state, images, tensor(latents, n, nz)));
      const [fit, prior] = [both.slice(0, n), both.slice(n)];
      const joint = fit.map((v, i) => v + prior[i]);
      const squaredError = fit.reduce((sum, v) => sum - 2 * sigma ** 2 * v, 0);
      return { latents, fit, prior, joint, squaredError, count };
    },
  };
}

function outsider(name: Outsider, real: Float32Array, seed: number): Float32Array {
  const key = { seed, stream: `latent-prior/${name}`, step: 0 };
  switch (name) {
    case 'noise':
      return uniform(key, real.length).map((u) => 2 * u - 1);
    case 'inverted digits':
      return real.map((v) => -v);
    case 'shuffled pixels': {
      const order = permutation(key, PIXELS);
      return real.map((_, i) => real[i - (i % PIXELS) + order[i % PIXELS]]);
    }
    case 'turned digits':
      return real.map((_, i) => {
        const p = i % PIXELS;
        return real[i - p + (p % SIDE) * SIDE + (SIDE - 1 - Math.floor(p / SIDE))];
      });
  }
}

function taken(tensor: Tensor): Float32Array {
  const copy = (tensor.dataSync() as Float32Array).slice();
  tensor.dispose();
  return copy;
}

function picture(values: Float32Array): HostTensor {
  const bytes = values.map((v) => Math.round((255 * (v + 1)) / 2) / 255);
  return hostTensor(bytes, [values.length / PIXELS, PIXELS]);
}
