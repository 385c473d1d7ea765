import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../core/errors.ts';
import { makeFolder } from '../core/folders.ts';
import { readSafetensorsFile, toNumbers, writeSafetensorsFile } from '../core/safetensors.ts';
import type { ByteImages } from '../datasets/images.ts';
import { FeatureAccumulator } from '../metrics/feature-accumulator.ts';
import { type FeatureStatistics, frechetDistance } from '../metrics/fid.ts';
import { type InceptionScore, inceptionScore } from '../metrics/inception-score.ts';
import { type KernelDistance, kernelDistance } from '../metrics/kid.ts';
import { matrix } from '../metrics/linalg.ts';
import { type PrecisionRecall, precisionRecall } from '../metrics/precision-recall.ts';
import { dataCache } from './data-folder.ts';
import { type FeatureNetwork, ownFeatures, sha256 } from './feature-network.ts';

export interface FeatureDistanceOptions {
  /** Default: the classifier of CIFAR-10 that came with the project. */
  readonly network?: FeatureNetwork;
  /** Folder of kept statistics; `null` keeps none. Default `data/cache/statistics`. */
  readonly cache?: string | null;
  readonly onNotice?: (text: string) => void;
}

export interface FeatureDistance {
  /** `FID` or `FD (own features)`. */
  readonly title: string;
  /** The squared Fréchet distance between the Gaussians of the features. */
  readonly distance: number;
  /** Images on either side. */
  readonly samples: number;
  readonly reference: number;
}

const FORMAT = 'gibbs-feature-statistics-1';

/** Images whose features are in memory at a time. */
const PART = 1000;

/**
 * Fréchet distance between the features of two sets of images. The statistics of `reference` are
 * kept in a file, by the bytes of the images and of the weights.
 *
 * With n samples the distance is too large by a share that falls as 1/n: compare equal n only, and
 * take n well above the number of features (192 of the own classifier, 2048 of Inception).
 * @throws DataError when the images are of another size than the network takes.
 */
export function featureDistance(
  samples: ByteImages,
  reference: ByteImages,
  options: FeatureDistanceOptions = {},
): FeatureDistance {
  const { network = ownFeatures() } = options;
  const known = keptStatistics(reference, { ...options, network });
  const found = imageStatistics(samples, network);
  return {
    title: network.title,
    distance: frechetDistance(found, known),
    samples: samples.count,
    reference: reference.count,
  };
}

/** Mean and covariance of the features of a set of images, formed in parts. */
export function imageStatistics(images: ByteImages, network: FeatureNetwork): FeatureStatistics {
  const all = new FeatureAccumulator(network.size);
  for (let at = 0; at < images.count; at += PART) {
    all.add(network.evaluate(part(images, at, PART)).features);
  }
  return all.statistics();
}

/** `imageStatistics`, taken from a file where they were formed before. */
export function keptStatistics(
  images: ByteImages,
  options: FeatureDistanceOptions & { readonly network: FeatureNetwork },
): FeatureStatistics {
  const { network, cache = join(dataCache(), 'statistics'), onNotice } = options;
  if (cache === null) return imageStatistics(images, network);
  const shape = [images.count, images.channels, images.height, images.width].join('x');
  const name = sha256(new TextEncoder().encode(`${network.id} ${shape} ${sha256(images.pixels)}`));
  const path = join(cache, `${name.slice(0, 32)}.safetensors`);
  if (existsSync(path)) {
    try {
      return readStatistics(path, network.size);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      onNotice?.(`${error.message}; the statistics are formed anew`);
    }
  }
  const statistics = imageStatistics(images, network);
  makeFolder(cache);
  const { count, mean, covariance } = statistics;
  const size = network.size;
  writeSafetensorsFile(
    path,
    {
      mean: { dtype: 'F64', shape: [size], data: mean },
      covariance: { dtype: 'F64', shape: [size, size], data: covariance.data },
    },
    { format: FORMAT, count: String(count), network: network.id },
  );
  return statistics;
}

/** Statistics as `keptStatistics` writes them. @throws DataError when they are damaged. */
export function readStatistics(path: string, size: number): FeatureStatistics {
  const { tensors, metadata } = readSafetensorsFile(path);
  const [mean, covariance] = [tensors.get('mean'), tensors.get('covariance')];
  const count = Number(metadata['count']);
  if (metadata['format'] !== FORMAT || !mean || !covariance || !(count >= 2)) {
    throw new DataError(`${path}: holds no statistics of features`);
  }
  if (mean.data.length !== size || covariance.data.length !== size * size) {
    throw new DataError(`${path}: ${mean.data.length} features, expected ${size}`);
  }
  return {
    count,
    mean: toNumbers(mean),
    covariance: matrix(size, size, toNumbers(covariance)),
  };
}

/** Everything that is measured between samples and real images. */
export interface FeatureReport extends FeatureDistance {
  /** Over 50 subsets of at most 1000 images, drawn among the first 5000 real ones. */
  readonly kernelDistance: KernelDistance;
  /** Of at most 5000 images of either set, the first ones. */
  readonly precisionRecall: PrecisionRecall;
  /** exp E KL(p(y|x) ‖ p(y)) of the network's own classes, one split. */
  readonly score: InceptionScore;
}

/** Rows of precision and recall, whose cost grows with their square. */
const MANIFOLD_ROWS = 5000;

/** Subsets of 1000 images for the kernel distance: half the usual number, for half the time. */
const KERNEL_SUBSETS = 50;

/** Fréchet and kernel distance, precision, recall and score. Errors as `featureDistance`. */
export function featureReport(
  samples: ByteImages,
  reference: ByteImages,
  options: FeatureDistanceOptions = {},
): FeatureReport {
  const { network = ownFeatures() } = options;
  const known = keptStatistics(reference, { ...options, network });
  const { features, logits } = network.evaluate(samples);
  const found = new FeatureAccumulator(network.size).add(features).statistics();
  const real = network.evaluate(part(reference, 0, MANIFOLD_ROWS)).features;
  const head = features.subarray(0, MANIFOLD_ROWS * network.size);
  return {
    title: network.title,
    distance: frechetDistance(found, known),
    samples: samples.count,
    reference: reference.count,
    kernelDistance: kernelDistance(real, features, network.size, { subsets: KERNEL_SUBSETS }),
    precisionRecall: precisionRecall(real, head, network.size),
    score: inceptionScore(logits, network.classes),
  };
}

function part(images: ByteImages, at: number, most: number): ByteImages {
  const count = Math.min(most, images.count - at);
  const size = images.channels * images.height * images.width;
  return { ...images, count, pixels: images.pixels.subarray(at * size, (at + count) * size) };
}
