import { join } from 'node:path';
import { DataError } from '../core/errors.ts';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { integers, type Key } from '../core/random.ts';
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
import { dataFolder } from './data-folder.ts';
import type { Estimate } from './eta.ts';
import { shippedFolder } from './kept-run.ts';
import {
  type ClassifierOptions,
  type ClassifierRecord,
  type ClassifierTensors,
  type ClassifierTraining,
  estimateClassifierTraining,
  readClassifier,
  trainClassifier,
} from './trained-classifier.ts';

const EXPERIMENT = 'cifar-classifier';
const CHANNELS = 3;
const SIDE = 32;
const PLANE = SIDE * SIDE;
const PIXELS = CHANNELS * PLANE;
/** Images per call of the finished network. */
const CHUNK = 200;

/** What a stored classifier says of itself. */
export interface CifarClassifierRecord extends ClassifierRecord {
  readonly widths: readonly [number, number, number, number];
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
 * Trains the classifier of CIFAR-10, by default for 10 epochs of 390 iterations, whose features measure Fréchet distances where the published
 * Inception weights are not at hand, and stores it in half precision. Training images are mirrored
 * and moved by up to three pixels; the learning rate rises over the first fifth of the iterations
 * and then falls to zero, both linearly (Smith & Topin 2018).
 * @throws DataError when CIFAR-10 is not here; NumericError when training diverges.
 */
export async function trainCifarClassifier(
  path: string,
  options: ClassifierOptions = {},
): Promise<CifarClassifierRecord> {
  return trainClassifier(objectTraining(options), path, options);
}

/** Measures a few iterations of the training. @throws DataError when CIFAR-10 is not here. */
export async function estimateCifarClassifier(options: ClassifierOptions = {}): Promise<Estimate> {
  return estimateClassifierTraining(objectTraining(options), options);
}

function objectTraining({
  data,
}: ClassifierOptions): ClassifierTraining<Pick<CifarClassifierRecord, 'widths'>> {
  const files = dataFolder('cifar10', data);
  return {
    experiment: EXPERIMENT,
    config: {
      revision: 1,
      ...{ batch: BATCH, rate: RATE, warmUp: WARM_UP, weightDecay: WEIGHT_DECAY },
      ...{ shift: SHIFT, widths: WIDTHS },
    },
    extra: { widths: WIDTHS },
    steps: STEPS,
    objective: imageClassification({
      network: cifarClassifier({ widths: WIDTHS }),
      batch: BATCH,
      adam: { learningRate: RATE, weightDecay: WEIGHT_DECAY },
    }),
    data: augmented(loadCifar10(files, 'train')),
    rate: oneCycle,
    accuracy: (network) => cifarAccuracy(featuresOf(network, WIDTHS), loadCifar10(files, 'test')),
  };
}

/** The classifier that came with the project. @throws DataError when it is missing or damaged. */
export function loadCifarClassifier(path: string = cifarClassifierPath()): CifarFeatures & {
  readonly record: CifarClassifierRecord;
} {
  const { network, record } = readClassifier<CifarClassifierRecord>(EXPERIMENT, path);
  return { ...featuresOf(network, record.widths), record };
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

function oneCycle(step: number, steps: number): number {
  const peak = WARM_UP * steps;
  return RATE * (step < peak ? (step + 1) / peak : (steps - step) / (steps - peak));
}

function featuresOf(
  all: ClassifierTensors,
  widths: CifarClassifierConfig['widths'],
): CifarFeatures {
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
