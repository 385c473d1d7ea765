import { closeSync, fstatSync, openSync } from 'node:fs';
import { DataError, ShapeError } from './errors.ts';
import { toReadError, writeFileAtomic } from './files.ts';
import { fromFloat16 } from './float16.ts';
import { type HostTensor, hostTensor, sizeOf } from './host-tensor.ts';
import { duplicateKey } from './json-keys.ts';
import { readAt } from './read-at.ts';

/**
 * The safetensors format: 8 bytes little-endian header length, a JSON header
 * `{name: {dtype, shape, data_offsets: [begin, end]}, __metadata__: {string: string}}`, then the
 * raw little-endian data without gaps.
 */
export type StoredDType = 'F16' | 'F32' | 'F64' | 'I32' | 'I64' | 'U8' | 'BOOL';

export type StoredData =
  | Uint16Array
  | Float32Array
  | Float64Array
  | Int32Array
  | BigInt64Array
  | Uint8Array;

/** A tensor as a file holds it; row-major. BOOL is one byte per element, 0 or 1; F16 its bits. */
export interface StoredTensor {
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  readonly data: StoredData;
}

export interface Safetensors {
  /** By name, in the order of the names' code units. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

const ARRAY_OF = {
  F16: Uint16Array,
  F32: Float32Array,
  F64: Float64Array,
  I32: Int32Array,
  I64: BigInt64Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

/** Longest header accepted, the limit of the format's own implementation. */
const MAX_HEADER_BYTES = 100_000_000;

interface Source {
  readonly name: string;
  readonly size: number;
  /** A fresh buffer with the bytes of [begin, end), which lie within the file. */
  read(begin: number, end: number): Uint8Array<ArrayBuffer>;
}

interface Entry {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * Reads a safetensors file from memory; `source` names it in errors.
 * @throws DataError naming file and tensor when anything is damaged, see readSafetensorsFile.
 */
export function readSafetensors(bytes: Uint8Array, source = 'safetensors data'): Safetensors {
  return decode({
    name: source,
    size: bytes.length,
    read: (begin, end) => new Uint8Array(bytes.subarray(begin, end)),
  });
}

/**
 * Reads a whole safetensors file; every tensor gets memory of its own.
 * @throws DataError when there is no such file, it is truncated, the header is too long, no JSON, has a key twice,
 * an unknown dtype, a shape that does not fit its bytes, or data that overlap, leave a gap or
 * reach beyond the end.
 * @throws StoreError when the file exists but cannot be read.
 */
export function readSafetensorsFile(path: string): Safetensors {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw toReadError(error, path);
  }
  try {
    const size = fstatSync(fd).size;
    const read = (begin: number, end: number) => {
      const bytes = readAt(fd, begin, end - begin);
      if (bytes.length < end - begin) {
        throw new DataError(`${path}: the file became shorter while it was read`);
      }
      return bytes;
    };
    return decode({ name: path, size, read });
  } catch (error) {
    throw error instanceof DataError ? error : toReadError(error, path);
  } finally {
    closeSync(fd);
  }
}

function decode(source: Source): Safetensors {
  const { header, dataStart } = readHeader(source);
  const { entries, metadata } = checkHeader(header, source.name);
  checkLayout(entries, source.size - dataStart, source.name);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, begin, end } of entries.sort(byName)) {
    const bytes = source.read(dataStart + begin, dataStart + end);
    if (dtype === 'BOOL' && bytes.some((b) => b > 1)) {
      throw new DataError(`${source.name}: tensor '${name}' is BOOL but has bytes other than 0, 1`);
    }
    tensors.set(name, { dtype, shape, data: new ARRAY_OF[dtype](bytes.buffer) });
  }
  return { tensors, metadata };
}

function readHeader(source: Source): { header: Record<string, unknown>; dataStart: number } {
  const fail = (what: string) => new DataError(`${source.name}: ${what}; not a safetensors file?`);
  if (source.size < 8) throw fail(`${source.size} bytes, at least 8 are needed for the header`);
  const length = new DataView(source.read(0, 8).buffer).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw fail(`the header claims ${length} bytes, at most ${MAX_HEADER_BYTES} are allowed`);
  }
  const dataStart = 8 + Number(length);
  if (dataStart > source.size) {
    throw fail(`truncated: the header claims ${length} bytes, the file has ${source.size}`);
  }
  let header: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(source.read(8, dataStart));
    header = JSON.parse(text);
  } catch (error) {
    throw new DataError(`${source.name}: the header is not valid JSON`, { cause: error });
  }
  if (!isObject(header)) throw fail('the header is not a JSON object');
  const twice = duplicateKey(text);
  if (twice !== undefined) throw new DataError(`${source.name}: key '${twice}' occurs twice`);
  return { header, dataStart };
}

function checkHeader(header: Record<string, unknown>, file: string) {
  const entries: Entry[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') {
      if (!isObject(value) || !Object.values(value).every((v) => typeof v === 'string')) {
        throw new DataError(`${file}: __metadata__ must map strings to strings`);
      }
      metadata = value as Record<string, string>;
    } else {
      entries.push(checkEntry(name, value, file));
    }
  }
  return { entries, metadata };
}

function checkEntry(name: string, value: unknown, file: string): Entry {
  const fail = (what: string) => new DataError(`${file}: tensor '${name}': ${what}`);
  if (!isObject(value)) throw fail('its entry is not an object');
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !Object.hasOwn(ARRAY_OF, dtype)) {
    const known = Object.keys(ARRAY_OF).join(', ');
    throw fail(`unsupported dtype ${JSON.stringify(dtype)} (supported: ${known})`);
  }
  if (!isCounts(shape)) throw fail(`shape must be a list of sizes, got ${JSON.stringify(shape)}`);
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    throw fail(`data_offsets must be [begin, end], got ${JSON.stringify(offsets)}`);
  }
  const [begin, end] = offsets;
  const size = sizeOf(shape) * ARRAY_OF[dtype as StoredDType].BYTES_PER_ELEMENT;
  if (size !== end - begin) {
    throw fail(`${dtype} of shape [${shape}] takes ${size} bytes, its data have ${end - begin}`);
  }
  return { name, dtype: dtype as StoredDType, shape, begin, end };
}

function checkLayout(entries: readonly Entry[], size: number, file: string): void {
  let at = 0;
  for (const e of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (e.end > size) {
      const where = `[${e.begin}, ${e.end})`;
      throw new DataError(
        `${file}: tensor '${e.name}': its data ${where} reach beyond the end of the file (${size} data bytes); truncated?`,
      );
    }
    if (e.begin !== at) {
      const what = e.begin < at ? 'overlap those of another tensor' : 'leave a gap before them';
      throw new DataError(`${file}: tensor '${e.name}': its data at ${e.begin} ${what}`);
    }
    at = e.end;
  }
  if (at !== size) throw new DataError(`${file}: ${size - at} bytes follow the last tensor`);
}

/**
 * The bytes of a safetensors file, in chunks. The same tensors and metadata give the same bytes:
 * keys are sorted, wide elements lie first so that all data are aligned, the header is padded with
 * spaces to a multiple of 8 bytes.
 * @throws ShapeError when shape and data disagree, or a name is `__metadata__`.
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, StoredTensor | HostTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const list = Object.entries(tensors).map(([name, t]) => ({ name, ...toStored(name, t) }));
  list.sort((a, b) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT || byName(a, b));
  const offsets = new Map<string, [number, number]>();
  let at = 0;
  for (const { name, data } of list) {
    offsets.set(name, [at, at + data.byteLength]);
    at += data.byteLength;
  }
  const header: [string, unknown][] = [];
  const metadataKeys = Object.keys(metadata).sort();
  if (metadataKeys.length > 0) {
    header.push(['__metadata__', Object.fromEntries(metadataKeys.map((k) => [k, metadata[k]]))]);
  }
  for (const { name, dtype, shape } of [...list].sort(byName)) {
    header.push([name, { dtype, shape, data_offsets: offsets.get(name) }]);
  }
  // Object.fromEntries would move integer-like names to the front, out of their sorted place.
  const json = header.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join(',');
  const text = new TextEncoder().encode(`{${json}}`);
  const head = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(head.length - 8), true);
  head.set(text, 8);
  const bytesOf = ({ data }: StoredTensor) =>
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [head, ...list.map(bytesOf)];
}

/**
 * Writes a safetensors file atomically.
 * @throws StoreError when it cannot be written; ShapeError as encodeSafetensors.
 */
export function writeSafetensorsFile(
  path: string,
  tensors: Readonly<Record<string, StoredTensor | HostTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): void {
  writeFileAtomic(path, encodeSafetensors(tensors, metadata));
}

/** The elements as float64. @throws DataError for an I64 beyond 2^53. */
export function toNumbers(tensor: StoredTensor): Float64Array {
  if (tensor.data instanceof Uint16Array) return Float64Array.from(fromFloat16(tensor.data));
  if (!(tensor.data instanceof BigInt64Array)) return Float64Array.from(tensor.data);
  return Float64Array.from(tensor.data, (v) => {
    if (v > Number.MAX_SAFE_INTEGER || v < Number.MIN_SAFE_INTEGER) {
      throw new DataError(`toNumbers: ${v} is not exactly representable as a number`);
    }
    return Number(v);
  });
}

/**
 * As an engine tensor: F16, F32 and F64 (rounded) become float32; I32, I64 and U8 int32; BOOL bool.
 * @throws DataError for an I64 that is no int32.
 */
export function toHostTensor({ dtype, data, shape }: StoredTensor): HostTensor {
  if (data instanceof Float32Array || data instanceof Int32Array) return hostTensor(data, shape);
  if (data instanceof Uint16Array) return hostTensor(fromFloat16(data), shape);
  if (data instanceof Float64Array) return hostTensor(Float32Array.from(data), shape);
  if (data instanceof Uint8Array) {
    return hostTensor(dtype === 'BOOL' ? data : Int32Array.from(data), shape);
  }
  const ints = Int32Array.from(data, (v) => {
    if (BigInt.asIntN(32, v) !== v) throw new DataError(`toHostTensor: ${v} does not fit int32`);
    return Number(v);
  });
  return hostTensor(ints, shape);
}

const STORED_OF = { float32: 'F32', int32: 'I32', bool: 'BOOL' } as const;

function toStored(name: string, tensor: StoredTensor | HostTensor): StoredTensor {
  const { data, shape } = tensor;
  const dtype =
    tensor.dtype in STORED_OF
      ? STORED_OF[tensor.dtype as HostTensor['dtype']]
      : (tensor.dtype as StoredDType);
  if (name === '__metadata__') {
    throw new ShapeError(`safetensors: '__metadata__' is reserved, rename the tensor`);
  }
  if (!(data instanceof ARRAY_OF[dtype]) || data.length !== sizeOf(shape)) {
    throw new ShapeError(
      `safetensors: tensor '${name}': ${data.constructor.name} of ${data.length} elements is not ${dtype} of shape [${shape}]`,
    );
  }
  return { dtype, shape, data };
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((v) => Number.isSafeInteger(v) && v >= 0);
}
