import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../core/errors.ts';
import { fromFloat16, toFloat16 } from '../core/float16.ts';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { integers, type Key } from '../core/random.ts';
import {
  readSafetensorsFile,
  type StoredTensor,
  writeSafetensorsFile,
} from '../core/safetensors.ts';
import { epochBatches } from '../datasets/epochs.ts';
import { type LabelledImages, loadCifar10 } from '../datasets/image-set.ts';
import type { ByteImages } from '../datasets/images.ts';
import { jit, type Tensor } from '../jit/index.ts';
import {
  CIFAR_CLASSES,
  type CifarClassifierConfig,
  cifarClassifier,
} from '../models/cifar-classifier.ts';
import type { Params } from '../nn/params.ts';
import { imageClassification } from '../objectives/image-classification.ts';
import { type Progress, train } from '../train/loop.ts';
import { RunFolder } from '../train/run.ts';
import { dataFolder } from './data-folder.ts';
import { type Environment, environment } from './environment.ts';
import { type Estimate, estimateTraining } from './eta.ts';
import { shippedFolder } from './kept-run.ts';
import { defaultRunsFolder } from './runs-folder.ts';

const FORMAT = 'gibbs-cifar-classifier-1';
const CHANNELS = 3;
const SIDE = 32;
const PLANE = SIDE * SIDE;
const PIXELS = CHANNELS * PLANE;
/** Images per call of the finished network. */
const CHUNK = 200;

export interface CifarClassifierOptions {
  /** Iterations. Default 10 epochs of 390. */
  readonly steps?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Folder of CIFAR-10's binary files. Default: the fetched one. */
  readonly data?: string;
  /** The folder of all runs. Default: `data/runs` of the project. */
  readonly root?: string;
  readonly checkpointSeconds?: number;
  readonly onProgress?: (progress: Progress) => void;
  readonly onNotice?: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** What a stored classifier says of itself. */
export interface CifarClassifierRecord {
  /** Share of the 10,000 test images that it names rightly, with the parameters as stored. */
  readonly accuracy: number;
  readonly widths: readonly [number, number, number, number];
  readonly steps: number;
  readonly seed: number;
  readonly seconds: number;
  readonly environment: Environment;
}

/** What a trained classifier computes of images 3 x 32 x 32. */
export interface CifarFeatures {
  /** Length of the features, and number of classes. */
  readonly size: number;
  readonly classes: number;
  /** Features before the last layer, [n, size], and logits, [n, classes]. */
  evaluate(images: ByteImages): { readonly features: Float32Array; readonly logits: Float32Array };
}

const EPOCH = 390;
const STEPS = 10 * EPOCH;
const BATCH = 128;
const RATE = 5e-3;
const WARM_UP = 0.2;
const WEIGHT_DECAY = 5e-5;
const WIDTHS = [24, 48, 96, 192] as const;
/** Pixels by which a training image is moved, at most, in either direction. */
const SHIFT = 3;

/** `data/checkpoints/cifar-classifier.safetensors`. */
export function cifarClassifierPath(): string {
  return join(shippedFolder(), 'cifar-classifier.safetensors');
}

/**
 * Trains the classifier of CIFAR-10 whose features measure Fréchet distances where the published
 * Inception weights are not at hand, and stores it in half precision. Training images are mirrored
 * and moved by up to three pixels; the learning rate rises over the first fifth of the iterations
 * and then falls to zero, both linearly (Smith & Topin 2018).
 * @throws DataError when CIFAR-10 is not here; NumericError when training diverges.
 */
export async function trainCifarClassifier(
  path: string,
  options: CifarClassifierOptions = {},
): Promise<CifarClassifierRecord> {
  const { steps = STEPS, seed = 0, root = defaultRunsFolder(), onNotice } = options;
  const files = dataFolder('cifar10', options.data);
  const objective = classification();
  const config = {
    revision: 1,
    ...{ steps, batch: BATCH, rate: RATE, warmUp: WARM_UP, weightDecay: WEIGHT_DECAY },
    ...{ shift: SHIFT, widths: WIDTHS },
  };
  const run = RunFolder.open({ experiment: 'cifar-classifier', config, seed, root, onNotice });
  try {
    const trained = await train({
      objective,
      data: augmented(loadCifar10(files, 'train')),
      steps,
      seed,
      run,
      scalars: (step) => ({ 'classifier/adam/learningRate': oneCycle(step, steps) }),
      checkpointSeconds: options.checkpointSeconds,
      onProgress: options.onProgress,
      signal: options.signal,
    });
    const { classifier } = objective.exportNetworks!(trained.state);
    const stored = Object.fromEntries(
      Object.entries(classifier)
        .filter(([key]) => !key.endsWith('.num_batches_tracked'))
        .map(([key, { data, shape }]): [string, StoredTensor] => [
          key,
          { dtype: 'F16', shape, data: toFloat16(data) },
        ]),
    );
    const record: CifarClassifierRecord = {
      accuracy: cifarAccuracy(featuresOf(stored, WIDTHS), loadCifar10(files, 'test')),
      widths: WIDTHS,
      steps,
      seed,
      seconds: Math.round(trained.seconds * 10) / 10,
      environment: environment(),
    };
    writeSafetensorsFile(path, stored, { format: FORMAT, about: JSON.stringify(record) });
    run.finish(record);
    return record;
  } finally {
    run.close();
  }
}

/** Measures a few iterations of the training. @throws DataError when CIFAR-10 is not here. */
export function estimateCifarClassifier(options: CifarClassifierOptions = {}): Promise<Estimate> {
  const images = loadCifar10(dataFolder('cifar10', options.data), 'train');
  return estimateTraining(classification(), augmented(images), options.steps ?? STEPS);
}

/** The classifier that came with the project. @throws DataError when it is missing or damaged. */
export function loadCifarClassifier(path: string = cifarClassifierPath()): CifarFeatures & {
  readonly record: CifarClassifierRecord;
} {
  if (!existsSync(path)) {
    throw new DataError(`there is no ${path}; train it with 'gibbs run cifar-classifier'`);
  }
  const { tensors, metadata } = readSafetensorsFile(path);
  if (metadata['format'] !== FORMAT) {
    throw new DataError(`${path}: format ${metadata['format'] ?? 'unknown'}, expected ${FORMAT}`);
  }
  const record = JSON.parse(metadata['about']) as CifarClassifierRecord;
  return { ...featuresOf(Object.fromEntries(tensors), record.widths), record };
}

/** Share of images named rightly. */
export function cifarAccuracy(
  network: Pick<CifarFeatures, 'evaluate'>,
  { images, labels }: LabelledImages,
): number {
  const { logits } = network.evaluate(images);
  let hits = 0;
  for (let i = 0; i < labels.length; i++) {
    const row = logits.subarray(i * CIFAR_CLASSES, (i + 1) * CIFAR_CLASSES);
    if (row.indexOf(Math.max(...row)) === labels[i]) hits++;
  }
  return hits / labels.length;
}

function classification() {
  return imageClassification({
    network: cifarClassifier({ widths: WIDTHS }),
    batch: BATCH,
    adam: { learningRate: RATE, weightDecay: WEIGHT_DECAY },
  });
}

function oneCycle(step: number, steps: number): number {
  const peak = WARM_UP * steps;
  return RATE * (step < peak ? (step + 1) / peak : (steps - step) / (steps - peak));
}

function featuresOf(
  stored: Readonly<Record<string, StoredTensor>>,
  widths: CifarClassifierConfig['widths'],
): CifarFeatures {
  const all: Record<string, HostTensor> = Object.fromEntries(
    Object.entries(stored).map(([key, { data, shape }]) => [
      key,
      hostTensor(fromFloat16(data as Uint16Array), shape),
    ]),
  );
  const network = cifarClassifier({ widths });
  const run = jit(
    (p: Params, x: Tensor) => {
      const features = network.embed(p, x, { kind: 'running', buffers: p });
      return { features, logits: network.classify(p, features) };
    },
    { name: 'cifar-classifier' },
  ) as unknown as (p: unknown, x: unknown) => { features: Tensor; logits: Tensor };
  return {
    size: network.features,
    classes: CIFAR_CLASSES,
    evaluate(images) {
      checkImages(images);
      const features = new Float32Array(images.count * network.features);
      const logits = new Float32Array(images.count * CIFAR_CLASSES);
      for (let at = 0; at < images.count; at += CHUNK) {
        const size = Math.min(CHUNK, images.count - at);
        const bytes = images.pixels.subarray(at * PIXELS, (at + size) * PIXELS);
        const x = hostTensor(Float32Array.from(bytes, toUnit), [size, CHANNELS, SIDE, SIDE]);
        const out = run(all, x);
        features.set(out.features.dataSync() as Float32Array, at * network.features);
        logits.set(out.logits.dataSync() as Float32Array, at * CIFAR_CLASSES);
        out.features.dispose();
        out.logits.dispose();
      }
      return { features, logits };
    },
  };
}

function checkImages({ channels, height, width }: ByteImages): void {
  if (channels === CHANNELS && height === SIDE && width === SIDE) return;
  throw new DataError(
    `cifarFeatures: images of ${channels} x ${height} x ${width}, expected 3 x 32 x 32; resize them first`,
  );
}

const toUnit = (byte: number): number => byte / 127.5 - 1;

/** Rows of 3072 pixels, mirrored and moved with reflection at the border, and the class. */
function augmented({ images, labels }: LabelledImages): (key: Key) => HostTensor {
  const places = epochBatches(images.count, BATCH);
  const row = PIXELS + CIFAR_CLASSES;
  const reflect = (v: number) => (v < 0 ? -v : v < SIDE ? v : 2 * SIDE - 2 - v);
  return (key) => {
    const at = places(key);
    const draw = (name: string, n: number, high: number) =>
      integers({ ...key, stream: `${key.stream}/${name}` }, n, high);
    const moves = draw('shift', 2 * BATCH, 2 * SHIFT + 1);
    const mirrors = draw('mirror', BATCH, 2);
    const out = new Float32Array(BATCH * row);
    const column = new Int32Array(SIDE);
    for (let i = 0; i < BATCH; i++) {
      const [dx, dy] = [moves[2 * i] - SHIFT, moves[2 * i + 1] - SHIFT];
      for (let x = 0; x < SIDE; x++) {
        const from = reflect(x - dx);
        column[x] = mirrors[i] === 1 ? SIDE - 1 - from : from;
      }
      for (let c = 0; c < CHANNELS; c++) {
        for (let y = 0; y < SIDE; y++) {
          const from = at[i] * PIXELS + c * PLANE + reflect(y - dy) * SIDE;
          const to = i * row + c * PLANE + y * SIDE;
          for (let x = 0; x < SIDE; x++) out[to + x] = toUnit(images.pixels[from + column[x]]);
        }
      }
      out[i * row + PIXELS + labels[at[i]]] = 1;
    }
    return hostTensor(out, [BATCH, row]);
  };
}
