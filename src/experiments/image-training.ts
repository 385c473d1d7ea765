import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type HostTensor, hostTensor, sizeOf } from '../core/host-tensor.ts';
import { type Key, uniform } from '../core/random.ts';
import type { ByteImages } from '../datasets/images.ts';
import { encodeRgbPng, pictureSheet } from '../datasets/png.ts';
import { train } from '../train/loop.ts';
import type { MetricsRow, OpenRun } from '../train/run.ts';
import { EvaluatedRun } from './evaluated-run.ts';
import {
  type ImageConfig,
  type ImageSetting,
  imageObjective,
  imageRates,
  imageShape,
} from './image-config.ts';
import { ImageEvaluator } from './image-evaluation.ts';
import { sharedImages } from './image-parts.ts';
import {
  encodeImages,
  firstImages,
  readImages,
  samplesName,
  thumbnailDistance,
} from './image-samples.ts';
import type { KeptOutcome, KeptRunOptions } from './kept-run.ts';

/** What some samples of the generator were like. */
export interface ImageRow {
  readonly step: number;
  readonly samples: number;
  /** Fréchet distance of 4 × 4 thumbnails to those of as many test images. */
  readonly thumbnailDistance: number;
  /** Mean and standard deviation of all their pixels, in [0, 1]. */
  readonly mean: number;
  readonly deviation: number;
}

export interface ImageNumbers {
  readonly series: readonly ImageRow[];
  /** The thumbnail distance of as many training images to the test images: what is to be reached. */
  readonly floor: number;
  /** Losses on the way, means over the iterations since the row before. */
  readonly curve: readonly MetricsRow[];
  /** Parameters of the energy, and of generator and encoder. */
  readonly parameters: { readonly energy: number; readonly generator: number };
}

/** Images to compare with, [n, 3, size, size]: as many as the evaluation needs, or all there are. */
export interface ImageReferences {
  readonly training: ByteImages;
  readonly test: ByteImages;
}

/** Prefix of the arrays that hold energies. */
const ENERGY = 'energy/';

/** Rows of the loss curve. */
const CURVE_ROWS = 200;

/** What of a training decides its numbers, beside the seed. */
export function imageTraining(
  setting: ImageSetting,
  config: ImageConfig,
  data: (key: Key) => HostTensor,
) {
  return {
    objective: imageObjective(setting, config),
    data,
    steps: config.steps,
    scalars: imageRates(config),
  };
}

/**
 * Trains in a run folder. Every evaluation leaves samples (bytes, in safetensors) and a sheet of
 * pictures (PNG) there. The arrays of the outcome: `pictures` [evaluations, n, 3, size, size], the
 * same latents at each; `real` [n, 3, size, size]; energies by kind of image (see `energiesOf`).
 * @param options without `parts` batches are taken whole.
 */
export async function trainImages(
  folder: OpenRun,
  setting: ImageSetting,
  config: ImageConfig,
  training: ReturnType<typeof imageTraining>,
  references: ImageReferences,
  options: KeptRunOptions,
): Promise<KeptOutcome<ImageNumbers>> {
  const { seed = 0, checkpointSeconds = 60, onProgress, signal } = options;
  const { evaluation } = config;
  const { objective } = training;
  const truth = firstImages(references.test, evaluation.samples);
  const evaluator = new ImageEvaluator(setting, objective, seed);
  const evaluated = new EvaluatedRun<ImageRow>(folder, evaluation.every, (state, step) => {
    const images = imagesOfSide(evaluator.samples(state, evaluation.samples), setting.size);
    folder.write(samplesName(step), encodeImages(images));
    const shown = firstImages(images, evaluation.pictures);
    const name = samplesName(step).replace('safetensors', 'png');
    folder.write(name, encodeRgbPng(pictureSheet(shown)));
    return {
      step,
      samples: images.count,
      thumbnailDistance: thumbnailDistance(images, truth),
      ...moments(images.pixels),
    };
  });
  const trained = await train({
    ...training,
    ...sharedImages(setting, config, options, options.parts ?? 1),
    seed,
    run: evaluated,
    checkpointSeconds,
    checkpointSteps: evaluation.every,
    logEvery: Math.max(1, Math.floor(config.steps / CURVE_ROWS)),
    onProgress: onProgress && ((progress) => onProgress(progress, 'ddaebm')),
    signal,
  });
  const { series } = evaluated;
  const files = series.map(({ step }) => join(folder.folder, samplesName(step)));
  const sheets = files.filter(existsSync).map((path) => readImages(path, setting.size));
  const shown = sheets.map((images) => firstImages(images, evaluation.pictures).pixels);
  const reals = firstImages(references.training, evaluation.pictures);
  const last = sheets[sheets.length - 1];
  const energies = evaluator.energies(trained.state, { test: references.test, generated: last });
  const { energy, generator } = objective.players;
  const shape = imageShape(setting);
  return {
    numbers: {
      series,
      floor: thumbnailDistance(firstImages(references.training, evaluation.samples), truth),
      curve: folder.metrics(),
      parameters: { energy: energy.layout.total, generator: generator.layout.total },
    },
    arrays: {
      pictures: imageBytes(shown, [shown.length, evaluation.pictures, ...shape]),
      real: imageBytes([reals.pixels], [reals.count, ...shape]),
      ...Object.fromEntries(Object.entries(energies).map(([k, v]) => [`${ENERGY}${k}`, v])),
    },
    steps: trained.step,
    seconds: trained.seconds,
    checksum: trained.checksum,
  };
}

/** E(x, 0) by kind of image, `test`, `generated`, `noise 0.1`, …, among the arrays of a run. */
export function energiesOf(
  arrays: Readonly<Record<string, HostTensor>>,
): Record<string, HostTensor> {
  return Object.fromEntries(
    Object.entries(arrays)
      .filter(([name]) => name.startsWith(ENERGY))
      .map(([name, values]) => [name.slice(ENERGY.length), values]),
  );
}

/** Batches [n, channels, height, width] with half of the images mirrored. */
export function mirrored(batch: (key: Key) => HostTensor): (key: Key) => HostTensor {
  return (key) => {
    const { data, shape } = batch(key);
    const [count, , , width] = shape;
    const coins = uniform({ ...key, stream: `${key.stream}/flip` }, count);
    const size = sizeOf(shape) / count;
    const out = new Float32Array(data.length);
    for (let i = 0; i < data.length; i++) {
      const flip = coins[Math.floor(i / size)] < 0.5;
      out[i] = data[flip ? i + width - 1 - 2 * (i % width) : i];
    }
    return hostTensor(out, shape);
  };
}

/** Pixels [n, 3, side, side] as images. */
export function imagesOfSide(pixels: Uint8Array, side: number): ByteImages {
  const count = pixels.length / (3 * side * side);
  return { count, channels: 3, height: side, width: side, pixels };
}

/** Mean and standard deviation of bytes as numbers in [0, 1]. */
export function moments(pixels: Uint8Array): { mean: number; deviation: number } {
  let sum = 0;
  let squares = 0;
  for (const v of pixels) {
    sum += v;
    squares += v * v;
  }
  const mean = sum / pixels.length;
  return { mean: mean / 255, deviation: Math.sqrt(squares / pixels.length - mean ** 2) / 255 };
}

/** Bytes as whole numbers, the form in which arrays of results are kept. */
export function imageBytes(parts: readonly Uint8Array[], shape: readonly number[]): HostTensor {
  const data = new Int32Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return hostTensor(data, shape);
}
