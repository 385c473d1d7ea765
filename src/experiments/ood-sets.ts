import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../core/errors.ts';
import { loadCifar10, loadCifar100, loadMnist } from '../datasets/image-set.ts';
import type { ByteImages } from '../datasets/images.ts';
import {
  digitsAsColour,
  plainImages,
  scrambledImages,
  uniformImages,
} from '../datasets/outsiders.ts';
import { loadPictures } from '../datasets/picture-batches.ts';
import { lmdbOrFolder } from '../datasets/picture-set.ts';
import { readSvhn } from '../datasets/svhn.ts';
import { dataFolder } from './data-folder.ts';

/** A set of images whose energies are compared with those of CIFAR-10's test images. */
export interface OodSet {
  readonly name: string;
  readonly title: string;
  /** What has to lie where for it to be here; absent for sets that are made. */
  readonly needs?: string;
  /** AUROC of DDAEBM (paper, Table 4); absent where the paper has none. */
  readonly published?: number;
  /** The first `most` images, [n, 3, 32, 32]. @throws DataError when they are not here. */
  load(most: number): Promise<ByteImages>;
}

/** Where fetched sets lie, by name; `data/cache/NAME` unless the user names another folder. */
export type OodFolders = Readonly<Record<string, string | undefined>>;

const SIZE = 32;

/** The sets of Table 4, and further ones that need no other file than CIFAR-10 and MNIST. */
export function oodSets(seed: number, folders: OodFolders = {}): readonly OodSet[] {
  const place = (name: string) => dataFolder(name, folders[name]);
  return [
    {
      ...{ name: 'svhn', title: 'SVHN', published: 0.83 },
      needs: 'test_32x32.mat of SVHN in data/cache/svhn',
      load: async (most) => first(readSvhn(join(place('svhn'), 'test_32x32.mat')).images, most),
    },
    {
      ...{ name: 'dtd', title: 'Texture (DTD)', published: 0.62 },
      needs: 'the folder images of DTD in data/cache/dtd',
      load: (most) => pictures(place('dtd'), most),
    },
    {
      ...{ name: 'cifar100', title: 'CIFAR-100', published: 0.6 },
      needs: 'test.bin of CIFAR-100, binary version, in data/cache/cifar100',
      load: async (most) => first(loadCifar100(place('cifar100'), 'test').images, most),
    },
    {
      ...{ name: 'celeba', title: 'CelebA', published: 0.7 },
      needs: 'test pictures of CelebA, a folder or LMDB, in data/cache/celeba',
      load: (most) => pictures(place('celeba'), most),
    },
    ...madeSets(seed, folders).map(({ name, title, images }) => ({
      name,
      title,
      load: async (most: number) => images(most),
    })),
  ];
}

/** A set that needs no other file than CIFAR-10 and MNIST. */
export interface MadeSet {
  readonly name: string;
  readonly title: string;
  /** The first `most` images, [n, 3, 32, 32]. @throws DataError when CIFAR-10 or MNIST is not here. */
  images(most: number): ByteImages;
}

/** The sets that are at hand wherever CIFAR-10 and MNIST are; the first is a control. */
export function madeSets(seed: number, folders: OodFolders = {}): readonly MadeSet[] {
  const place = (name: string) => dataFolder(name, folders[name]);
  const key = (stream: string) => ({ seed, stream: `ood/${stream}`, step: 0 });
  const cifar = (split: 'train' | 'test', most: number) =>
    first(loadCifar10(place('cifar10'), split).images, most);
  return [
    {
      ...{ name: 'cifar10-train', title: 'CIFAR-10, training images' },
      images: (most) => cifar('train', most),
    },
    {
      ...{ name: 'mnist', title: 'MNIST in three equal channels' },
      images: (most) => digitsAsColour(first(loadMnist(place('mnist'), 'test').images, most)),
    },
    {
      ...{ name: 'scrambled', title: 'CIFAR-10, pixels in random order' },
      images: (most) => scrambledImages(cifar('test', most), key('scrambled')),
    },
    {
      ...{ name: 'plain', title: 'One colour each' },
      images: (most) => plainImages(key('plain'), most),
    },
    {
      ...{ name: 'uniform', title: 'Uniform noise' },
      images: (most) => uniformImages(key('uniform'), most),
    },
  ];
}

/** Table 4's rule here: the largest middle square, then antialiased to 32 × 32. */
async function pictures(folder: string, most: number): Promise<ByteImages> {
  if (!existsSync(folder)) throw new DataError(`there is no folder ${folder}`);
  return loadPictures(lmdbOrFolder(folder), { size: SIZE, fit: 'centre' }, { most });
}

function first(images: ByteImages, most: number): ByteImages {
  const count = Math.min(most, images.count);
  const size = images.channels * images.height * images.width;
  return { ...images, count, pixels: images.pixels.subarray(0, count * size) };
}
