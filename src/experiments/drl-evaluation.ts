import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { normal } from '../core/random.ts';
import type { ByteImages } from '../datasets/images.ts';
import { jit, type Tensor } from '../jit/index.ts';
import type { Drl } from '../objectives/drl.ts';
import type { HostState } from '../objectives/objective.ts';
import { CIFAR_DIM, CIFAR_SHAPE } from './cifar10-config.ts';
import { toBytes } from './cifar10-samples.ts';
import type { DrlImageConfig } from './drl-config.ts';

/** Images of one call. */
const CHUNK = 50;

/** f at a level t over some images, mean and standard deviation. */
export interface LevelMoments {
  readonly mean: number;
  readonly deviation: number;
}

/** Energies f(y_t, t) of one level. */
export interface LevelEnergies {
  readonly level: number;
  /** s̄_t, the noise in x_t. */
  readonly noise: number;
  /** Of test images brought to this level. */
  readonly data: LevelMoments;
  /** Of the same images one level further up, x_{t+1}: where the chains start. */
  readonly start: LevelMoments;
  /** Of the ends of those chains. */
  readonly recovered: LevelMoments;
  /** Of samples drawn from noise, as they pass this level. */
  readonly generated: LevelMoments;
}

/** Chains from noise to images: x_T, …, x_0, each [n, 3, 32, 32]. */
export type Trajectory = readonly Float32Array[];

type Call = (...args: unknown[]) => Tensor;
type Prepare = (state: unknown) => Record<string, Tensor>;

/** Draws samples and evaluates energies of a state, level by level and `CHUNK` images at a time. */
export class DrlEvaluator {
  readonly #seed: number;
  readonly #objective: Drl;
  readonly #config: DrlImageConfig;
  readonly #prepare: Prepare;
  readonly #chain: Call;
  readonly #energy: Call;

  constructor(objective: Drl, config: DrlImageConfig, seed: number) {
    this.#seed = seed;
    this.#objective = objective;
    this.#config = config;
    const named = (fn: unknown, name: string) =>
      jit(fn as (...args: never[]) => Tensor, { name: `drl/${name}` }) as unknown;
    this.#prepare = named(objective.evaluationParams, 'prepare') as Prepare;
    this.#chain = named(objective.levelChain, 'chain') as Call;
    this.#energy = named(objective.levelEnergy, 'energy') as Call;
  }

  /**
   * Bytes of `count` samples, [count, 3, 32, 32]: for each level from the top, K Langevin steps
   * whose noise is scaled by η. The same draws at every call, other ones for each image.
   */
  samples(state: HostState, count: number): Uint8Array {
    const out = new Uint8Array(count * CIFAR_DIM);
    this.#with(state, (params) => {
      for (let at = 0; at < count; at += CHUNK) {
        const levels = this.#run(params, at / CHUNK);
        const wanted = Math.min(CHUNK, count - at) * CIFAR_DIM;
        out.set(toBytes(levels[levels.length - 1].subarray(0, wanted)), at * CIFAR_DIM);
      }
    });
    return out;
  }

  /** The first `count` samples on their way, at most as many as one call draws. */
  trajectory(state: HostState, count: number): Trajectory {
    return this.#with(state, (params) =>
      this.#run(params, 0).map((x) => x.slice(0, Math.min(CHUNK, count) * CIFAR_DIM)),
    );
  }

  /** f(y_t, t) at every level, over the first `CHUNK` images. */
  levels(state: HostState, test: ByteImages): LevelEnergies[] {
    const count = Math.min(CHUNK, test.count);
    const { schedule: s } = this.#objective;
    const x0 = Float32Array.from({ length: CHUNK * CIFAR_DIM }, (_, i) => {
      return test.pixels[i % (count * CIFAR_DIM)] / 127.5 - 1;
    });
    return this.#with(state, (params) => {
      const way = this.#run(params, 0);
      return Array.from({ length: s.steps }, (_, t) => {
        const e = this.#normal(`levels/x/${t}`, 0);
        const e2 = this.#normal(`levels/next/${t}`, 0);
        const x = x0.map((v, i) => s.aCum[t] * v + s.sigmaCum[t] * e[i]);
        const next = x.map((v, i) => s.a[t + 1] * v + s.sigma[t + 1] * e2[i]);
        const y = (values: Float32Array) => values.map((v) => v * s.scale[t]);
        const end = this.#chained(params, next, t, this.#noise('levels/chain', t, 0, 1));
        const of = (values: Float32Array) => this.#moments(params, values, t);
        return {
          level: t,
          noise: s.sigmaCum[t],
          data: of(y(x)),
          start: of(next),
          recovered: of(end),
          generated: of(y(way[s.steps - t])),
        };
      });
    });
  }

  /** The parameters to evaluate with, for the time of `use`. */
  #with<T>(state: HostState, use: (params: Record<string, Tensor>) => T): T {
    const params = this.#prepare(state);
    try {
      return use(params);
    } finally {
      for (const tensor of Object.values(params)) tensor.dispose();
    }
  }

  /** x_T, …, x_0 of chunk `index`. */
  #run(params: unknown, index: number): Float32Array[] {
    const { schedule: s } = this.#objective;
    const out = [this.#normal('start', index)];
    for (let t = s.steps - 1; t >= 0; t--) {
      const noise = this.#noise('chain', t, index, this.#config.evaluation.noiseScale);
      const y = this.#chained(params, out[out.length - 1], t, noise);
      out.push(y.map((v) => v / s.scale[t]));
    }
    return out;
  }

  #chained(params: unknown, next: Float32Array, t: number, noise: HostTensor): Float32Array {
    const end = this.#chain(params, imageTensor(next), level(t), noise);
    const values = (end.dataSync() as Float32Array).slice();
    end.dispose();
    return values;
  }

  #moments(params: unknown, y: Float32Array, t: number): LevelMoments {
    const found = this.#energy(params, imageTensor(y), level(t));
    const values = Array.from(found.dataSync());
    found.dispose();
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    const square = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
    return { mean, deviation: Math.sqrt(square) };
  }

  #noise(stream: string, t: number, index: number, scale: number): HostTensor {
    const { steps } = this.#config.chain;
    const key = { seed: this.#seed, stream: `drl/sample/${stream}/${t}`, step: index };
    const data = normal(key, steps * CHUNK * CIFAR_DIM);
    if (scale !== 1) for (let i = 0; i < data.length; i++) data[i] *= scale;
    return hostTensor(data, [steps, CHUNK, ...CIFAR_SHAPE]);
  }

  #normal(stream: string, index: number): Float32Array {
    const key = { seed: this.#seed, stream: `drl/sample/${stream}`, step: index };
    return normal(key, CHUNK * CIFAR_DIM);
  }
}

const imageTensor = (data: Float32Array) => hostTensor(data, [CHUNK, ...CIFAR_SHAPE]);
const level = (t: number) => hostTensor(new Int32Array(CHUNK).fill(t), [CHUNK]);
