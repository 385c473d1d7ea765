import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DataError, ShapeError, StoreError } from '../../src/core/errors.ts';
import { hostTensor } from '../../src/core/host-tensor.ts';
import {
  encodeSafetensors,
  readSafetensors,
  readSafetensorsFile,
  type StoredTensor,
  toHostTensor,
  toNumbers,
  writeSafetensorsFile,
} from '../../src/core/safetensors.ts';

const TENSORS: Record<string, StoredTensor> = {
  zeta: { dtype: 'F32', shape: [2, 2], data: Float32Array.of(1, -2.5, Number.NaN, 1e-40) },
  'net.0.weight': { dtype: 'F64', shape: [3], data: Float64Array.of(Math.PI, -0, Infinity) },
  count: { dtype: 'I32', shape: [], data: Int32Array.of(-7) },
  wide: { dtype: 'I64', shape: [2], data: BigInt64Array.of(-1n, 2n ** 62n) },
  byte: { dtype: 'U8', shape: [3], data: Uint8Array.of(0, 128, 255) },
  flag: { dtype: 'BOOL', shape: [3], data: Uint8Array.of(1, 0, 1) },
  empty: { dtype: 'F32', shape: [0, 4], data: new Float32Array(0) },
  ü: { dtype: 'F32', shape: [1], data: Float32Array.of(4) },
};

const concat = (chunks: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(chunks));

/** A file with the given header text and `dataBytes` zero bytes. */
function file(header: unknown, dataBytes: number, headerLength?: bigint): Uint8Array {
  const text = new TextEncoder().encode(
    typeof header === 'string' ? header : JSON.stringify(header),
  );
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, headerLength ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});

describe('safetensors', () => {
  it('returns what was written: values, shapes, types, metadata', () => {
    const metadata = { case: 'x', ü: '"quoted"\n' };
    const back = readSafetensors(concat(encodeSafetensors(TENSORS, metadata)));
    expect(back.metadata).toEqual(metadata);
    expect([...back.tensors.keys()]).toEqual(Object.keys(TENSORS).sort());
    for (const [name, tensor] of Object.entries(TENSORS)) {
      expect(back.tensors.get(name), name).toEqual(tensor);
    }
  });

  it('writes the same bytes whatever the order of keys', () => {
    const reversed = Object.fromEntries(Object.entries(TENSORS).reverse());
    const a = concat(encodeSafetensors(TENSORS, { a: '1', b: '2' }));
    expect(concat(encodeSafetensors(reversed, { b: '2', a: '1' }))).toEqual(a);
  });

  it('aligns the header to 8 bytes and every tensor to its element size', () => {
    const bytes = concat(encodeSafetensors(TENSORS));
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    for (const [name, { data }] of Object.entries(TENSORS)) {
      expect(header[name].data_offsets[0] % data.BYTES_PER_ELEMENT).toBe(0);
    }
  });

  it('reads data at any alignment and from a part of a larger buffer', () => {
    const header = { a: { dtype: 'U8', shape: [1], data_offsets: [0, 1] }, b: f32(1, 5) };
    const bytes = file(header, 5);
    bytes.set(new Uint8Array(Float32Array.of(1.5).buffer), bytes.length - 4);
    for (const shift of [0, 1, 2, 3]) {
      const larger = new Uint8Array(bytes.length + 8);
      larger.set(bytes, shift);
      const part = larger.subarray(shift, shift + bytes.length);
      expect(readSafetensors(part).tensors.get('b')?.data).toEqual(Float32Array.of(1.5));
    }
  });

  it('gives every tensor memory of its own', () => {
    const bytes = file({ a: f32(0, 4), b: f32(4, 8) }, 8);
    const { tensors } = readSafetensors(bytes);
    (tensors.get('a')!.data as Float32Array)[0] = 1;
    bytes.fill(255, bytes.length - 8);
    expect(tensors.get('b')?.data).toEqual(Float32Array.of(0));
    expect(tensors.get('b')?.data.buffer.byteLength).toBe(4);
  });

  it('writes and reads files', () => {
    const path = join(mkdtempSync(join(tmpdir(), 'gibbs-')), 'a.safetensors');
    writeSafetensorsFile(path, { x: hostTensor(Int32Array.of(1, 2), [2]) }, { k: 'v' });
    const back = readSafetensorsFile(path);
    expect(back.tensors.get('x')).toEqual({ dtype: 'I32', shape: [2], data: Int32Array.of(1, 2) });
    expect(back.metadata).toEqual({ k: 'v' });
  });

  it('refuses tensors whose data do not fit, and the reserved name', () => {
    const data = Float32Array.of(1);
    expect(() => encodeSafetensors({ x: { dtype: 'F32', shape: [2], data } })).toThrow(ShapeError);
    expect(() => encodeSafetensors({ x: { dtype: 'I32', shape: [1], data } })).toThrow(/'x'/);
    const reserved = { __metadata__: { dtype: 'F32', shape: [1], data } as const };
    expect(() => encodeSafetensors(reserved)).toThrow(/reserved/);
  });
});

describe('damaged safetensors', () => {
  const cases: [what: string, bytes: Uint8Array, message: RegExp][] = [
    ['an empty file', new Uint8Array(0), /at least 8/],
    ['a cut header length', Uint8Array.of(1, 2, 3), /at least 8/],
    ['a header beyond the end', file({}, 0, 1000n), /truncated/],
    ['a huge header', file({}, 0, 2n ** 63n), /at most 100000000/],
    ['a header above the limit', file({}, 0, 100_000_001n), /at most/],
    ['a header that is no JSON', file('{"a":', 0), /not valid JSON/],
    ['a header that is no UTF-8', file('{"\u00ff', 0, 3n), /not valid JSON/],
    ['a header that is a list', file('[]', 0), /not a JSON object/],
    ['a missing entry', file({ a: null }, 0), /'a': its entry/],
    ['an unknown dtype', file({ a: { ...f32(0, 4), dtype: 'F8' } }, 4), /'a': unsupported .*F8/],
    ['an inherited dtype', file({ a: { ...f32(0, 4), dtype: 'constructor' } }, 4), /unsupported/],
    ['a dtype that is no string', file({ a: { ...f32(0, 4), dtype: 1 } }, 4), /unsupported/],
    ['a negative size', file({ a: { ...f32(0, 4), shape: [-1, -1] } }, 4), /'a': shape/],
    ['a fractional size', file({ a: { ...f32(0, 4), shape: [0.5, 2] } }, 4), /'a': shape/],
    ['no shape', file({ a: { dtype: 'F32', data_offsets: [0, 4] } }, 4), /'a': shape/],
    ['a wrong size', file({ a: f32(0, 4, [2]) }, 4), /'a': F32 of shape \[2\] takes 8 bytes/],
    ['an overflowing size', file({ a: f32(0, 4, [2 ** 40, 2 ** 40]) }, 4), /'a': .*takes/],
    ['reversed offsets', file({ a: { ...f32(0, 4), data_offsets: [4, 0] } }, 4), /'a': data_off/],
    ['three offsets', file({ a: { ...f32(0, 4), data_offsets: [0, 4, 8] } }, 8), /'a': data_off/],
    ['a fractional offset', file({ a: { ...f32(0, 4), data_offsets: [0.5, 4.5] } }, 8), /'a'/],
    ['data beyond the end', file({ a: f32(0, 8) }, 4), /'a': .*beyond the end/],
    ['overlapping data', file({ a: f32(0, 8), b: f32(4, 12) }, 12), /'b': .*overlap/],
    ['the same data twice', file({ a: f32(0, 8), b: f32(0, 8) }, 8), /overlap/],
    ['a gap', file({ a: f32(0, 4), b: f32(8, 12) }, 12), /'b': .*gap/],
    ['a gap at the beginning', file({ a: f32(4, 8) }, 8), /'a': .*gap/],
    ['bytes left over', file({ a: f32(0, 4) }, 8), /4 bytes follow/],
    ['a key twice', file('{"a":1,"b":{"x":"a"},"\\u0061" : 2}', 0), /key 'a' occurs twice/],
    ['metadata that are no strings', file({ __metadata__: { a: 1 } }, 0), /__metadata__/],
    ['BOOL bytes above 1', boolTwo(), /'a' is BOOL/],
  ];

  function boolTwo(): Uint8Array {
    const bytes = file({ a: { dtype: 'BOOL', shape: [1], data_offsets: [0, 1] } }, 1);
    bytes[bytes.length - 1] = 2;
    return bytes;
  }

  it.each(cases)('%s is a DataError that names the file', (_, bytes, message) => {
    expect(() => readSafetensors(bytes, 'some.safetensors')).toThrow(DataError);
    expect(() => readSafetensors(bytes, 'some.safetensors')).toThrow(/^some\.safetensors: /);
    expect(() => readSafetensors(bytes, 'some.safetensors')).toThrow(message);
  });

  it('refuses every truncation of a good file', () => {
    const path = join(mkdtempSync(join(tmpdir(), 'gibbs-')), 'cut.safetensors');
    writeSafetensorsFile(path, TENSORS, { a: 'b' });
    const good = readFileSync(path);
    for (let n = 0; n < good.length; n++) {
      expect(() => readSafetensors(good.subarray(0, n))).toThrow(DataError);
    }
    writeFileSync(path, good.subarray(0, good.length - 1));
    expect(() => readSafetensorsFile(path)).toThrow(DataError);
    expect(() => readSafetensorsFile(path)).toThrow(/cut\.safetensors/);
  });

  it('says which file is missing', () => {
    expect(() => readSafetensorsFile('/absent/x.safetensors')).toThrow(DataError);
    expect(() => readSafetensorsFile('/absent/x.safetensors')).toThrow(/no file \/absent/);
    expect(() => readSafetensorsFile(tmpdir())).toThrow(StoreError);
  });
});

describe('conversions', () => {
  const stored = (name: keyof typeof TENSORS) => TENSORS[name];

  it('toNumbers keeps exact values and refuses what is not exact', () => {
    expect([...toNumbers(stored('byte'))]).toEqual([0, 128, 255]);
    const i64 = (v: bigint) => ({ dtype: 'I64', shape: [1], data: BigInt64Array.of(v) }) as const;
    expect([...toNumbers(i64(-(2n ** 53n) + 1n))]).toEqual([-(2 ** 53) + 1]);
    expect(() => toNumbers(i64(2n ** 53n))).toThrow(DataError);
  });

  it('toHostTensor maps to the types of the engine', () => {
    expect(toHostTensor(stored('net.0.weight'))).toEqual(
      hostTensor(Float32Array.of(Math.PI, -0, Infinity), [3]),
    );
    expect(toHostTensor(stored('byte'))).toEqual(hostTensor(Int32Array.of(0, 128, 255), [3]));
    expect(toHostTensor(stored('flag')).dtype).toBe('bool');
    expect(() => toHostTensor(stored('wide'))).toThrow(/does not fit int32/);
    const i64 = { dtype: 'I64', shape: [1], data: BigInt64Array.of(-5n) } as const;
    expect(toHostTensor(i64)).toEqual(hostTensor(Int32Array.of(-5), [1]));
  });
});
