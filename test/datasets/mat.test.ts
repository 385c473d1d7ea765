import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/core/errors.ts';
import { toNhwc } from '../../src/datasets/images.ts';
import { parseMat } from '../../src/datasets/mat.ts';
import { parseSvhn } from '../../src/datasets/svhn.ts';

const bytesOf = (a: ArrayBufferView) => new Uint8Array(a.buffer, a.byteOffset, a.byteLength);
const concat = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

/** A tag and its data, padded to 8 bytes; at most 4 bytes go into the tag itself if `small`. */
function element(type: number, data: Uint8Array, small = false): Uint8Array {
  if (small) {
    const out = new Uint8Array(8);
    new DataView(out.buffer).setUint32(0, (data.length << 16) | type, true);
    out.set(data, 4);
    return out;
  }
  const out = new Uint8Array(8 + Math.ceil(data.length / 8) * 8);
  new DataView(out.buffer).setUint32(0, type, true);
  new DataView(out.buffer).setUint32(4, data.length, true);
  out.set(data, 8);
  return out;
}

interface Variable {
  readonly name: string;
  readonly shape: readonly number[];
  /** mxDOUBLE 6, mxUINT8 9, ... */
  readonly kind: number;
  /** Stored type and bytes. */
  readonly type: number;
  readonly data: Uint8Array;
  readonly flags?: number;
  readonly small?: boolean;
}

function variable(v: Variable): Uint8Array {
  const name = new TextEncoder().encode(v.name);
  return element(
    14,
    concat(
      element(6, bytesOf(Uint32Array.of(v.kind | ((v.flags ?? 0) << 8), 0))),
      element(5, bytesOf(Int32Array.from(v.shape))),
      element(1, name, name.length <= 4),
      element(v.type, v.data, v.small),
    ),
  );
}

function compressed(v: Uint8Array): Uint8Array {
  const packed = deflateSync(v);
  const tag = new Uint8Array(8);
  new DataView(tag.buffer).setUint32(0, 15, true);
  new DataView(tag.buffer).setUint32(4, packed.length, true);
  return concat(tag, packed);
}

function mat(...parts: Uint8Array[]): Uint8Array {
  const header = new Uint8Array(128).fill(0x20);
  header.set(new TextEncoder().encode('MATLAB 5.0 MAT-file'));
  header.set([0x00, 0x01, 0x49, 0x4d], 124);
  return concat(header, ...parts);
}

const doubles = (...v: number[]) => bytesOf(Float64Array.from(v));
const A: Variable = { name: 'a', shape: [2, 1], kind: 6, type: 9, data: doubles(1.5, -2) };
const B: Variable = {
  name: 'bee',
  shape: [1, 3],
  kind: 9,
  type: 2,
  data: Uint8Array.of(1, 2, 255),
};

describe('parseMat', () => {
  it('reads plain and compressed variables in any order', () => {
    const expected = {
      a: { shape: [2, 1], data: Float64Array.of(1.5, -2) },
      bee: { shape: [1, 3], data: Uint8Array.of(1, 2, 255) },
    };
    for (const wrap of [(v: Uint8Array) => v, compressed]) {
      expect(parseMat(mat(wrap(variable(A)), wrap(variable(B))), 'f', ['a', 'bee'])).toEqual(
        expected,
      );
      expect(parseMat(mat(wrap(variable(B)), wrap(variable(A))), 'f', ['a', 'bee'])).toEqual(
        expected,
      );
    }
  });

  it('converts numbers stored in a smaller type, also inside the tag', () => {
    const stored = [
      { type: 2, data: Uint8Array.of(7, 200), small: true },
      { type: 3, data: bytesOf(Int16Array.of(7, 200)), small: true },
      { type: 5, data: bytesOf(Int32Array.of(7, 200)) },
      { type: 7, data: bytesOf(Float32Array.of(7, 200)) },
    ];
    for (const s of stored) {
      const { a } = parseMat(mat(variable({ ...A, ...s })), 'f', ['a']);
      expect(a.data).toEqual(Float64Array.of(7, 200));
    }
  });

  it('passes over other variables of any kind', () => {
    const others = [
      variable({ ...A, name: 'struct', kind: 2 }),
      variable({ ...A, name: 'complex', flags: 0x08 }),
      compressed(variable({ ...A, name: 'sparse', kind: 5 })),
    ];
    expect(parseMat(mat(others[0], variable(A), others[1], others[2]), 'f', ['a']).a.shape).toEqual(
      [2, 1],
    );
  });

  const good = mat(variable(A), variable(B));
  const packed = mat(compressed(variable(A)));
  const flipped = packed.slice();
  flipped[128 + 20] ^= 0xff;
  const version73 = good.slice();
  version73.set(new TextEncoder().encode('MATLAB 7.3 MAT-file'));
  const bigEndian = good.slice();
  bigEndian.set([0x01, 0x00, 0x4d, 0x49], 124);

  it.each([
    ['a short header', good.subarray(0, 100), /100 bytes/],
    ['a cut variable', good.subarray(0, 160), /truncated/],
    ['a cut tag', mat(Uint8Array.of(14, 0, 0)), /truncated within a tag/],
    ['a cut stream', mat(element(15, deflateSync(variable(A)).subarray(0, -4))), /compressed/],
    ['a damaged stream', flipped, /damaged compressed variable/],
    ['an empty stream', mat(compressed(new Uint8Array(0))), /empty compressed/],
    ['version 7.3', version73, /7\.3 \(HDF5\)/],
    ['big-endian', bigEndian, /big-endian/],
    ['another format', new Uint8Array(200), /not a MATLAB level 5/],
    ['an absent variable', mat(variable(B)), /no variable 'a' \(found: bee\)/],
    ['a struct', mat(variable({ ...A, kind: 2 })), /'a' is struct/],
    ['a complex array', mat(variable({ ...A, flags: 8 })), /'a' is complex double/],
    ['64-bit integers', mat(variable({ ...A, kind: 14 })), /'a' is int64/],
    ['too many dimensions', mat(variable({ ...A, shape: [2, 2] })), /needs 4 values, it has 2/],
    ['negative sizes', mat(variable({ ...A, shape: [-2, -1] })), /-2 x -1/],
    ['huge sizes', mat(variable({ ...A, shape: [2 ** 30, 2 ** 30] })), /it has 2/],
    ['half a number', mat(variable({ ...A, data: doubles(1, 2).subarray(0, 12) })), /it has 1\.5/],
    ['a number between variables', mat(element(9, doubles(1))), /not a matrix/],
    ['an empty matrix element', mat(element(14, new Uint8Array(0))), /no array flags/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseMat(bytes, 'test.mat', ['a'])).toThrow(DataError);
    expect(() => parseMat(bytes, 'test.mat', ['a'])).toThrow(/^test\.mat: /);
    expect(() => parseMat(bytes, 'test.mat', ['a'])).toThrow(message);
  });

  it('refuses every truncation with an error of ours', () => {
    for (let n = 0; n < good.length - 8; n++) {
      expect(() => parseMat(good.subarray(0, n), 'f', ['a', 'bee'])).toThrow(DataError);
    }
  });
});

describe('parseSvhn', () => {
  /** Pixel (row, column, channel) of image i has this value. */
  const pixel = (row: number, column: number, channel: number, i: number) =>
    (row + 3 * column + 70 * channel + 11 * i) % 256;

  function svhn(count: number, labels: readonly number[], shape = [32, 32, 3, count]) {
    const data = new Uint8Array(3072 * count);
    let k = 0;
    for (let i = 0; i < count; i++) {
      for (let channel = 0; channel < 3; channel++) {
        for (let column = 0; column < 32; column++) {
          for (let row = 0; row < 32; row++) data[k++] = pixel(row, column, channel, i);
        }
      }
    }
    const y = { name: 'y', shape: [labels.length, 1], kind: 6, type: 9, data: doubles(...labels) };
    return mat(
      compressed(variable({ name: 'X', shape, kind: 9, type: 2, data })),
      compressed(variable(y)),
    );
  }

  it('turns columns into rows and 10 into 0', () => {
    const { images, labels } = parseSvhn(svhn(2, [10, 3]), 'f');
    expect([...labels]).toEqual([0, 3]);
    expect(images).toMatchObject({ count: 2, channels: 3, height: 32, width: 32 });
    const nhwc = toNhwc(images);
    for (const [row, column, channel, i] of [
      [0, 1, 0, 0],
      [1, 0, 0, 0],
      [31, 5, 2, 1],
      [17, 30, 1, 1],
    ]) {
      const at = ((i * 32 + row) * 32 + column) * 3 + channel;
      expect(nhwc[at]).toBe(pixel(row, column, channel, i));
    }
  });

  it('reads a single image, whose last dimension MATLAB drops', () => {
    expect(parseSvhn(svhn(1, [4], [32, 32, 3]), 'f').images.count).toBe(1);
  });

  it.each([
    ['labels that differ in number', svhn(2, [1]), /2 images but 1 labels/],
    ['a label 0', svhn(1, [0]), /label 0 of image 0, allowed are 1\.\.10/],
    ['a label 11', svhn(2, [1, 11]), /label 11 of image 1/],
    ['a fraction', svhn(1, [1.5]), /label 1\.5/],
    ['another shape', svhn(2, [1, 2], [64, 16, 3, 2]), /expected 32 x 32 x 3 x N/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseSvhn(bytes, 'train_32x32.mat')).toThrow(DataError);
    expect(() => parseSvhn(bytes, 'train_32x32.mat')).toThrow(message);
  });
});
