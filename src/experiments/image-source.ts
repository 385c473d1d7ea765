import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, DataError } from '../core/errors.ts';
import { readSafetensorsFile } from '../core/safetensors.ts';
import { readCifar10, readCifar100 } from '../datasets/cifar-binary.ts';
import { loadCifar10, loadMnist } from '../datasets/image-set.ts';
import type { ByteImages } from '../datasets/images.ts';
import { readSvhn } from '../datasets/svhn.ts';
import { dataFolder } from './data-folder.ts';

/** Names of fetched sets that an image source may be. */
export const IMAGE_SETS = ['cifar10-train', 'cifar10-test', 'mnist-train', 'mnist-test'] as const;

/**
 * Images from whatever the user names: a fetched set (`cifar10-train`, …), samples in safetensors
 * (`images`, U8 [n, 3, h, w]), the folder of a run that left samples (the newest file), a binary file
 * of CIFAR-10 or CIFAR-100, or a file of SVHN.
 * @throws ConfigError for a name that is no set, file or folder; DataError for a damaged one.
 */
export function loadImageSource(name: string): ByteImages {
  const [set, split] = name.split('-');
  if ((IMAGE_SETS as readonly string[]).includes(name)) {
    const load = set === 'mnist' ? loadMnist : loadCifar10;
    return load(dataFolder(set), split as 'train' | 'test').images;
  }
  if (!existsSync(name)) {
    throw new ConfigError(
      `'${name}' is no file or folder, and no known set (${IMAGE_SETS.join(', ')})`,
    );
  }
  if (statSync(name).isDirectory()) return storedSamples(newestSamples(name));
  if (name.endsWith('.safetensors')) return storedSamples(name);
  if (name.endsWith('.mat')) return readSvhn(name).images;
  if (name.endsWith('.bin')) {
    const size = statSync(name).size;
    return size % 3073 === 0 ? readCifar10(name).images : readCifar100(name).images;
  }
  throw new DataError(
    `${name}: no image source; expected .safetensors, .mat (SVHN), .bin (CIFAR) or a folder`,
  );
}

/** Images stored as `images`, bytes [n, channels, height, width]. @throws DataError otherwise. */
export function storedSamples(path: string): ByteImages {
  const found = readSafetensorsFile(path).tensors.get('images');
  if (!(found?.data instanceof Uint8Array) || found.shape.length !== 4) {
    throw new DataError(`${path}: holds no 'images' of bytes [n, channels, height, width]`);
  }
  const [count, channels, height, width] = found.shape;
  return { count, channels, height, width, pixels: found.data };
}

const SAMPLES = /^samples-\d+\.safetensors$/;

function newestSamples(folder: string): string {
  const files = readdirSync(folder).filter((name) => SAMPLES.test(name));
  const newest = files.sort().at(-1);
  if (newest !== undefined) return join(folder, newest);
  throw new DataError(`${folder}: there are no samples of a run (samples-….safetensors) in it`);
}
