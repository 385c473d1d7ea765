import { createHash } from 'node:crypto';
import { ConfigError, DataError } from '../core/errors.ts';
import { readBytes } from '../core/files.ts';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { readSafetensors, toHostTensor } from '../core/safetensors.ts';
import { stateDictOf } from '../core/torch-content.ts';
import { parseTorch } from '../core/torch-file.ts';
import type { ByteImages } from '../datasets/images.ts';
import {
  type InceptionStyle,
  resizeForInception,
  scaleForInception,
} from '../datasets/inception-input.ts';
import { jit, type Tensor } from '../jit/index.ts';
import {
  foldInception,
  INCEPTION_CLASSES,
  INCEPTION_FEATURES,
  INCEPTION_SIDE,
  inceptionFeatures,
  inceptionLogits,
} from '../models/inception.ts';
import type { HostParams, Params } from '../nn/params.ts';
import { cifarClassifierPath, loadCifarClassifier } from './cifar-classifier.ts';

/** What turns images into features between which distances are measured. */
export interface FeatureNetwork {
  /** What the Fréchet distance of its features is called: `FID` or `FD (own features)`. */
  readonly title: string;
  /** Which weights and which preparation of images: statistics of another must not be mixed. */
  readonly id: string;
  /** Length of the features. */
  readonly size: number;
  /** Classes of the logits. */
  readonly classes: number;
  /** Features [n, size] and logits [n, classes] of a set of images. */
  evaluate(images: ByteImages): { readonly features: Float32Array; readonly logits: Float32Array };
}

/**
 * The classifier of CIFAR-10 that came with the project: images 3 x 32 x 32. Its Fréchet distance
 * is comparable with others of the same classifier only, and is no FID.
 * @throws DataError when the file is missing or damaged.
 */
export function ownFeatures(path: string = cifarClassifierPath()): FeatureNetwork {
  const classifier = loadCifarClassifier(path);
  return {
    title: 'FD (own features)',
    id: `cifar-classifier/${sha256(readBytes(path))}`,
    size: classifier.size,
    classes: classifier.classes,
    evaluate: (images) => classifier.evaluate(images),
  };
}

export interface InceptionOptions {
  /** How images are resized and scaled; see `InceptionStyle`. Default `torch`. */
  readonly style?: InceptionStyle;
  /**
   * SHA-256 of the file in hexadecimal digits, or their beginning. Default: that of
   * `pt_inception-2015-12-05-6726825d.pth`, whose name carries its first eight digits.
   */
  readonly sha256?: string;
}

/** First digits of the SHA-256 of the published weights. */
export const INCEPTION_SHA256 = '6726825d';

/** Images of a call of Inception. */
const CHUNK = 16;

/**
 * The Inception network of FID with weights from a file the user names: PyTorch's or safetensors,
 * with the published names. The weights are in no package registry.
 * @throws DataError when there is no such file, its SHA-256 is another one, or a weight is missing
 * or of another shape; ConfigError for an unknown style.
 */
export function inceptionNetwork(path: string, options: InceptionOptions = {}): FeatureNetwork {
  const { style = 'torch', sha256: expected = INCEPTION_SHA256 } = options;
  if (style !== 'torch' && style !== 'tensorflow') {
    throw new ConfigError(`inceptionNetwork: style must be torch or tensorflow, got '${style}'`);
  }
  const bytes = readBytes(path);
  const digest = sha256(bytes);
  if (!digest.startsWith(expected.toLowerCase())) {
    throw new DataError(
      `${path}: its SHA-256 is ${digest}, expected ${expected}…; the file is damaged, or not the weights of FID (pt_inception-2015-12-05-6726825d.pth)`,
    );
  }
  const params = foldInception(readWeights(bytes, path), path);
  const run = jit(
    (p: Params, x: Tensor) => {
      const features = inceptionFeatures(p, x);
      return { features, logits: inceptionLogits(p, features) };
    },
    { name: 'inception' },
  ) as unknown as (p: HostParams, x: HostTensor) => { features: Tensor; logits: Tensor };
  return {
    title: 'FID',
    id: `inception/${style}/${digest}`,
    size: INCEPTION_FEATURES,
    classes: INCEPTION_CLASSES,
    evaluate(images) {
      const features = new Float32Array(images.count * INCEPTION_FEATURES);
      const logits = new Float32Array(images.count * INCEPTION_CLASSES);
      for (let at = 0; at < images.count; at += CHUNK) {
        const x = inceptionInput(images, at, Math.min(CHUNK, images.count - at), style);
        const out = run(params, x);
        features.set(out.features.dataSync() as Float32Array, at * INCEPTION_FEATURES);
        logits.set(out.logits.dataSync() as Float32Array, at * INCEPTION_CLASSES);
        out.features.dispose();
        out.logits.dispose();
      }
      return { features, logits };
    },
  };
}

function inceptionInput(
  { channels, height, width, pixels }: ByteImages,
  at: number,
  count: number,
  style: InceptionStyle,
): HostTensor {
  if (channels !== 3) {
    throw new DataError(`inceptionNetwork: images have ${channels} channels, expected 3`);
  }
  const size = channels * height * width;
  const part = {
    count,
    channels,
    height,
    width,
    pixels: pixels.subarray(at * size, (at + count) * size),
  };
  const resized = resizeForInception(part, INCEPTION_SIDE, style);
  return hostTensor(scaleForInception(resized, style), [count, 3, INCEPTION_SIDE, INCEPTION_SIDE]);
}

function readWeights(bytes: Uint8Array, path: string): Record<string, HostTensor> {
  if (!path.endsWith('.safetensors')) return stateDictOf(parseTorch(bytes, path), path);
  const { tensors } = readSafetensors(bytes, path);
  return Object.fromEntries([...tensors].map(([key, tensor]) => [key, toHostTensor(tensor)]));
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
