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
import { type LabelledImages, loadMnist } from '../datasets/image-set.ts';
import { jit, type Tensor } from '../jit/index.ts';
import { mnistClassifier } from '../models/mnist-classifier.ts';
import type { Params } from '../nn/params.ts';
import { classification } from '../objectives/classification.ts';
import { cosineAnnealing } from '../optim/schedules.ts';
import { type Progress, train } from '../train/loop.ts';
import { RunFolder } from '../train/run.ts';
import { dataFolder } from './data-folder.ts';
import { type Environment, environment } from './environment.ts';
import { type Estimate, estimateTraining } from './eta.ts';
import { shippedFolder } from './kept-run.ts';
import { defaultRunsFolder } from './runs-folder.ts';

const FORMAT = 'gibbs-mnist-classifier-1';
const SIDE = 28;
const PIXELS = SIDE * SIDE;
const CHUNK = 500;

export interface ClassifierOptions {
  /** Iterations. Default 16 epochs of 468. */
  readonly steps?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Folder of MNIST's IDX files. Default: the fetched one. */
  readonly data?: string;
  /** The folder of all runs. Default: `data/runs` of the project. */
  readonly root?: string;
  readonly checkpointSeconds?: number;
  readonly onProgress?: (progress: Progress) => void;
  readonly onNotice?: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** What a stored classifier says of itself. */
export interface ClassifierRecord {
  /** Share of the 10,000 test digits that it names rightly, with the parameters as stored. */
  readonly accuracy: number;
  readonly steps: number;
  readonly seed: number;
  readonly seconds: number;
  readonly environment: Environment;
}

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
 * Trains the classifier that counts modes, and stores it in half precision. Training images are
 * shifted by up to two pixels.
 * @throws DataError when MNIST is not here; NumericError when training diverges.
 */
export async function trainMnistClassifier(
  path: string,
  options: ClassifierOptions = {},
): Promise<ClassifierRecord> {
  const { steps = STEPS, seed = 0, root = defaultRunsFolder(), onNotice } = options;
  const files = dataFolder('mnist', options.data);
  const objective = classification({ network: mnistClassifier(), batch: BATCH });
  const rate = cosineAnnealing(RATE, steps, 1e-5);
  const config = { revision: 2, steps, batch: BATCH, rate: RATE, shift: SHIFT };
  const run = RunFolder.open({ experiment: 'mnist-classifier', config, seed, root, onNotice });
  try {
    const trained = await train({
      objective,
      data: shiftedDigits(loadMnist(files, 'train')),
      steps,
      seed,
      run,
      scalars: (step) => ({ 'classifier/adam/learningRate': rate(step) }),
      checkpointSeconds: options.checkpointSeconds,
      onProgress: options.onProgress,
      signal: options.signal,
    });
    const { classifier } = objective.exportNetworks!(trained.state);
    const stored = Object.fromEntries(
      Object.entries(classifier).map(([key, { data, shape }]): [string, StoredTensor] => [
        key,
        { dtype: 'F16', shape, data: toFloat16(data) },
      ]),
    );
    const record: ClassifierRecord = {
      accuracy: accuracyOf(classifierOf(stored), loadMnist(files, 'test')),
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

/** Measures a few iterations of the training. @throws DataError when MNIST is not here. */
export function estimateClassifier(options: ClassifierOptions = {}): Promise<Estimate> {
  const images = loadMnist(dataFolder('mnist', options.data), 'train');
  const objective = classification({ network: mnistClassifier(), batch: BATCH });
  return estimateTraining(objective, shiftedDigits(images), options.steps ?? STEPS);
}

/** The classifier that came with the project. @throws DataError when it is missing or damaged. */
export function loadMnistClassifier(path: string = classifierPath()): {
  readonly classify: DigitClassifier;
  readonly record: ClassifierRecord;
} {
  if (!existsSync(path)) {
    throw new DataError(`there is no ${path}; train it with 'gibbs run mnist-classifier'`);
  }
  const { tensors, metadata } = readSafetensorsFile(path);
  if (metadata['format'] !== FORMAT) {
    throw new DataError(`${path}: format ${metadata['format'] ?? 'unknown'}, expected ${FORMAT}`);
  }
  const record = JSON.parse(metadata['about']) as ClassifierRecord;
  return { classify: classifierOf(Object.fromEntries(tensors)), record };
}

/** Share of digits named rightly. */
export function accuracyOf(classify: DigitClassifier, { images, labels }: LabelledImages): number {
  const named = classify(Float32Array.from(images.pixels, (v) => v / 255));
  return named.reduce((hits, digit, i) => hits + (digit === labels[i] ? 1 : 0), 0) / labels.length;
}

function classifierOf(stored: Readonly<Record<string, StoredTensor>>): DigitClassifier {
  const params: Record<string, HostTensor> = Object.fromEntries(
    Object.entries(stored).map(([key, { data, shape }]) => [
      key,
      hostTensor(fromFloat16(data as Uint16Array), shape),
    ]),
  );
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
