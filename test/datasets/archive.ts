import { createHash } from 'node:crypto';
import { crc32, deflateSync, gzipSync } from 'node:zlib';
import type { ManifestEntry } from '../../src/datasets/manifest.ts';

/** A gzip-compressed ustar archive of the given files. */
export function tarGz(files: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const blocks = Object.entries(files).flatMap(([name, data]) => {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write('0000644\0', 100);
    header.write(`${data.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('0', 156);
    header.write('ustar\0', 257);
    const padding = Buffer.alloc((512 - (data.length % 512)) % 512);
    return [header, Buffer.from(data), padding];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

/** IDX file of images or labels. */
export function idx(magic: number, sizes: readonly number[], data: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4 + 4 * sizes.length);
  header.writeUInt32BE(magic, 0);
  sizes.forEach((s, k) => {
    header.writeUInt32BE(s, 4 + 4 * k);
  });
  return Buffer.concat([header, data]);
}

export const IMAGES = 0x803;
export const LABELS = 0x801;

/** The four files of an MNIST of `n` images of side 28 with seeded content. */
export function tinyMnist(n: number): Record<string, Uint8Array> {
  const pixels = Uint8Array.from({ length: n * 784 }, (_, i) => (i * 31 + (i >> 7) * 17) % 256);
  const labels = Uint8Array.from({ length: n }, (_, i) => i % 10);
  return Object.fromEntries(
    ['train', 't10k'].flatMap((stem) => [
      [`${stem}-images-idx3-ubyte`, idx(IMAGES, [n, 28, 28], pixels)],
      [`${stem}-labels-idx1-ubyte`, idx(LABELS, [n], labels)],
    ]),
  );
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The manifest entry of an archive of those files. */
export function entryOf(archive: Uint8Array, files: Record<string, Uint8Array>): ManifestEntry {
  return {
    title: 'tiny',
    source: {
      package: 'tiny-data',
      version: '1.0.0',
      file: 'tiny-data-1.0.0.tgz',
      bytes: archive.length,
      sha256: sha256(archive),
    },
    licence: 'none',
    format: 'idx',
    counts: { train: 20, test: 20 },
    image: [1, 28, 28],
    classes: 10,
    mean: [0],
    std: [1],
    files: Object.entries(files).map(([name, data]) => ({
      name,
      bytes: data.length,
      sha256: sha256(data),
      count: 20,
    })),
  };
}

/** An 8-bit RGB PNG; `filters` gives the filter type of each row. */
export function rgbPng(
  width: number,
  height: number,
  pixels: Uint8Array,
  filters: readonly number[],
): Uint8Array {
  const row = 3 * width;
  const raw = Buffer.alloc((row + 1) * height);
  const at = (x: number, y: number) => (x < 0 || y < 0 ? 0 : pixels[y * row + x]);
  for (let y = 0; y < height; y++) {
    raw[y * (row + 1)] = filters[y];
    for (let x = 0; x < row; x++) {
      const [a, b, c] = [at(x - 3, y), at(x, y - 1), x < 3 ? 0 : at(x - 3, y - 1)];
      const p = a + b - c;
      const nearest = [a, b, c].reduce((best, v) =>
        Math.abs(p - v) < Math.abs(p - best) ? v : best,
      );
      const guess = [0, a, b, (a + b) >> 1, nearest][filters[y]];
      raw[y * (row + 1) + 1 + x] = pixels[y * row + x] - guess;
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const chunk = (type: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const out = Buffer.alloc(8 + body.length);
    out.writeUInt32BE(data.length, 0);
    body.copy(out, 4);
    out.writeUInt32BE(crc32(body), 4 + body.length);
    return out;
  };
  const compressed = deflateSync(raw);
  const half = compressed.length >> 1;
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', compressed.subarray(0, half)),
    chunk('IDAT', compressed.subarray(half)),
    chunk('IEND', new Uint8Array(0)),
  ]);
}
