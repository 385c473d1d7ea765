import { join } from 'node:path';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { integers, type Key } from '../core/random.ts';
import { epochBatches } from '../datasets/epochs.ts';
import { type LabelledImages, loadMnist } from '../datasets/image-set.ts';
import { jit, type Tensor } from '../jit/index.ts';
import { mnistClassifier } from '../models/mnist-classifier.ts';
import type { Params } from '../nn/params.ts';
import { classification } from '../objectives/classification.ts';
import { cosineAnnealing } from '../optim/schedules.ts';
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

const EXPERIMENT = 'mnist-classifier';
const SIDE = 28;
const PIXELS = SIDE * SIDE;
const CHUNK = 500;

/** Names digits: [n, 784] in [0, 1] → classes 0..9, [n]. */
export type DigitClassifier = (images: Float32Array) => Uint8Array;

const STEPS = 16 * 468;
const BATCH = 128;
const RATE = 1e-3;
/** Pixels by which a training image is moved, at most, in either direction. */
const SHIFT = 2;

/** `data/checkpoints/mnist-classifier.safetensors`. */
export function classifierPath(): string {
  return join(shippedFolder(), 'mnist-classifier.safetensors');
}

/**
 * Trains the classifier that counts modes, by default for 16 epochs of 468 iterations, and stores it
 * in half precision. Training images are shifted by up to two pixels.
 * @throws DataError when MNIST is not here; NumericError when training diverges.
 */
export async function trainMnistClassifier(
  path: string,
  options: ClassifierOptions = {},
): Promise<ClassifierRecord> {
  return trainClassifier(digitTraining(options), path, options);
}

/** Measures a few iterations of the training. @throws DataError when MNIST is not here. */
export async function estimateClassifier(options: ClassifierOptions = {}): Promise<Estimate> {
  return estimateClassifierTraining(digitTraining(options), options);
}

function digitTraining({ data }: ClassifierOptions): ClassifierTraining {
  const files = dataFolder('mnist', data);
  return {
    experiment: EXPERIMENT,
    config: { revision: 2, batch: BATCH, rate: RATE, shift: SHIFT },
    extra: {},
    steps: STEPS,
    objective: classification({ network: mnistClassifier(), batch: BATCH }),
    data: shiftedDigits(loadMnist(files, 'train')),
    rate: (step, steps) => cosineAnnealing(RATE, steps, 1e-5)(step),
    accuracy: (network) => accuracyOf(classifierOf(network), loadMnist(files, 'test')),
  };
}

/** The classifier that came with the project. @throws DataError when it is missing or damaged. */
export function loadMnistClassifier(path: string = classifierPath()): {
  readonly classify: DigitClassifier;
  readonly record: ClassifierRecord;
} {
  const { network, record } = readClassifier(EXPERIMENT, path);
  return { classify: classifierOf(network), record };
}

/** Share of digits named rightly. */
export function accuracyOf(classify: DigitClassifier, { images, labels }: LabelledImages): number {
  const named = classify(Float32Array.from(images.pixels, (v) => v / 255));
  return named.reduce((hits, digit, i) => hits + (digit === labels[i] ? 1 : 0), 0) / labels.length;
}

function classifierOf(params: ClassifierTensors): DigitClassifier {
  const network = mnistClassifier();
  const logits = jit((p: Params, x: Tensor) => network.logits(p, x), {
    name: 'mnist-classifier',
  }) as unknown as (p: unknown, x: unknown) => Tensor;
  return (images) => {
    const n = images.length / PIXELS;
    const out = new Uint8Array(n);
    for (let at = 0; at < n; at += CHUNK) {
      const size = Math.min(CHUNK, n - at);
      const x = images.subarray(at * PIXELS, (at + size) * PIXELS);
      const rows = logits(params, hostTensor(x, [size, PIXELS]));
      const values = rows.dataSync();
      for (let i = 0; i < size; i++) {
        let best = 0;
        for (let c = 1; c < 10; c++) if (values[10 * i + c] > values[10 * i + best]) best = c;
        out[at + i] = best;
      }
      rows.dispose();
    }
    return out;
  };
}

/** Rows of 784 shifted pixels and the indicators of the digit. */
function shiftedDigits({ images, labels }: LabelledImages): (key: Key) => HostTensor {
  const places = epochBatches(images.count, BATCH);
  const row = PIXELS + 10;
  return (key) => {
    const at = places(key);
    const moves = integers({ ...key, stream: `${key.stream}/shift` }, 2 * BATCH, 2 * SHIFT + 1);
    const out = new Float32Array(BATCH * row);
    for (let i = 0; i < BATCH; i++) {
      const [dx, dy] = [moves[2 * i] - SHIFT, moves[2 * i + 1] - SHIFT];
      for (let y = Math.max(0, dy); y < Math.min(SIDE, SIDE + dy); y++) {
        for (let x = Math.max(0, dx); x < Math.min(SIDE, SIDE + dx); x++) {
          const from = at[i] * PIXELS + (y - dy) * SIDE + (x - dx);
          out[i * row + y * SIDE + x] = images.pixels[from] / 255;
        }
      }
      out[i * row + PIXELS + labels[at[i]]] = 1;
    }
    return hostTensor(out, [BATCH, row]);
  };
}
