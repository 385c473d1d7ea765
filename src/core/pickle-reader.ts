import type { DataError } from './errors.ts';

const HIGHEST_PROTOCOL = 5;
/** Longest integer that is read; longer ones would only cost time. */
const MAX_INTEGER_BYTES = 1024;

/** Reads the arguments of pickle operations; every length is checked against what is left. */
export class PickleReader {
  at: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #fail: (what: string) => DataError;

  constructor(bytes: Uint8Array, begin: number, fail: (what: string) => DataError) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = begin;
    this.#fail = fail;
  }

  /** Moves `n` bytes on and returns where they begin. */
  #take(n: number): number {
    const begin = this.at;
    if (!(n >= 0) || begin + n > this.#bytes.length) {
      throw this.#fail('truncated pickle: it ends before its last operation');
    }
    this.at += n;
    return begin;
  }

  byte(): number {
    return this.#bytes[this.#take(1)];
  }

  uint(bytes: 1 | 2 | 4): number {
    const at = this.#take(bytes);
    if (bytes === 1) return this.#view.getUint8(at);
    return bytes === 2 ? this.#view.getUint16(at, true) : this.#view.getUint32(at, true);
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  /** Big-endian, unlike all else. */
  float64(): number {
    return this.#view.getFloat64(this.#take(8), false);
  }

  #length(bytes: 1 | 4 | 8): number {
    if (bytes !== 8) return this.uint(bytes);
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  /** A copy, which does not keep the file in memory. */
  bytes(lengthBytes: 1 | 4 | 8): Uint8Array {
    const n = this.#length(lengthBytes);
    const begin = this.#take(n);
    return this.#bytes.slice(begin, begin + n);
  }

  utf8(lengthBytes: 1 | 4 | 8): string {
    // Lone surrogates, which Python writes as they are, must not stop the reading.
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.bytes(lengthBytes));
  }

  latin1(lengthBytes: 1 | 4): string {
    return Buffer.from(this.bytes(lengthBytes)).toString('latin1');
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.at);
    if (end < 0) throw this.#fail('truncated pickle: a line has no end');
    const begin = this.#take(end + 1 - this.at);
    return new TextDecoder().decode(this.#bytes.subarray(begin, end));
  }

  integerLine(): number | bigint | boolean {
    const text = this.line();
    if (text === '00' || text === '01') return text === '01';
    return this.#parsed(text);
  }

  longLine(): number | bigint {
    return this.#parsed(this.line().replace(/L$/, ''));
  }

  #parsed(text: string): number | bigint {
    if (!/^-?\d{1,2000}$/.test(text)) throw this.#fail('damaged pickle: a line holds no integer');
    return exact(BigInt(text));
  }

  floatLine(): number {
    const value = Number(this.line().trim());
    if (Number.isNaN(value)) throw this.#fail('damaged pickle: a line holds no number');
    return value;
  }

  /** Two's complement, little-endian. */
  long(lengthBytes: 1 | 4): number | bigint {
    const n = this.uint(lengthBytes);
    if (n > MAX_INTEGER_BYTES) throw this.#fail(`the pickle holds an integer of ${n} bytes`);
    const begin = this.#take(n);
    let value = 0n;
    for (let i = n - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#bytes[begin + i]);
    return exact(n === 0 ? 0n : BigInt.asIntN(8 * n, value));
  }

  protocol(): void {
    const version = this.byte();
    if (version > HIGHEST_PROTOCOL) {
      throw this.#fail(`the pickle has protocol ${version}; up to ${HIGHEST_PROTOCOL} are read`);
    }
  }

  skipFrameLength(): void {
    this.#take(8);
  }
}

/** A number where it is exact, else the bigint. */
function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
