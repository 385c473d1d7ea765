import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/core/errors.ts';
import { type PickleValue, readPickle } from '../../src/core/pickle.ts';
import { averagedStateDicts, readStateDict, stateDictOf } from '../../src/core/torch-content.ts';
import { parseTorch, readTorchFile, torchTensor } from '../../src/core/torch-file.ts';
import { openZip } from '../../src/core/zip.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/torch');
const fixture = (name: string) => new Uint8Array(readFileSync(join(FIXTURES, name)));

const bytes = (...parts: (string | readonly number[])[]) =>
  new Uint8Array(
    Buffer.concat(
      parts.map((p) => (typeof p === 'string' ? Buffer.from(p, 'latin1') : Buffer.from(p))),
    ),
  );

/** A pickle of protocol 2 from its operations. */
const pickle = (...parts: (string | readonly number[])[]) => bytes([0x80, 2], ...parts, '.');

const short = (text: string) => bytes([0x8c, text.length], text);

/** An uncompressed zip archive. */
function zipOf(files: Record<string, Uint8Array>): Uint8Array {
  const local: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let at = 0;
  for (const [name, data] of Object.entries(files)) {
    const head = Buffer.alloc(30);
    head.writeUInt32LE(0x04034b50, 0);
    head.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt32LE(crc32(data), 16);
    entry.writeUInt32LE(data.length, 20);
    entry.writeUInt32LE(data.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    local.push(head, Buffer.from(name), data);
    central.push(entry, Buffer.from(name));
    at += head.length + name.length + data.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(at, 16);
  return new Uint8Array(Buffer.concat([...local, ...central, end]));
}

/** The pickle of one float32 tensor on storage 0. */
function tensorPickle(count: number, offset: number, shape: number[], strides: number[]) {
  const int = (n: number) => {
    const b = Buffer.alloc(5);
    b[0] = 0x4a;
    b.writeInt32LE(n, 1);
    return [...b];
  };
  const list = (ns: number[]) => ['(', ...ns.map(int), 't'];
  return pickle(
    'ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu',
    int(count),
    'tQ',
    int(offset),
    ...list(shape),
    ...list(strides),
    [0x89],
    'ccollections\nOrderedDict\n)RtR',
  );
}

function tensorFile(values: number[], ...view: [number, number[], number[]]) {
  const data = new Uint8Array(Float32Array.from(values).buffer);
  return zipOf({ 'm/data.pkl': tensorPickle(values.length, ...view), 'm/data/0': data });
}

describe('readPickle', () => {
  const read = (b: Uint8Array) => readPickle(b, { source: 'p' }).value;

  it('builds plain values', () => {
    expect(read(pickle('K\x05'))).toBe(5);
    expect(read(pickle('](K\x01K\x02e'))).toEqual([1, 2]);
    expect(read(pickle('}X\x01\0\0\0aNs'))).toEqual(new Map([['a', null]]));
    expect(read(pickle([0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1]))).toBe(2n ** 64n);
    expect(read(pickle([0x8a, 1, 0xff]))).toBe(-1);
  });

  it.each([
    ['os.system', pickle('cposix\nsystem\nX\x04\0\0\0true\x85R'), /'posix\.system'/],
    ['eval that is not called', pickle('c__builtin__\neval\n0}'), /'__builtin__\.eval'/],
    ['a dotted name', pickle([...short('torch')], [...short('os.system')], [0x93]), /os\.system/],
    ['a function of the library', pickle('ctorch\nones\nK\x02\x85R'), /'torch\.ones'/],
    ['an inherited property', pickle('c\nconstructor\n)R'), /constructor/],
  ])('refuses %s when it is looked up', (_, data, message) => {
    expect(() => read(data)).toThrow(message);
    expect(() => read(data)).toThrow(DataError);
  });

  it.each([
    ['nothing', bytes()],
    ['no end', bytes([0x80, 2], ']')],
    ['an empty stack', pickle('0')],
    ['a string longer than the file', pickle('X\xff\xff\xff\x7fa')],
    ['an unknown operation', pickle([0xff])],
    ['a list that is none', pickle('}K\x01a')],
    ['a later protocol', bytes([0x80, 9], 'N.')],
  ])('refuses %s', (_, data) => {
    expect(() => read(data)).toThrow(DataError);
  });
});

describe('readTorchFile', () => {
  it('reads a state dict, and a view with other strides row by row', () => {
    const dict = readStateDict(join(FIXTURES, 'small.pth'));
    expect(Object.values(dict).map((t) => t.data.length)).not.toContain(0);
    const transposed = parseTorch(tensorFile([1, 2, 3, 4, 5, 6], 0, [3, 2], [1, 3]), 'f');
    expect(torchTensor(transposed)).toMatchObject({ dtype: 'F32', shape: [3, 2] });
    expect([...(torchTensor(transposed)?.data ?? [])]).toEqual([1, 4, 2, 5, 3, 6]);
    const repeated = parseTorch(tensorFile([7, 8], 1, [3], [0]), 'f');
    expect([...(torchTensor(repeated)?.data ?? [])]).toEqual([8, 8, 8]);
  });

  it.each([
    ['beyond its storage', [0, [4, 4], [4, 1]], /beyond its storage/],
    ['at a negative offset', [-1, [2], [1]], /negative/],
    ['of negative size', [0, [-2], [1]], /negative/],
    ['with backward strides', [3, [2], [-1]], /negative/],
    ['with fewer strides than sizes', [0, [2, 2], [1]], /2 sizes but 1 strides/],
    ['that repeats without bounds', [0, [1e9, 1e9], [0, 0]], /too many to write out/],
  ] as [string, [number, number[], number[]], RegExp][])(
    'refuses a tensor %s',
    (_, view, message) => {
      expect(() => parseTorch(tensorFile([1, 2, 3, 4], ...view), 'file.pth')).toThrow(message);
    },
  );

  it('refuses a storage of another size than stated, and one that is missing', () => {
    const data = new Uint8Array(12);
    const make = (files: Record<string, Uint8Array>) => () => parseTorch(zipOf(files), 'f');
    const pkl = tensorPickle(4, 0, [4], [1]);
    expect(make({ 'm/data.pkl': pkl, 'm/data/0': data })).toThrow(/has 12 bytes, 4 F32 take 16/);
    expect(make({ 'm/data.pkl': pkl })).toThrow(/storage '0' is not in the archive/);
    expect(make({ 'm/other': pkl })).toThrow(/0 files 'data\.pkl'/);
  });

  it('refuses big-endian numbers', () => {
    const files = { 'm/data.pkl': pickle('}'), 'm/byteorder': bytes('big') };
    expect(() => parseTorch(zipOf(files), 'f')).toThrow(/byte order 'big'/);
  });

  it('refuses a call of the system in the older format', () => {
    expect(() => readTorchFile(join(FIXTURES, 'os-system-legacy.pth'))).toThrow(/nothing was run/);
  });

  it('refuses every truncation and every flipped byte of the data, or gives the same tensors', () => {
    const good = fixture('small.pth');
    for (let length = 0; length < good.length; length += 37) {
      expect(() => parseTorch(good.subarray(0, length), 'cut')).toThrow(DataError);
    }
    const digest = (value: PickleValue) =>
      JSON.stringify(Object.entries(stateDictOf(value, 'f')).map(([k, t]) => [k, [...t.data]]));
    const expected = digest(parseTorch(good, 'good'));
    let refused = 0;
    for (let at = 0; at < good.length; at += 11) {
      const flipped = good.slice();
      flipped[at] ^= 0x20;
      let got: string | undefined;
      try {
        got = digest(parseTorch(flipped, 'flipped'));
      } catch (error) {
        expect(error).toBeInstanceOf(DataError);
        refused++;
      }
      if (got !== undefined) expect(got).toBe(expected);
    }
    expect(refused).toBeGreaterThan(10);
  });

  it('names a file that is no checkpoint', () => {
    expect(() => parseTorch(bytes('hello'), 'x.pth')).toThrow(/x\.pth: no checkpoint of PyTorch/);
    expect(() => parseTorch(bytes(), 'x.pth')).toThrow(/the file is empty/);
    expect(() => readTorchFile('/nowhere/x.pth')).toThrow(DataError);
  });
});

describe('openZip', () => {
  it('finds a changed byte by its check sum', () => {
    const zip = zipOf({ a: bytes('hello') });
    expect([...openZip(zip, 'z').read('a')]).toEqual([...bytes('hello')]);
    zip[32] ^= 1;
    expect(() => openZip(zip, 'z').read('a')).toThrow(/check sum/);
  });
});

describe('averagedStateDicts', () => {
  const path = join(FIXTURES, 'content.pth');

  it('finds the moving averages under the keys of the network', () => {
    const content = readTorchFile(path) as Map<PickleValue, PickleValue>;
    const plain = stateDictOf(content.get('netG_dict'), path);
    const averaged = averagedStateDicts(content, ['netG_dict'], 'optimizerG', path).netG_dict;
    expect(Object.keys(averaged)).toEqual(Object.keys(plain));
    expect([...averaged['bn.running_mean'].data]).toEqual([...plain['bn.running_mean'].data]);
    const distance = (key: string) =>
      Math.max(...Array.from(plain[key].data, (v, i) => Math.abs(v - averaged[key].data[i])));
    // After three steps of 0.001 the averages lag behind by less than that.
    expect(distance('l1.weight')).toBeGreaterThan(1e-5);
    expect(distance('l1.weight')).toBeLessThan(5e-3);
  });

  it('refuses networks that the optimiser does not move', () => {
    const content = readTorchFile(path);
    expect(() => averagedStateDicts(content, ['netE_dict'], 'optimizerG', path)).toThrow(DataError);
    expect(() => averagedStateDicts(content, ['netG_dict'], 'optimizerD', path)).toThrow(
      /no optimiser state 'optimizerD'/,
    );
  });
});
