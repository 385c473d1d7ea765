import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { DataError, ShapeError } from '../../src/core/errors.ts';
import { parseCifar10, parseCifar100, readCifar10 } from '../../src/datasets/cifar-binary.ts';
import {
  parseIdxImages,
  parseIdxLabels,
  readIdxImages,
  readIdxLabels,
} from '../../src/datasets/idx.ts';
import { toNhwc } from '../../src/datasets/images.ts';

/** Big-endian 32-bit words, then bytes. */
function idx(words: readonly number[], data: readonly number[]): Uint8Array {
  const out = new Uint8Array(4 * words.length + data.length);
  const view = new DataView(out.buffer);
  words.forEach((w, k) => {
    view.setUint32(4 * k, w);
  });
  out.set(data, 4 * words.length);
  return out;
}

const IMAGES = idx([0x803, 2, 1, 3], [1, 2, 3, 250, 251, 252]);
const LABELS = idx([0x801, 3], [7, 0, 9]);

describe('IDX files', () => {
  it('gives images row by row and labels', () => {
    expect(parseIdxImages(IMAGES, 'a')).toEqual({
      count: 2,
      channels: 1,
      height: 1,
      width: 3,
      pixels: Uint8Array.of(1, 2, 3, 250, 251, 252),
    });
    expect(parseIdxLabels(LABELS, 'a')).toEqual(Uint8Array.of(7, 0, 9));
  });

  it('reads gzip and plain files from disk', () => {
    const dir = mkdtempSync(join(tmpdir(), 'gibbs-idx-'));
    writeFileSync(join(dir, 'images.gz'), gzipSync(IMAGES));
    writeFileSync(join(dir, 'labels'), LABELS);
    expect(readIdxImages(join(dir, 'images.gz'))).toEqual(parseIdxImages(IMAGES, 'a'));
    expect(readIdxLabels(join(dir, 'labels'))).toEqual(Uint8Array.of(7, 0, 9));
    expect(() => readIdxLabels(join(dir, 'absent'))).toThrow(/no file .*absent/);
  });

  it.each([
    ['another magic number', idx([0x804, 2, 1, 3], [1]), /0x00000804, expected 0x00000803/],
    ['a little-endian header', idx([0x03080000, 2, 1, 3], [1]), /little-endian/],
    ['labels', LABELS, /label file/],
    ['missing pixels', IMAGES.subarray(0, -1), /truncated: .* 6 bytes, 5 follow/],
    ['bytes left over', idx([0x803, 1, 1, 1], [1, 2]), /left over/],
    ['a short header', IMAGES.subarray(0, 10), /header takes 16/],
    ['no bytes at all', new Uint8Array(0), /header takes 16/],
    ['no images', idx([0x803, 0, 28, 28], []), /no data/],
    ['a size beyond memory', idx([0x803, 2 ** 32 - 1, 65535, 65535], [1]), /truncated/],
    ['a cut gzip stream', gzipSync(IMAGES).subarray(0, -9), /damaged gzip/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseIdxImages(bytes, 'train-images')).toThrow(DataError);
    expect(() => parseIdxImages(bytes, 'train-images')).toThrow(/^train-images: /);
    expect(() => parseIdxImages(bytes, 'train-images')).toThrow(message);
  });

  it('refuses images offered as labels', () => {
    expect(() => parseIdxLabels(IMAGES, 'a')).toThrow(/this is an image file/);
  });
});

/** Records with the given label bytes and pixels counting up. */
function cifar(labels: readonly (readonly number[])[]): Uint8Array {
  const record = labels[0].length + 3072;
  const out = new Uint8Array(labels.length * record);
  labels.forEach((l, i) => {
    out.set(l, i * record);
    for (let p = 0; p < 3072; p++) out[i * record + l.length + p] = (i + p) % 251;
  });
  return out;
}

describe('CIFAR binary files', () => {
  it('separates labels and planes', () => {
    const { images, labels } = parseCifar10(cifar([[3], [9]]), 'a');
    expect([...labels]).toEqual([3, 9]);
    expect(images).toMatchObject({ count: 2, channels: 3, height: 32, width: 32 });
    expect(images.pixels[3072 + 1024]).toBe((1 + 1024) % 251);
    const hundred = parseCifar100(cifar([[19, 99]]), 'a');
    expect([...hundred.coarseLabels, ...hundred.fineLabels]).toEqual([19, 99]);
    expect(hundred.images.pixels).toEqual(images.pixels.subarray(0, 3072));
  });

  it.each([
    ['an empty file', new Uint8Array(0), /empty/],
    ['a cut record', cifar([[1], [2]]).subarray(0, -1), /6145 bytes .* records of 3073/],
    ['a label above 9', cifar([[1], [10]]), /label 10 in record 1, allowed are 0\.\.9/],
    ['CIFAR-100', cifar([[1, 2]]), /another data set/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseCifar10(bytes, 'data_batch_1.bin')).toThrow(DataError);
    expect(() => parseCifar10(bytes, 'data_batch_1.bin')).toThrow(/^data_batch_1\.bin: /);
    expect(() => parseCifar10(bytes, 'data_batch_1.bin')).toThrow(message);
  });

  it('refuses labels of CIFAR-100 out of range, and a missing file', () => {
    expect(() => parseCifar100(cifar([[20, 0]]), 'a')).toThrow(/coarse label 20/);
    expect(() => parseCifar100(cifar([[0, 100]]), 'a')).toThrow(/fine label 100/);
    expect(() => readCifar10('/absent.bin')).toThrow(DataError);
  });
});

describe('toNhwc', () => {
  it('moves channels last', () => {
    // Two images of 2 channels, 1 x 3.
    const pixels = Uint8Array.of(1, 2, 3, 11, 12, 13, 4, 5, 6, 14, 15, 16);
    const images = { count: 2, channels: 2, height: 1, width: 3, pixels };
    expect([...toNhwc(images)]).toEqual([1, 11, 2, 12, 3, 13, 4, 14, 5, 15, 6, 16]);
    expect(() => toNhwc({ ...images, count: 3 })).toThrow(ShapeError);
  });
});
