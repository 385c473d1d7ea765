import { existsSync } from 'node:fs';
import { DataError } from '../core/errors.ts';
import type { HostTensor } from '../core/host-tensor.ts';
import type { ByteImages } from '../datasets/images.ts';
import { encodeRgbPng, pictureSheet } from '../datasets/png.ts';
import { auroc } from '../metrics/auroc.ts';
import { inceptionScore } from '../metrics/inception-score.ts';
import { cifarClassifierPath } from './cifar-classifier.ts';
import { type Cifar10Config, cifar10Objective } from './cifar10-config.ts';
import { cifar10Distances } from './cifar10-distances.ts';
import { Cifar10Evaluator } from './cifar10-evaluation.ts';
import { firstImages, readSamples, sampleFiles } from './cifar10-samples.ts';
import { ownFeatures } from './feature-network.ts';
import { madeSets } from './ood-sets.ts';
import { lastState } from './run-objective.ts';

/** How the distance of a run's samples to the data fell, and what the last ones look like. */
export interface ImageRunDetails {
  /** `FD (own features)`: never comparable to a published FID. */
  readonly title: string;
  /** Test images that the samples were compared with, and samples of each evaluation. */
  readonly reference: number;
  readonly samples: number;
  /** The distance of as many training images. */
  readonly floor: number;
  /** Iterations of the evaluations, and the distances there. */
  readonly steps: readonly number[];
  readonly distances: readonly number[];
  /** Some of the last samples: a PNG in base64, in 216 colours. */
  readonly sheet: string;
}

export interface Cifar10Details {
  /** Absent where the run's folder holds no samples, or CIFAR-10 or the classifier is not here. */
  readonly images?: ImageRunDetails;
  /**
   * `fd`: the distance at the end; `ownScore`: the Inception score of the own classifier's classes;
   * `auroc.SET`: how well E(x, 0) tells 1000 test images from those of the sets of `madeSets`, and
   * from themselves with noise (`noise 0.01`, …), where a checkpoint is left.
   */
  readonly numbers: Readonly<Record<string, number>>;
}

/** What is measured of a finished run: a part of its record in the store. */
export interface Cifar10Run {
  readonly config: Cifar10Config;
  readonly seed: number;
  readonly arrays: Readonly<Record<string, HostTensor>>;
}

/** Samples in a sheet. */
const SHOWN = 16;
/** Shades of each channel in it. */
const SHADES = 6;
const ENERGY = 'energy/';
const INSIDE = 'test';
const IMAGES = 1000;

/** Measures what the folder of a finished run holds, as far as the data are here. */
export function cifar10Details(folder: string, run: Cifar10Run): Cifar10Details {
  const images = ifPresent(() => imageDetails(folder));
  return {
    ...(images && { images: images.details }),
    numbers: { ...images?.numbers, ...detection(folder, run) },
  };
}

function imageDetails(folder: string) {
  const last = sampleFiles(folder).at(-1);
  if (last === undefined || !existsSync(cifarClassifierPath())) return undefined;
  const found = cifar10Distances(folder);
  if (found === undefined) return undefined;
  const network = ownFeatures();
  const samples = readSamples(last.path);
  const score = inceptionScore(network.evaluate(samples).logits, network.classes).mean;
  const { title, reference, floor, series } = found;
  const steps = series.map(({ step }) => step);
  const distances = series.map(({ distance }) => rounded(distance));
  const details: ImageRunDetails = {
    ...{ title, reference, samples: samples.count, floor: rounded(floor), steps, distances },
    sheet: Buffer.from(encodeRgbPng(pictureSheet(posterised(samples)))).toString('base64'),
  };
  return {
    details,
    numbers: { fd: distances[distances.length - 1], ownScore: rounded(score) },
  };
}

/** AUROC of the energy at t = 0; sets whose files are not here are left out. */
function detection(folder: string, { config, seed, arrays }: Cifar10Run): Record<string, number> {
  const inside = arrays[`${ENERGY}${INSIDE}`]?.data;
  if (inside === undefined) return {};
  const found: Record<string, number> = {};
  const put = (name: string, outside: ArrayLike<number>) => {
    found[`auroc.${name}`] = rounded(auroc(inside, outside));
  };
  for (const [name, { data }] of Object.entries(arrays)) {
    if (name.startsWith(`${ENERGY}noise`)) put(name.slice(ENERGY.length), data);
  }
  const objective = cifar10Objective(config);
  const evaluator = new Cifar10Evaluator(objective, seed);
  const state = ifPresent(() => lastState(objective, folder, seed).state);
  if (state === undefined) return found;
  for (const { name, images } of madeSets(seed)) {
    const outside = ifPresent(() => images(IMAGES));
    if (outside) put(name, evaluator.energyOf(state, outside).data);
  }
  return found;
}

function ifPresent<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DataError) return undefined;
    throw error;
  }
}

/** The first images in few colours, which a picture file holds in few bytes. */
function posterised(images: ByteImages): ByteImages {
  const few = firstImages(images, SHOWN);
  const step = 255 / (SHADES - 1);
  return { ...few, pixels: few.pixels.map((v) => Math.round(Math.round(v / step) * step)) };
}

/** Five digits: more than the seed fixes. */
function rounded(value: number): number {
  return Number(value.toPrecision(5));
}
