import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/core/errors.ts';
import { openLmdb } from '../../src/datasets/lmdb.ts';
import { openLmdbPictures } from '../../src/datasets/lmdb-pictures.ts';

/** Two WebP pictures under LSUN's keys, written by the C library. */
const FOLDER = join(import.meta.dirname, '../fixtures/lmdb/church');
const scratch = mkdtempSync(join(tmpdir(), 'gibbs-lmdb-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const good = new Uint8Array(readFileSync(join(FOLDER, 'data.mdb')));

function fileWith(change: (bytes: Buffer) => Buffer | undefined): string {
  const copy = Buffer.from(good);
  const path = join(scratch, 'data.mdb');
  writeFileSync(path, change(copy) ?? copy);
  return path;
}

/** Opens the file and reads all of it. */
function readAll(path: string): number {
  const reader = openLmdb(path);
  try {
    return [...reader.entries()].reduce((n, [, value]) => n + value.length, 0);
  } finally {
    reader.close();
  }
}

const PAGE = 4096;
const bothMetas = (write: (bytes: Buffer, at: number) => void) => (bytes: Buffer) => {
  write(bytes, 0);
  write(bytes, PAGE);
  return undefined;
};

describe('openLmdb', () => {
  it('finds by key what it lists in order', () => {
    const reader = openLmdb(FOLDER);
    const entries = [...reader.entries()];
    expect(entries).toHaveLength(reader.size);
    const keys = entries.map(([key]) => Buffer.from(key).toString());
    expect(keys).toEqual([...keys].sort());
    for (const [key, value] of entries) expect(reader.get(key)).toEqual(value);
    for (const key of ['', '0', 'zzz', `${keys[0]}0`]) expect(reader.get(key)).toBeUndefined();
    reader.close();
  });

  it.each([
    ['no file', () => join(scratch, 'none'), /there is no file/],
    ['nothing', () => fileWith(() => Buffer.alloc(0)), /too few/],
    ['the first bytes', () => fileWith((b) => b.subarray(0, 100)), /too few/],
    ['half a file', () => fileWith((b) => b.subarray(0, 2.5 * PAGE)), /truncated/],
    [
      'another format',
      () => fileWith(bothMetas((b, at) => b.writeUInt32LE(1, at + 16))),
      /no LMDB file/,
    ],
    [
      'a later version',
      () => fileWith(bothMetas((b, at) => b.writeUInt32LE(999, at + 20))),
      /data version 999/,
    ],
    [
      'the format of lmdb-js',
      () =>
        fileWith(
          bothMetas((b, at) => {
            b.writeUInt32LE(0, at + 16);
            b.writeUInt32LE(0xbeefc0de, at + 24);
          }),
        ),
      /data version 2, the format of lmdb-js/,
    ],
    [
      'a tree that is no tree',
      () => fileWith(bothMetas((b, at) => b.writeUInt16LE(3, at + 94))),
      /no branch page/,
    ],
    [
      'pages of no size',
      () => fileWith(bothMetas((b, at) => b.writeUInt32LE(0, at + 40))),
      /pages of 0 bytes/,
    ],
  ])('refuses %s', (_, path, message) => {
    expect(() => readAll(path())).toThrow(message);
    expect(() => readAll(path())).toThrow(DataError);
  });

  it('ends with an error of its own, or some answer, for any changed byte of the tree', () => {
    let refused = 0;
    for (let at = 0; at < 3 * PAGE; at += at % PAGE < 160 ? 2 : 397) {
      const path = fileWith((b) => {
        b[at] ^= 0xff;
        return undefined;
      });
      try {
        readAll(path);
      } catch (error) {
        expect(error).toBeInstanceOf(DataError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(10);
  });
});

describe('openLmdbPictures', () => {
  it('decodes by order, and says which picture there is not', async () => {
    const pictures = openLmdbPictures(FOLDER, { keys: 'order' });
    const { width, height, pixels } = await pictures.picture(1);
    expect(pixels).toHaveLength(3 * width * height);
    expect(() => pictures.encoded(pictures.count)).toThrow(/there is no picture 2 among 2/);
    pictures.close();
    const byNumber = openLmdbPictures(FOLDER, { keys: 'number' });
    expect(() => byNumber.encoded(0)).toThrow(DataError);
    byNumber.close();
  });

  it('refuses a picture that is cut off, and raw bytes that are no square', async () => {
    const reader = openLmdb(FOLDER);
    const [[, value]] = reader.entries();
    reader.close();
    const { decodePicture, rawPicture } = await import('../../src/datasets/decode.ts');
    await expect(decodePicture(value.subarray(0, value.length / 2), 'p')).rejects.toThrow(
      DataError,
    );
    await expect(decodePicture(Buffer.from('no picture'), 'p')).rejects.toThrow(
      /p: cannot be decoded/,
    );
    expect(() => rawPicture(new Uint8Array(13), 'p')).toThrow(DataError);
  });
});
