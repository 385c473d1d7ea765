import { type HostTensor, hostTensor, sizeOf } from '../core/host-tensor.ts';
import { normal, uniform } from '../core/random.ts';
import type { ByteImages } from '../datasets/images.ts';
import { jit, type Tensor } from '../jit/index.ts';
import type { HostState, Noise, Objective } from '../objectives/objective.ts';
import { drawNoise } from '../train/noise.ts';
import { type ImageSetting, imageShape } from './image-config.ts';
import { toBytes } from './image-samples.ts';

/** Images of one call of the sampler or the energy. */
const CHUNK = 50;

/** Standard deviations of noise added to test images, on the scale of [−1, 1]. */
const NOISE = [0.01, 0.1, 0.5] as const;

/** Images of each kind whose energies are kept. */
const ENERGIES = 1000;

/** Draws samples and evaluates energies of a state, `CHUNK` images at a time. */
export class ImageEvaluator {
  readonly #name: string;
  readonly #shape: readonly number[];
  readonly #dim: number;
  readonly #seed: number;
  readonly #objective: Objective;
  readonly #sample: (state: unknown, noise: unknown) => Tensor;
  readonly #energy: (state: unknown, x: unknown) => Tensor;

  constructor(setting: ImageSetting, objective: unknown, seed: number) {
    const method = objective as Required<Objective>;
    this.#name = setting.name;
    this.#shape = imageShape(setting);
    this.#dim = sizeOf(this.#shape);
    this.#seed = seed;
    this.#objective = method;
    this.#sample = jit((s: unknown, noise: Noise) => method.sample(s, noise), {
      name: `${setting.name}/sample`,
    }) as unknown as (state: unknown, noise: unknown) => Tensor;
    this.#energy = jit((s: unknown, x: Tensor) => method.energy(s, x, 0), {
      name: `${setting.name}/energy`,
    }) as unknown as (state: unknown, x: unknown) => Tensor;
  }

  /** Bytes of `count` samples, [count, 3, size, size]; the same latents at every call. */
  samples(state: HostState, count: number): Uint8Array {
    const out = new Uint8Array(count * this.#dim);
    for (let at = 0; at < count; at += CHUNK) {
      const key = { seed: this.#seed, stream: `${this.#name}/sample`, step: at / CHUNK };
      const specs = this.#objective.sampleNoise?.(CHUNK) ?? {};
      const drawn = this.#sample(state, drawNoise(specs, key));
      const wanted = Math.min(CHUNK, count - at) * this.#dim;
      out.set(toBytes((drawn.dataSync() as Float32Array).subarray(0, wanted)), at * this.#dim);
      drawn.dispose();
    }
    return out;
  }

  /**
   * E(x, 0) for test images, generated ones, test images with noise, and uniform noise: up to 1000
   * of each, [n].
   */
  energies(
    state: HostState,
    { test, generated }: { readonly test: ByteImages; readonly generated: ByteImages },
  ): Record<string, HostTensor> {
    const clean = this.#values(test);
    const key = (stream: string) => ({
      seed: this.#seed,
      stream: `${this.#name}/${stream}`,
      step: 0,
    });
    const found: Record<string, HostTensor> = {
      test: this.#of(state, clean),
      generated: this.#of(state, this.#values(generated)),
    };
    for (const level of NOISE) {
      const noise = normal(key(`noise-${level}`), clean.length);
      const noisy = clean.map((v, i) => v + level * noise[i]);
      found[`noise ${level}`] = this.#of(state, noisy);
    }
    const flat = uniform(key('uniform'), clean.length).map((v) => 2 * v - 1);
    found['uniform'] = this.#of(state, flat);
    return found;
  }

  /** E(x, 0) of the first images of a set, at most 1000, [n]. */
  energyOf(state: HostState, images: ByteImages): HostTensor {
    return this.#of(state, this.#values(images));
  }

  #of(state: HostState, x: Float32Array): HostTensor {
    const count = x.length / this.#dim;
    const out = new Float32Array(count);
    for (let at = 0; at < count; at += CHUNK) {
      const data = new Float32Array(CHUNK * this.#dim);
      data.set(x.subarray(at * this.#dim, (at + CHUNK) * this.#dim));
      const energy = this.#energy(state, hostTensor(data, [CHUNK, ...this.#shape]));
      out.set(energy.dataSync().subarray(0, Math.min(CHUNK, count - at)), at);
      energy.dispose();
    }
    return hostTensor(out, [count]);
  }

  /** The first images in [−1, 1]. */
  #values({ count, pixels }: ByteImages): Float32Array {
    const wanted = pixels.subarray(0, Math.min(count, ENERGIES) * this.#dim);
    return Float32Array.from(wanted, (v) => v / 127.5 - 1);
  }
}
