import { type HostTensor, hostTensor, sizeOf } from '../core/host-tensor.ts';
import { logitJacobian, logitPixels, pixelsOfLogits } from '../datasets/dequantise.ts';
import type { LabelledImages } from '../datasets/image-set.ts';
import { jit, type Tensor } from '../jit/index.ts';
import { bitsPerDim, meanAndError } from '../metrics/likelihood.ts';
import type { Params } from '../nn/params.ts';
import type { HostState, Objective } from '../objectives/objective.ts';
import { drawNoise } from '../train/noise.ts';
import type { RunArrays } from './kept-run.ts';
import { MNIST_DIM, type NiceCommon, type NiceMethodSpec } from './nice-settings.ts';

/** Likelihoods after some iterations, nats per image in logit space. */
export interface NiceRow {
  readonly step: number;
  readonly test: number;
  readonly train: number;
}

export interface NiceNumbers {
  /** Mean test log-likelihood of all 10,000 images at the end, nats per image in logit space. */
  readonly test: number;
  /** Standard error of that mean over the images. */
  readonly testError: number;
  /** The same for as many training images. */
  readonly train: number;
  /** The test value with the Jacobian of the logit, as bits per dequantised pixel. */
  readonly bitsPerDim: number;
  /** Scalars of the energy. */
  readonly parameters: number;
  /** How far x and inverse(forward(x)) lie apart on test images, at most. */
  readonly inverseError: number;
  readonly series: readonly NiceRow[];
}

interface Sets {
  readonly trainSet: LabelledImages;
  readonly testSet: LabelledImages;
  readonly seed: number;
}

/** Images evaluated by one call. */
const CHUNK = 500;

type Loose = (...args: unknown[]) => Tensor;

/** Evaluates states of one training: the normalised density at the level of clean data. */
export class NiceEvaluator<State> {
  readonly #config: NiceCommon;
  readonly #spec: NiceMethodSpec<NiceCommon>;
  readonly #objective: Objective<State>;
  readonly #sets: Sets;
  readonly #density: Loose;
  readonly #inverse: Loose;
  readonly #roundTrip: Loose;

  constructor(
    config: NiceCommon,
    spec: NiceMethodSpec<NiceCommon>,
    objective: Objective<State>,
    sets: Sets,
  ) {
    this.#config = config;
    this.#spec = spec;
    this.#objective = objective;
    this.#sets = sets;
    const flow = (p: Params) => spec.flow(config, p);
    const compiled = (fn: (p: Params, x: Tensor) => Tensor, name: string) =>
      jit(fn, { name: `nice/${name}` }) as unknown as Loose;
    this.#density = compiled((p, x) => flow(p).logDensity(x), 'density');
    this.#inverse = compiled((p, y) => flow(p).inverse(y), 'inverse');
    this.#roundTrip = compiled((p, x) => flow(p).inverse(flow(p).forward(x)), 'round trip');
  }

  /** Both likelihoods on the first images of either set. */
  row(state: HostState, step: number): NiceRow {
    const { images } = this.#config.evaluation;
    const params = this.#params(state);
    const at = (split: 'test' | 'train') =>
      meanAndError(this.#logDensities(params, split, images).values).mean;
    return { step, test: at('test'), train: at('train') };
  }

  numbers(state: HostState, series: readonly NiceRow[]): NiceNumbers {
    const params = this.#params(state);
    const all = this.#sets.testSet.images.count;
    const test = this.#logDensities(params, 'test', all);
    const { mean, error } = meanAndError(test.values);
    const jacobian = meanAndError(test.jacobians).mean;
    return {
      test: mean,
      testError: error,
      train: meanAndError(this.#logDensities(params, 'train', all).values).mean,
      bitsPerDim: bitsPerDim(mean - jacobian, MNIST_DIM),
      parameters: Object.values(params).reduce((sum, p) => sum + sizeOf(p.shape), 0),
      inverseError: this.#inverseError(params),
      series,
    };
  }

  /** Pictures [n, 784] in [0, 1], rounded to whole bytes. */
  samples(state: HostState): RunArrays {
    const { samples: n } = this.#config.evaluation;
    const params = this.#params(state);
    const { seed } = this.#sets;
    const specs = { y: { kind: 'normal' as const, shape: [n, MNIST_DIM] } };
    const { y } = drawNoise(specs, { seed, stream: 'nice/exact', step: 0 });
    const exact = pictures(taken(this.#inverse(params, y)), n);
    const { sample, sampleNoise } = this.#objective;
    const generates = this.#spec.generatorPlayers.length > 0 && sample && sampleNoise;
    if (!generates) return { exact };
    // Batch norm of a sampler takes the statistics of the samples: no fewer than a training batch.
    const count = Math.max(n, this.#config.batch);
    const noise = drawNoise(sampleNoise(count), { seed, stream: 'nice/generated', step: 0 });
    const draw = jit((s: State, z: Readonly<Record<string, Tensor>>) => sample(s, z), {
      name: 'nice/sample',
    }) as unknown as Loose;
    return { exact, generated: pictures(taken(draw(state, noise)), n) };
  }

  #params(state: HostState): Readonly<Record<string, HostTensor>> {
    return this.#objective.exportNetworks!(state)[this.#spec.energyNetwork];
  }

  #logDensities(params: unknown, split: 'test' | 'train', count: number) {
    const { images } = split === 'test' ? this.#sets.testSet : this.#sets.trainSet;
    const n = Math.min(count, images.count);
    const values = new Float64Array(n);
    const jacobians = new Float64Array(n);
    for (let at = 0; at < n; at += CHUNK) {
      const size = Math.min(CHUNK, n - at);
      const x = this.#logits(split, at, size);
      values.set(taken(this.#density(params, hostTensor(x, [size, MNIST_DIM]))), at);
      jacobians.set(logitJacobian(x, MNIST_DIM), at);
    }
    return { values, jacobians };
  }

  #inverseError(params: unknown): number {
    const size = Math.min(100, this.#sets.testSet.images.count);
    const x = this.#logits('test', 0, size);
    const back = taken(this.#roundTrip(params, hostTensor(x, [size, MNIST_DIM])));
    return back.reduce((worst, v, i) => Math.max(worst, Math.abs(v - x[i])), 0);
  }

  /** Dequantised once and for all: every evaluation of a seed sees the same logits. */
  #logits(split: 'test' | 'train', at: number, count: number): Float32Array {
    const { images } = split === 'test' ? this.#sets.testSet : this.#sets.trainSet;
    const pixels = images.pixels.subarray(at * MNIST_DIM, (at + count) * MNIST_DIM);
    const key = { seed: this.#sets.seed, stream: `nice/${split}/dequantise`, step: at };
    return logitPixels(pixels, key);
  }
}

function taken(tensor: Tensor): Float32Array {
  const copy = (tensor.dataSync() as Float32Array).slice();
  tensor.dispose();
  return copy;
}

function pictures(logits: Float32Array, n: number): HostTensor {
  const bytes = pixelsOfLogits(logits.subarray(0, n * MNIST_DIM)).map(
    (x) => Math.round(255 * x) / 255,
  );
  return hostTensor(bytes, [n, MNIST_DIM]);
}
