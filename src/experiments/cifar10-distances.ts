import { existsSync } from 'node:fs';
import { loadCifar10 } from '../datasets/image-set.ts';
import type { ByteImages } from '../datasets/images.ts';
import { cifarClassifierPath } from './cifar-classifier.ts';
import { firstImages, readSamples, sampleFiles } from './cifar10-samples.ts';
import { dataFolder } from './data-folder.ts';
import { featureDistance } from './feature-distance.ts';
import { ownFeatures } from './feature-network.ts';

/** Fréchet distances of a run's samples, evaluation by evaluation. */
export interface Cifar10Distances {
  /** `FD (own features)`: never comparable to a published FID. */
  readonly title: string;
  /** Test images that the samples are compared with. */
  readonly reference: number;
  /** The distance of as many training images as there are samples. */
  readonly floor: number;
  readonly series: readonly { readonly step: number; readonly distance: number }[];
}

/** Test images per sample, at most all 10,000. */
const REFERENCE_SHARE = 10;

/**
 * The distances of the samples that a run has left in its folder; undefined where the samples or
 * the classifier that measures them are not there.
 * @param data folder of CIFAR-10's binary files. Default: the fetched one.
 */
export function cifar10Distances(folder: string, data?: string): Cifar10Distances | undefined {
  const files = sampleFiles(folder);
  if (files.length === 0 || !existsSync(cifarClassifierPath())) return undefined;
  const network = ownFeatures();
  const files10 = dataFolder('cifar10', data);
  const { count } = readSamples(files[0].path);
  const reference = firstImages(loadCifar10(files10, 'test').images, REFERENCE_SHARE * count);
  const training = firstImages(loadCifar10(files10, 'train').images, count);
  const measure = (images: ByteImages) => featureDistance(images, reference, { network });
  const series = files.map(({ step, path }) => ({ step, ...measure(readSamples(path)) }));
  return {
    title: network.title,
    reference: reference.count,
    floor: measure(training).distance,
    series: series.map(({ step, distance }) => ({ step, distance })),
  };
}
