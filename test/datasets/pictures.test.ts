import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { integers } from '../../src/core/random.ts';
import { epochBatches } from '../../src/datasets/epochs.ts';
import { openLmdb } from '../../src/datasets/lmdb.ts';
import { LmdbWriter } from '../../src/datasets/lmdb-writer.ts';
import { packPictures } from '../../src/datasets/pack.ts';
import { loadPictures, pictureBatches } from '../../src/datasets/picture-batches.ts';
import { fitPicture } from '../../src/datasets/picture-fit.ts';
import { openPictureSet, pictureFiles } from '../../src/datasets/picture-set.ts';
import { PictureThreads } from '../../src/datasets/picture-threads.ts';

let root: string;
const COUNT = 24;
const SIZE = 8;
const ONE = { threads: 1 };

/** Picture i is grey with the value 10 i in its middle square. */
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'gibbs-pictures-'));
  mkdirSync(join(root, 'set', 'b'), { recursive: true });
  for (let i = 0; i < COUNT; i++) {
    const place = join(root, 'set', i < COUNT / 2 ? '' : 'b');
    const picture = sharp({
      create: { width: 12, height: 8, channels: 3, background: { r: 10 * i, g: 10 * i, b: 7 } },
    });
    const name = `p${String(i).padStart(2, '0')}`;
    await (i % 2 === 0
      ? picture.png().toFile(join(place, `${name}.png`))
      : picture.jpeg({ quality: 100 }).toFile(join(place, `${name}.JPG`)));
  }
  writeFileSync(join(root, 'set', 'notes.txt'), 'no picture');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const source = () => ({ kind: 'folder', path: join(root, 'set') }) as const;

describe('folders of pictures', () => {
  it('are listed in byte order, subfolders included', () => {
    const files = pictureFiles(join(root, 'set'));
    expect(files).toHaveLength(COUNT);
    expect(files.slice(0, 2)).toEqual(['b/p12.png', 'b/p13.JPG']);
  });

  it('are decoded by threads into one array, in that order', async () => {
    const images = await loadPictures(source(), { size: SIZE, fit: 'centre' }, { threads: 2 });
    expect([images.count, images.channels, images.height]).toEqual([COUNT, 3, SIZE]);
    const first = (i: number) => images.pixels[i * 3 * SIZE * SIZE];
    expect(Math.abs(first(0) - 120)).toBeLessThanOrEqual(1);
    expect(Math.abs(first(COUNT - 1) - 110)).toBeLessThanOrEqual(1);
    expect(images.pixels[2 * SIZE * SIZE]).toBe(7);
  });

  it('say what is missing or wrong in one line', async () => {
    expect(() => pictureFiles(join(root, 'absent'))).toThrow(/there is no file .*absent/);
    mkdirSync(join(root, 'empty'), { recursive: true });
    expect(() => pictureFiles(join(root, 'empty'))).toThrow(/there is no picture in it/);
    await expect(loadPictures(source(), { size: SIZE, fit: 'exact' }, ONE)).rejects.toThrow(
      /p12\.png: the picture is 12 x 8, expected 8 x 8/,
    );
    await expect(loadPictures(source(), { size: SIZE, fit: 'celeba' }, ONE)).rejects.toThrow(
      /expected 178 x 218/,
    );
  });

  it('name the picture that is truncated, and the process goes on', async () => {
    const folder = join(root, 'cut');
    mkdirSync(folder, { recursive: true });
    const whole = readFileSync(join(root, 'set', 'p00.png'));
    writeFileSync(join(folder, 'a.png'), whole);
    writeFileSync(join(folder, 'b.png'), whole.subarray(0, whole.length - 30));
    await expect(
      loadPictures({ kind: 'folder', path: folder }, { size: SIZE, fit: 'centre' }, ONE),
    ).rejects.toThrow(/b\.png: cannot be decoded/);
    expect((await openPictureSet(source()).picture(0)).width).toBe(12);
  });
});

describe('batches for training', () => {
  it('are a pure function of the key, in order, out of order and after an error', async () => {
    const batches = pictureBatches({ source: source(), batch: 5, size: SIZE, fit: 'centre' });
    const whole = await loadPictures(source(), { size: SIZE, fit: 'centre' }, ONE);
    const places = epochBatches(COUNT, 5);
    const at = (step: number) => ({ seed: 3, stream: 'data', step });
    for (const step of [0, 1, 2, 3, 4, 9, 10, 2, 3, 3]) {
      const { data, shape } = batches.batch(at(step));
      expect(shape).toEqual([5, 3, SIZE, SIZE]);
      places(at(step)).forEach((place, i) => {
        const size = 3 * SIZE * SIZE;
        const expected = whole.pixels[place * size] / 127.5 - 1;
        expect(data[i * size]).toBeCloseTo(expected, 5);
      });
    }
    await batches.close();
  });
});

describe('a slot that is asked for again', () => {
  it('never shows a picture of the task before', async () => {
    const whole = await loadPictures(source(), { size: SIZE, fit: 'centre' }, ONE);
    const imageBytes = 3 * SIZE * SIZE;
    const fit = { size: SIZE, fit: 'centre' } as const;
    const threads = new PictureThreads({ source: source(), fit, batch: COUNT, threads: 1 });
    const all = Array.from({ length: COUNT }, (_, i) => i);
    for (let round = 0; round < 20; round++) {
      // Many pictures in reverse, given up at once for a few: the slow task must not end last.
      threads.fill(0, all.toReversed());
      threads.fill(0, [3, 1, 4]);
      const bytes = threads.take(0);
      [3, 1, 4].forEach((place, i) => {
        expect(bytes[i * imageBytes]).toBe(whole.pixels[place * imageBytes]);
      });
    }
    await threads.close();
  });
});

describe('fitting', () => {
  it('takes the middle of a wide picture', () => {
    const pixels = Uint8Array.from({ length: 3 * 12 * 8 }, (_, k) => Math.floor(k / 3) % 12);
    const fitted = fitPicture({ width: 12, height: 8, pixels }, { size: 8, fit: 'centre' }, 'p');
    expect([...fitted.pixels.filter((_, k) => k % 3 === 0)].slice(0, 8)).toEqual([
      2, 3, 4, 5, 6, 7, 8, 9,
    ]);
  });
});

describe('packing into LMDB', () => {
  it('keeps the files, under decimal keys', async () => {
    const to = join(root, 'keep.lmdb');
    expect(await packPictures({ source: source(), to })).toBe(COUNT);
    const reader = openLmdb(to);
    const files = pictureFiles(join(root, 'set'));
    files.forEach((file, i) => {
      const stored = Buffer.from(reader.get(String(i))!);
      expect(stored.equals(readFileSync(join(root, 'set', file)))).toBe(true);
    });
    reader.close();
    expect(readdirSync(to)).toEqual(['data.mdb']);
  });

  it('writes raw pictures that read back the same', async () => {
    const to = join(root, 'raw.lmdb');
    await packPictures({ source: source(), to, format: 'raw', size: SIZE, fit: 'centre' });
    const packed = await loadPictures(
      { kind: 'lmdb', path: to, keys: 'number', values: 'raw' },
      { size: SIZE, fit: 'exact' },
      ONE,
    );
    const direct = await loadPictures(source(), { size: SIZE, fit: 'centre' }, ONE);
    expect(packed.pixels).toEqual(direct.pixels);
  });

  it('leaves nothing behind when a picture is damaged', async () => {
    const to = join(root, 'cut.lmdb');
    const cut = { kind: 'folder', path: join(root, 'cut') } as const;
    await expect(packPictures({ source: cut, to })).rejects.toThrow(/b\.png/);
    expect(readdirSync(to)).toEqual([]);
  });

  it('builds trees of several levels, with small and large values', () => {
    const to = join(root, 'deep.lmdb');
    const writer = new LmdbWriter(to);
    const keys = Array.from({ length: 5000 }, (_, i) => `key-${String(i).padStart(60, '0')}`);
    const value = (i: number) =>
      Uint8Array.from(
        integers({ seed: i, stream: 'v', step: 0 }, i % 97 === 0 ? 9000 : i % 40, 256),
      );
    for (const [i, key] of keys.entries()) writer.add(key, value(i));
    writer.finish();
    const reader = openLmdb(to);
    expect(reader.size).toBe(5000);
    expect(reader.depth).toBeGreaterThan(2);
    expect([...reader.keys()].map((k) => Buffer.from(k).toString())).toEqual(keys);
    for (const i of [0, 1, 96, 97, 2500, 4999]) expect(reader.get(keys[i])).toEqual(value(i));
    reader.close();
  });

  it('refuses keys that are out of order, equal, empty or too long', () => {
    const writer = new LmdbWriter(join(root, 'order.lmdb'));
    writer.add('b', new Uint8Array(1));
    expect(() => writer.add('a', new Uint8Array(1))).toThrow(/'a' comes after a larger/);
    expect(() => writer.add('b', new Uint8Array(1))).toThrow(/larger or equal/);
    expect(() => writer.add('', new Uint8Array(1))).toThrow(/key of 0 bytes/);
    expect(() => writer.add('x'.repeat(512), new Uint8Array(1))).toThrow(/key of 512 bytes/);
    writer.abort();
  });
});
