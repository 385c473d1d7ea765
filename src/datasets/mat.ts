import { inflateSync } from 'node:zlib';
import { DataError } from '../core/errors.ts';

/**
 * A real numeric array of a MATLAB file, column-major (first index fastest). uint8 arrays are bytes;
 * all other classes are converted to float64.
 */
export interface MatArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array | Float64Array;
}

/** Data types of elements. */
const MI_INT8 = 1;
const MI_UINT8 = 2;
const MI_INT32 = 5;
const MI_UINT32 = 6;
const MI_MATRIX = 14;
const MI_COMPRESSED = 15;

type Reader = (view: DataView, at: number) => number;

/** Stored numbers that convert to float64 without loss; 64-bit integers are not among them. */
const NUMBERS: Record<number, { readonly size: number; readonly read: Reader }> = {
  [MI_INT8]: { size: 1, read: (v, at) => v.getInt8(at) },
  [MI_UINT8]: { size: 1, read: (v, at) => v.getUint8(at) },
  3: { size: 2, read: (v, at) => v.getInt16(at, true) },
  4: { size: 2, read: (v, at) => v.getUint16(at, true) },
  [MI_INT32]: { size: 4, read: (v, at) => v.getInt32(at, true) },
  [MI_UINT32]: { size: 4, read: (v, at) => v.getUint32(at, true) },
  7: { size: 4, read: (v, at) => v.getFloat32(at, true) },
  9: { size: 8, read: (v, at) => v.getFloat64(at, true) },
};

const CLASS_NAMES = [
  ...['unknown', 'cell', 'struct', 'object', 'char', 'sparse', 'double', 'single', 'int8', 'uint8'],
  ...['int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64'],
];
const UINT8_CLASS = 9;
const NUMERIC_CLASSES = [6, 7, 8, UINT8_CLASS, 10, 11, 12, 13];
const COMPLEX_FLAG = 0x08;

const HEADER_BYTES = 128;
/** What one compressed variable may unpack to. */
const MAX_UNPACKED = 2 ** 32 - 1;

interface Element {
  readonly type: number;
  readonly data: Uint8Array;
}

/**
 * The variables `names` of a MATLAB level 5 file (versions 5 to 7.2), little-endian, compressed or
 * not. Other variables of any kind are passed over.
 * @throws DataError naming the file for version 7.3 (HDF5) and other formats, truncation, a damaged
 * compressed stream, sizes that disagree with the bytes, and a variable that is absent or no real
 * numeric array.
 */
export function parseMat<N extends string>(
  bytes: Uint8Array,
  source: string,
  names: readonly N[],
): Record<N, MatArray> {
  checkHeader(bytes, source);
  const found = new Map<string, MatArray>();
  const seen: string[] = [];
  for (const { type, data } of elements(bytes.subarray(HEADER_BYTES), source)) {
    const variable =
      type === MI_COMPRESSED ? onlyElement(inflate(data, source), source) : { type, data };
    if (variable.type !== MI_MATRIX) {
      throw new DataError(`${source}: a variable has element type ${variable.type}, not a matrix`);
    }
    const { name, array } = parseVariable(variable.data, source, names);
    seen.push(name);
    if (array !== undefined) found.set(name, array);
  }
  for (const name of names) {
    if (!found.has(name)) {
      throw new DataError(`${source}: there is no variable '${name}' (found: ${seen.join(', ')})`);
    }
  }
  return Object.fromEntries(found) as Record<N, MatArray>;
}

function checkHeader(bytes: Uint8Array, source: string): void {
  if (bytes.length < HEADER_BYTES) {
    throw new DataError(
      `${source}: ${bytes.length} bytes, a MATLAB file begins with ${HEADER_BYTES} bytes of header`,
    );
  }
  const text = String.fromCharCode(...bytes.subarray(0, 19));
  if (text === 'MATLAB 7.3 MAT-file' || text.startsWith('\x89HDF')) {
    throw new DataError(
      `${source}: MATLAB version 7.3 (HDF5) is not supported; save it with the option -v7`,
    );
  }
  const [version, mark] = [bytes[124] | (bytes[125] << 8), bytes[126] | (bytes[127] << 8)];
  // 'MI' as a 16-bit number: 'I' comes first in a little-endian file.
  if (mark === 0x494d && version === 0x0001) {
    throw new DataError(`${source}: big-endian MATLAB files are not supported`);
  }
  if (mark !== 0x4d49 || version !== 0x0100) {
    throw new DataError(`${source}: not a MATLAB level 5 file (version ${version}, mark ${mark})`);
  }
}

/** The elements of `bytes`; each begins with a tag and is padded to 8 bytes unless compressed. */
function* elements(bytes: Uint8Array, source: string): Generator<Element> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    if (at + 8 > bytes.length) throw new DataError(`${source}: truncated within a tag`);
    const first = view.getUint32(at, true);
    // Small elements keep up to four bytes in the tag and their size in its upper half.
    const small = first >>> 16;
    const type = small > 0 ? first & 0xffff : first;
    const size = small > 0 ? small : view.getUint32(at + 4, true);
    const begin = at + (small > 0 ? 4 : 8);
    const limit = small > 0 ? at + 8 : bytes.length;
    if (begin + size > limit) {
      throw new DataError(
        `${source}: truncated: an element of ${size} bytes, ${limit - begin} are there`,
      );
    }
    yield { type, data: bytes.subarray(begin, begin + size) };
    at = type === MI_COMPRESSED ? begin + size : begin + (small > 0 ? 4 : Math.ceil(size / 8) * 8);
  }
}

function onlyElement(bytes: Uint8Array, source: string): Element {
  const [element] = elements(bytes, source);
  if (element === undefined) throw new DataError(`${source}: an empty compressed variable`);
  return element;
}

function inflate(data: Uint8Array, source: string): Uint8Array {
  try {
    return inflateSync(data, { maxOutputLength: MAX_UNPACKED });
  } catch (error) {
    throw new DataError(
      `${source}: damaged compressed variable: ${(error as Error).message}; download the file again`,
      { cause: error },
    );
  }
}

function parseVariable(
  bytes: Uint8Array,
  source: string,
  wanted: readonly string[],
): { name: string; array?: MatArray } {
  const parts = elements(bytes, source);
  const next = (what: string, types: readonly number[], shortest: number): Element => {
    const part = parts.next();
    if (part.done || !types.includes(part.value.type) || part.value.data.length < shortest) {
      throw new DataError(`${source}: a variable has no ${what}`);
    }
    return part.value;
  };
  const flags = next('array flags', [MI_UINT32], 8).data;
  const shape = [...toFloat64(next('dimensions', [MI_INT32], 8))];
  const name = String.fromCharCode(...next('name', [MI_INT8, MI_UINT8], 0).data);
  if (!wanted.includes(name)) return { name };
  const kind = flags[0];
  const complex = (flags[1] & COMPLEX_FLAG) !== 0;
  if (!NUMERIC_CLASSES.includes(kind) || complex) {
    const what = `${complex ? 'complex ' : ''}${CLASS_NAMES[kind] ?? `class ${kind}`}`;
    throw new DataError(`${source}: variable '${name}' is ${what}, expected a real numeric array`);
  }
  const values = next(`data for '${name}'`, Object.keys(NUMBERS).map(Number), 0);
  const size = shape.reduce((a, b) => a * b, 1);
  const stored = values.data.length / NUMBERS[values.type].size;
  if (stored !== size || shape.some((d) => d < 0)) {
    throw new DataError(
      `${source}: variable '${name}' of size ${shape.join(' x ')} needs ${size} values, it has ${stored}`,
    );
  }
  const bytewise = kind === UINT8_CLASS && values.type === MI_UINT8;
  return {
    name,
    array: { shape, data: bytewise ? new Uint8Array(values.data) : toFloat64(values) },
  };
}

function toFloat64({ type, data }: Element): Float64Array {
  const { size, read } = NUMBERS[type];
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Float64Array.from({ length: Math.floor(data.length / size) }, (_, i) =>
    read(view, i * size),
  );
}
