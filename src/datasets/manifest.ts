import { readFileSync } from 'node:fs';
import { DataError, unknownName } from '../core/errors.ts';

/** One file of a data set as it lies in the set's folder. */
export interface ManifestFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Images or labels in it. */
  readonly count: number;
}

/** What is known of a data set before it is here; the entries of `data/manifest.json`. */
export interface ManifestEntry {
  readonly title: string;
  readonly source: {
    /** npm package and version whose archive holds the files. */
    readonly package: string;
    readonly version: string;
    /** Name, size and digest of that archive. */
    readonly file: string;
    readonly bytes: number;
    readonly sha256: string;
  };
  /** Who made the data and on what terms they are given away. */
  readonly licence: string;
  /** `idx`: MNIST's own format. `cifar-binary`: the binary version of CIFAR-10. */
  readonly format: 'idx' | 'cifar-binary';
  readonly counts: { readonly train: number; readonly test: number };
  /** Channels, height, width. */
  readonly image: readonly [number, number, number];
  readonly classes: number;
  /** Per channel over the training images, of pixels in [0, 1]. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly files: readonly ManifestFile[];
}

export type Manifest = Readonly<Record<string, ManifestEntry>>;

const MANIFEST = new URL('../../data/manifest.json', import.meta.url);

/** The data sets that Gibbs can fetch. @throws DataError when the manifest is missing or damaged. */
export function readManifest(from: URL | string = MANIFEST): Manifest {
  try {
    return JSON.parse(readFileSync(from, 'utf8')) as Manifest;
  } catch (error) {
    const why = (error as Error).message;
    throw new DataError(`${from}: the list of data sets cannot be read: ${why}`, { cause: error });
  }
}

/** @throws ConfigError listing the known sets, for any other name. */
export function manifestEntry(name: string, manifest: Manifest = readManifest()): ManifestEntry {
  if (Object.hasOwn(manifest, name)) return manifest[name];
  throw unknownName('data set', name, Object.keys(manifest));
}
