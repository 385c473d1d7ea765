import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../core/errors.ts';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { normal } from '../core/random.ts';
import { readSafetensorsFile, toHostTensor, writeSafetensorsFile } from '../core/safetensors.ts';
import { loadCifar10 } from '../datasets/image-set.ts';
import type { ByteImages } from '../datasets/images.ts';
import { jit, type Tensor, tf, valueAndGrad } from '../jit/index.ts';
import { type Detection, detection } from '../metrics/auroc.ts';
import type { Objective } from '../objectives/objective.ts';
import { denoise } from '../samplers/denoise.ts';
import { drawNoise } from '../train/noise.ts';
import { dataFolder } from './data-folder.ts';
import { type Environment, environment } from './environment.ts';
import { shippedFolder } from './kept-run.ts';
import { type OodFolders, oodSets } from './ood-sets.ts';
import type { TrainedMethod } from './run-export.ts';

/**
 * Scores of an image, high for what was learned. `energy`: E(x, 0). `gradient`: −‖∇ₓE(x, 0)‖.
 * `typical`: −|E(x, 0) − mean of the training images|, which also tells images that are too likely.
 */
export const OOD_SCORES = ['energy', 'gradient', 'typical'] as const;
export type OodScore = (typeof OOD_SCORES)[number];

export interface OodRow {
  readonly name: string;
  readonly title: string;
  readonly count: number;
  /** AUROC by energy of the paper's model, where it has one. */
  readonly published?: number;
  readonly scores: Readonly<Record<OodScore, Detection>>;
}

export interface OodAbout {
  /** Key of the run whose energy it is, and where its training stood. */
  readonly run: string;
  readonly step: number;
  readonly config: unknown;
  readonly seed: number;
  /** Test images of CIFAR-10. */
  readonly inside: number;
  readonly rows: readonly OodRow[];
  /** Sets that were not at hand, and what they need. */
  readonly missing: readonly {
    readonly name: string;
    readonly title: string;
    readonly needs: string;
    readonly published?: number;
  }[];
  readonly environment: Environment;
}

export interface OodResult extends OodAbout {
  /**
   * E(x, 0) by kind of image, [n]: `inside`, the sets by name, and for Figure 4 `generated`,
   * `generated and denoised`, and `noise 0.01`, `noise 0.1`, `noise 0.5` of the test images.
   */
  readonly energies: Readonly<Record<string, HostTensor>>;
}

export interface OodOptions {
  readonly seed?: number;
  /** Images of each set, at most. Default 2000. */
  readonly most?: number;
  /** Folders of sets that do not lie in `data/cache`, by name. */
  readonly folders?: OodFolders;
  /** η of the denoising step. Default 1.0994e-4, β₀ of the schedule for CIFAR-10. */
  readonly denoiseStep?: number;
  readonly onNotice?: (text: string) => void;
}

const FORMAT = 'gibbs-ood-1';
const DIM = 3072;
const SHAPE = [3, 32, 32] as const;
const CHUNK = 50;
const BETA_0 = 1.0994e-4;
/** Deviations of the noise of Figure 4, on the scale of [−1, 1]. */
const NOISE = [0.01, 0.1, 0.5] as const;

/**
 * Tells images of other sets from test images of CIFAR-10 by the energy of a trained model (paper,
 * Table 4), and the energies of Figure 4: generated images and test images with noise.
 * @throws DataError when CIFAR-10 is not here. A set that is not here is listed as missing.
 */
export async function evaluateOod(
  run: TrainedMethod & { readonly key: string; readonly step: number; readonly config: unknown },
  options: OodOptions = {},
): Promise<OodResult> {
  const { seed = 0, most = 2000, folders = {}, denoiseStep = BETA_0, onNotice } = options;
  const scorer = new Scorer(run);
  const cifar = dataFolder('cifar10', folders['cifar10']);
  const test = first(loadCifar10(cifar, 'test').images, most);
  const inside = scorer.score(values(test));
  const trained = scorer.score(values(first(loadCifar10(cifar, 'train').images, most)));
  const typical = trained.energy.reduce((sum, v) => sum + v, 0) / trained.energy.length;
  const scoresOf = ({ energy, gradient }: Scores) => ({
    energy,
    gradient,
    typical: energy.map((v) => -Math.abs(v - typical)),
  });
  const known = scoresOf(inside);
  const energies: Record<string, Float32Array> = { inside: inside.energy };
  const rows: OodRow[] = [];
  const missing: OodAbout['missing'][number][] = [];
  for (const { name, title, needs, published, load } of oodSets(seed, folders)) {
    let images: ByteImages;
    try {
      images = await load(most);
    } catch (error) {
      if (!(error instanceof DataError) || needs === undefined) throw error;
      onNotice?.(`${title} is left out: ${error.message}; it needs ${needs}`);
      missing.push({ name, title, needs, ...(published !== undefined && { published }) });
      continue;
    }
    const found = name === 'cifar10-train' ? trained : scorer.score(values(images));
    const outside = scoresOf(found);
    energies[name] = found.energy;
    const scores = Object.fromEntries(
      OOD_SCORES.map((score) => [score, detection(known[score], outside[score])]),
    ) as Record<OodScore, Detection>;
    rows.push({
      ...{ name, title, count: images.count, scores },
      ...(published !== undefined && { published }),
    });
  }
  const generated = scorer.samples(Math.min(most, 1000), seed);
  energies['generated'] = scorer.score(generated).energy;
  energies['generated and denoised'] = scorer.score(scorer.denoised(generated, denoiseStep)).energy;
  for (const level of NOISE) {
    const noise = normal({ seed, stream: `ood/noise-${level}`, step: 0 }, test.count * DIM);
    const noisy = values(test).map((v, i) => v + level * noise[i]);
    energies[`noise ${level}`] = scorer.score(noisy).energy;
  }
  return {
    ...{ run: run.key, step: run.step, config: run.config, seed, inside: test.count },
    ...{ rows, missing, environment: environment() },
    energies: Object.fromEntries(
      Object.entries(energies).map(([name, data]) => [name, hostTensor(data, [data.length])]),
    ),
  };
}

/** `data/checkpoints/ood-cifar10.safetensors`. */
export function oodPath(): string {
  return join(shippedFolder(), 'ood-cifar10.safetensors');
}

/** Keeps a result in a file, for notebooks. @throws StoreError when it cannot be written. */
export function writeOod({ energies, ...about }: OodResult, path: string = oodPath()): void {
  writeSafetensorsFile(path, energies, { format: FORMAT, about: JSON.stringify(about) });
}

/** The result that came with the project. @throws DataError when there is none, or it is damaged. */
export function readOod(path: string = oodPath()): OodResult {
  if (!existsSync(path)) {
    throw new DataError(
      `there is no ${path}; make it from a run of cifar10 with 'gibbs ood RUN --ship'`,
    );
  }
  const { tensors, metadata } = readSafetensorsFile(path);
  if (metadata['format'] !== FORMAT) {
    throw new DataError(`${path}: format ${metadata['format'] ?? 'unknown'}, expected ${FORMAT}`);
  }
  const about = JSON.parse(metadata['about']) as OodAbout;
  const energies = [...tensors].map(([name, tensor]) => [name, toHostTensor(tensor)] as const);
  return { ...about, energies: Object.fromEntries(energies) };
}

interface Scores {
  readonly energy: Float32Array;
  readonly gradient: Float32Array;
}

/** Energies and gradients of images in [−1, 1], `CHUNK` at a time. */
class Scorer {
  readonly #method: TrainedMethod;
  readonly #score: (state: unknown, x: unknown) => { energy: Tensor; gradient: Tensor };

  constructor(method: TrainedMethod) {
    const { energy } = method.objective as Required<Objective>;
    this.#method = method;
    this.#score = jit(
      (s: unknown, x: Tensor) => {
        const { aux, grad } = valueAndGrad(
          (y: Tensor) => {
            const values = energy(s, y, 0);
            return [tf.sum(values), values] as const;
          },
          { hasAux: true },
        )(x);
        const norm = tf.sqrt(tf.sum(tf.square(grad), [1, 2, 3]));
        return { energy: aux, gradient: tf.neg(norm) };
      },
      { name: 'ood/score' },
    ) as never;
  }

  score(x: Float32Array): Scores {
    const count = x.length / DIM;
    const energy = new Float32Array(count);
    const gradient = new Float32Array(count);
    this.#chunks(x, (part, at, size) => {
      const found = this.#score(this.#method.state, part);
      energy.set(found.energy.dataSync().subarray(0, size), at);
      gradient.set(found.gradient.dataSync().subarray(0, size), at);
      found.energy.dispose();
      found.gradient.dispose();
    });
    return { energy, gradient };
  }

  denoised(x: Float32Array, step: number): Float32Array {
    const { energy } = this.#method.objective as Required<Objective>;
    const run = jit((s: unknown, y: Tensor) => denoise((v) => energy(s, v, 0), y, step), {
      name: 'ood/denoise',
    }) as unknown as (state: unknown, y: unknown) => Tensor;
    const out = new Float32Array(x.length);
    this.#chunks(x, (part, at, size) => {
      const moved = run(this.#method.state, part);
      out.set(moved.dataSync().subarray(0, size * DIM), at * DIM);
      moved.dispose();
    });
    return out;
  }

  samples(count: number, seed: number): Float32Array {
    const { objective, state } = this.#method;
    const { sample, sampleNoise } = objective as Required<Objective>;
    const run = jit((s: unknown, noise: never) => sample(s, noise), {
      name: 'ood/sample',
    }) as unknown as (s: unknown, noise: unknown) => Tensor;
    const out = new Float32Array(count * DIM);
    for (let at = 0; at < count; at += CHUNK) {
      const key = { seed, stream: 'ood/sample', step: at / CHUNK };
      const drawn = run(state, drawNoise(sampleNoise(CHUNK), key));
      const wanted = Math.min(CHUNK, count - at) * DIM;
      out.set((drawn.dataSync() as Float32Array).subarray(0, wanted), at * DIM);
      drawn.dispose();
    }
    return out;
  }

  #chunks(x: Float32Array, use: (part: HostTensor, at: number, size: number) => void): void {
    const count = x.length / DIM;
    for (let at = 0; at < count; at += CHUNK) {
      const data = new Float32Array(CHUNK * DIM);
      data.set(x.subarray(at * DIM, (at + CHUNK) * DIM));
      use(hostTensor(data, [CHUNK, ...SHAPE]), at, Math.min(CHUNK, count - at));
    }
  }
}

function values({ pixels }: ByteImages): Float32Array {
  return Float32Array.from(pixels, (v) => v / 127.5 - 1);
}

function first(images: ByteImages, most: number): ByteImages {
  const count = Math.min(most, images.count);
  return { ...images, count, pixels: images.pixels.subarray(0, count * DIM) };
}
