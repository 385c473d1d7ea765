import { crc32, inflateRawSync } from 'node:zlib';
import { DataError } from './errors.ts';

const END = 0x06054b50;
const DIRECTORY = 0x02014b50;
const LOCAL = 0x04034b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const STORED = 0;
const DEFLATED = 8;
const UNKNOWN32 = 0xffffffff;
/** Longest comment behind the directory, by the format. */
const MAX_COMMENT = 0xffff;

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly header: number;
}

/** The files of a zip archive by name; each is checked against its CRC-32 when it is read. */
export interface ZipArchive {
  readonly names: readonly string[];
  has(name: string): boolean;
  /** Size of a file as the directory states it, before anything is unpacked. */
  sizeOf(name: string): number;
  /** @throws DataError when there is none of this name or it is damaged. */
  read(name: string): Uint8Array;
}

/**
 * Reads the directory of a zip archive in memory, with 64-bit sizes, stored or deflated entries,
 * without encryption. `source` names the file in errors.
 * @throws DataError when the archive is truncated or damaged.
 */
export function openZip(bytes: Uint8Array, source: string): ZipArchive {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fail = (what: string) => new DataError(`${source}: damaged zip archive: ${what}`);
  const within = (at: number, length: number, what: string) => {
    if (at < 0 || length < 0 || at + length > bytes.length) {
      throw fail(`${what} lies outside the file; truncated?`);
    }
    return at;
  };
  const entries = new Map<string, Entry>();
  for (const entry of directory(view, within, fail)) {
    if (entries.has(entry.name)) throw fail(`'${entry.name}' is in it twice`);
    entries.set(entry.name, entry);
  }
  const entryOf = (name: string): Entry => {
    const entry = entries.get(name);
    if (entry === undefined) throw new DataError(`${source}: there is no '${name}' in the archive`);
    return entry;
  };
  return {
    names: [...entries.keys()],
    has: (name) => entries.has(name),
    sizeOf: (name) => entryOf(name).size,
    read(name) {
      const { method, crc, packed, size, header } = entryOf(name);
      within(header, 30, `the header of '${name}'`);
      if (view.getUint32(header, true) !== LOCAL) throw fail(`no header at '${name}'`);
      const skip = 30 + view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
      const begin = within(header + skip, packed, `'${name}'`);
      const stored = bytes.subarray(begin, begin + packed);
      const data = method === STORED ? stored : inflated(stored, size, name, fail);
      if (data.length !== size) throw fail(`'${name}' has ${data.length} bytes, not ${size}`);
      if (crc32(data) !== crc) throw fail(`'${name}' does not match its check sum`);
      return data;
    },
  };
}

type Within = (at: number, length: number, what: string) => number;
type Fail = (what: string) => DataError;

function directory(view: DataView, within: Within, fail: Fail): Entry[] {
  const { count, start } = directoryEnd(view, within, fail);
  const list: Entry[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    within(at, 46, 'its directory');
    if (view.getUint32(at, true) !== DIRECTORY)
      throw fail('its directory is not where it should be');
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((o) =>
      view.getUint16(at + o, true),
    );
    within(at, 46 + nameLength + extraLength + commentLength, 'its directory');
    const text = new Uint8Array(view.buffer, view.byteOffset + at + 46, nameLength);
    const name = new TextDecoder().decode(text);
    if ((flags & 1) !== 0) throw fail(`'${name}' is encrypted`);
    if (method !== STORED && method !== DEFLATED) {
      throw fail(`'${name}' is packed by method ${method}; only stored and deflated are read`);
    }
    const wide = wideNumbers(view, at + 46 + nameLength, extraLength);
    const number = (offset: number) => {
      const value = view.getUint32(at + offset, true);
      return value === UNKNOWN32 ? (wide.shift() ?? value) : value;
    };
    // The 64-bit numbers stand in this order, each only where the 32-bit one is full.
    const size = number(24);
    const packed = number(20);
    const header = number(42);
    list.push({ name, method, crc: view.getUint32(at + 16, true), packed, size, header });
    at += 46 + nameLength + extraLength + commentLength;
  }
  return list;
}

/** The end record, searched from behind, and its 64-bit form where there is one. */
function directoryEnd(
  view: DataView,
  within: Within,
  fail: Fail,
): { count: number; start: number } {
  const size = view.byteLength;
  let end = size - 22;
  const least = Math.max(0, size - 22 - MAX_COMMENT);
  while (end >= least && view.getUint32(end, true) !== END) end--;
  if (end < least) throw fail('it has no directory at its end; truncated?');
  const locator = end - 20;
  if (locator >= 0 && view.getUint32(locator, true) === LOCATOR64) {
    const at = Number(view.getBigUint64(locator + 8, true));
    within(at, 56, 'its directory');
    if (view.getUint32(at, true) !== END64) throw fail('its 64-bit directory is missing');
    return {
      count: Number(view.getBigUint64(at + 32, true)),
      start: Number(view.getBigUint64(at + 48, true)),
    };
  }
  return { count: view.getUint16(end + 10, true), start: view.getUint32(end + 16, true) };
}

function wideNumbers(view: DataView, begin: number, length: number): number[] {
  const numbers: number[] = [];
  for (let at = begin; at + 4 <= begin + length; ) {
    const size = view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === 1) {
      for (let i = at + 4; i + 8 <= Math.min(at + 4 + size, begin + length); i += 8) {
        numbers.push(Number(view.getBigUint64(i, true)));
      }
    }
    at += 4 + size;
  }
  return numbers;
}

function inflated(packed: Uint8Array, size: number, name: string, fail: Fail): Uint8Array {
  try {
    // Never unpacks more than was announced.
    const { buffer, byteOffset, byteLength } = inflateRawSync(packed, {
      maxOutputLength: Math.max(1, size),
    });
    // A plain view: slice() of a Buffer would share memory instead of copying.
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch (error) {
    throw fail(`'${name}': ${(error as Error).message}`);
  }
}
