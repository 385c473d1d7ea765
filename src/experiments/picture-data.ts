import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../core/errors.ts';
import { loadPictures, type PictureBatches, pictureBatches } from '../datasets/picture-batches.ts';
import type { FitConfig } from '../datasets/picture-fit.ts';
import { lmdbOrFolder, openPictureSet, type PictureSource } from '../datasets/picture-set.ts';
import type { ImageReferences } from './image-training.ts';

/** A place below the folder of a set: an LMDB environment, or a folder of pictures. */
export interface PicturePlace {
  readonly path: string;
  /** Of an environment: see `LmdbPicturesConfig`. Default `number`. */
  readonly keys?: 'number' | 'order';
}

/** Where the pictures of a set may lie; of each list the first that is there is taken. */
export interface PicturePlaces {
  /** e.g. `CelebA`. */
  readonly title: string;
  readonly training: readonly PicturePlace[];
  /** Where none of them is there, the training pictures that are left over are the test pictures. */
  readonly test: readonly PicturePlace[];
  /** What to get from where, and how to lay it out: the end of a sentence. */
  readonly needs: string;
}

export interface PictureChoice extends FitConfig {
  /** Folder of the set. */
  readonly folder: string;
  /** Training pictures, at most: the first ones. */
  readonly images: number;
  /** Decoding threads. Default 2. */
  readonly threads?: number;
}

/** @throws DataError that says where the set is to be had, and where it has to lie. */
export function trainingSource(places: PicturePlaces, folder: string): PictureSource {
  const found = sourceAmong(places.training, folder);
  if (found) return found;
  const wanted = places.training.map(({ path }) => join(folder, path)).join(', or ');
  throw new DataError(
    `${places.title} is not here: there is no ${wanted}. It is in no package registry; ${places.needs}. Another folder is named with --data`,
  );
}

/** Batches of the training pictures. @throws DataError when they are not here, or are damaged. */
export function trainingBatches(
  places: PicturePlaces,
  { folder, images, size, fit, threads }: PictureChoice,
  batch: number,
): PictureBatches {
  const source = trainingSource(places, folder);
  return pictureBatches({ source, batch, size, fit, most: images, ...(threads && { threads }) });
}

/**
 * The first `count` pictures of either kind, as many as there are.
 * @throws DataError when there are none, or one of them is damaged.
 */
export async function referencePictures(
  places: PicturePlaces,
  { folder, images, size, fit, threads }: PictureChoice,
  count: number,
): Promise<ImageReferences> {
  const source = trainingSource(places, folder);
  const how = { size, fit };
  const own = sourceAmong(places.test, folder);
  if (own === undefined && countOf(source) <= images) {
    const wanted = places.test.map(({ path }) => join(folder, path)).join(', or ');
    throw new DataError(
      `${places.title}: there are no test pictures: no ${wanted}, and all ${countOf(source)} training pictures are trained with; set data.images lower, or put some there`,
    );
  }
  return {
    training: await loadPictures(source, how, { most: Math.min(count, images), threads }),
    test: own
      ? await loadPictures(own, how, { most: count, threads })
      : await loadPictures(source, how, { from: images, most: count, threads }),
  };
}

function sourceAmong(places: readonly PicturePlace[], folder: string): PictureSource | undefined {
  const found = places.find(({ path }) => existsSync(join(folder, path)));
  return found && lmdbOrFolder(join(folder, found.path), found.keys);
}

function countOf(source: PictureSource): number {
  const set = openPictureSet(source);
  try {
    return set.count;
  } finally {
    set.close();
  }
}
