import { DataError } from '../core/errors.ts';
import { encodeSafetensors, readSafetensorsFile } from '../core/safetensors.ts';
import type { ByteImages } from '../datasets/images.ts';
import { CIFAR_DIM, CIFAR_SHAPE } from './cifar10-config.ts';

export {
  firstImages,
  sampleFiles,
  samplesName,
  thumbnailDistance,
  thumbnails,
  toBytes,
} from './image-samples.ts';

const [CHANNELS, SIDE] = CIFAR_SHAPE;

/** Samples [n, 3, 32, 32] as a file. */
export function encodeSamples(pixels: Uint8Array): Uint8Array[] {
  const shape = [pixels.length / CIFAR_DIM, ...CIFAR_SHAPE];
  return encodeSafetensors({ images: { dtype: 'U8', shape, data: pixels } });
}

/** @throws DataError when the file is damaged or holds other images. */
export function readSamples(path: string): ByteImages {
  const found = readSafetensorsFile(path).tensors.get('images');
  if (!(found?.data instanceof Uint8Array) || found.data.length % CIFAR_DIM !== 0) {
    throw new DataError(`${path}: holds no images of bytes`);
  }
  const count = found.data.length / CIFAR_DIM;
  return { count, channels: CHANNELS, height: SIDE, width: SIDE, pixels: found.data };
}
