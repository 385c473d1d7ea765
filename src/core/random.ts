import { ConfigError } from './errors.ts';
import { fnv1a64, type PhiloxStream, philoxBlocks } from './philox.ts';

/**
 * Counter-based random numbers: a draw is a pure function of its key, on every machine and in every
 * order of calls.
 *
 * Layout (Philox 4x32-10). Key words: (seed mod 2^32, seed div 2^32). Counter words: (block, step,
 * h mod 2^32, h div 2^32) with h the 64-bit FNV-1a hash of the stream's name and block = 0, 1, ...
 * within the draw. A block is four 32-bit words, consumed in order. Two draws under the same seed
 * therefore never meet unless stream and step are equal (or two names collide in 64 bits); draws
 * under different seeds use different bijections.
 *
 * Draws of another kind under the same key reuse the same words: `normal(key, n)` and
 * `uniform(key, n)` are dependent. Give every quantity a stream of its own (`substream`).
 *
 * Prefix property: the first n values of a longer draw are the draw of n values, for all but
 * `permutation`.
 */
export interface Key {
  /** 0 <= seed < 2^64; a number must be a safe integer. */
  readonly seed: number | bigint;
  /** What the numbers are for, e.g. `'toy/train/z'`. */
  readonly stream: string;
  /** 0 <= step < 2^32, e.g. the iteration. */
  readonly step: number;
}

/** The key of a part of a quantity: the stream `${key.stream}/${name}`. */
export function substream(key: Key, name: string): Key {
  return { ...key, stream: `${key.stream}/${name}` };
}

/** `n` multiples of 2^-24, uniform in [0, 1): numbers `from`, … of the draw. */
export function uniform(key: Key, n: number, from = 0): Float32Array {
  const out = new Float32Array(size('uniform', n));
  const words = new Words(key, size('uniform', from));
  for (let at = 0; at < n; ) {
    const chunk = words.take(n - at);
    for (let i = 0; i < chunk.length; i++) out[at + i] = (chunk[i] >>> 8) * 2 ** -24;
    at += chunk.length;
  }
  return out;
}

/** `n` multiples of 2^-53, uniform in [0, 1). */
export function uniform64(key: Key, n: number): Float64Array {
  const out = new Float64Array(size('uniform64', n));
  const words = new Words(key);
  for (let i = 0; i < n; i++) out[i] = words.next53() * 2 ** -53;
  return out;
}

/**
 * `n` standard normal numbers (Box and Muller 1958, computed in float64 from 32-bit uniforms).
 * |z| <= 6.67. Numbers `from`, … of the draw.
 */
export function normal(key: Key, n: number, from = 0): Float32Array {
  if (size('normal', from) % 2 === 1) return normal(key, n + 1, from - 1).slice(1);
  const out = new Float32Array(size('normal', n));
  const words = new Words(key, from);
  // Pairs of words: chunks are whole blocks but for the last one, which an odd n makes even.
  for (let at = 0; at < n; ) {
    const chunk = words.take(n - at + (n & 1));
    for (let i = 0; i < chunk.length; i += 2) {
      // The shifted uniform lies in (0, 1]: never the logarithm of zero.
      const r = Math.sqrt(-2 * Math.log((chunk[i] + 1) * 2 ** -32));
      const angle = chunk[i + 1] * (2 * Math.PI * 2 ** -32);
      out[at + i] = r * Math.cos(angle);
      // Beyond the end of an odd draw a typed array ignores the value.
      out[at + i + 1] = r * Math.sin(angle);
    }
    at += chunk.length;
  }
  return out;
}

/** `n` standard normal numbers from 53-bit uniforms, not rounded. |z| <= 8.58. */
export function normal64(key: Key, n: number): Float64Array {
  const out = new Float64Array(size('normal64', n));
  const words = new Words(key);
  for (let i = 0; i < n; i += 2) {
    const r = Math.sqrt(-2 * Math.log((words.next53() + 1) * 2 ** -53));
    const angle = words.next53() * (2 * Math.PI * 2 ** -53);
    out[i] = r * Math.cos(angle);
    if (i + 1 < n) out[i + 1] = r * Math.sin(angle);
  }
  return out;
}

/** `n` integers, exactly uniform in 0 .. high-1; 1 <= high <= 2^31. */
export function integers(key: Key, n: number, high: number): Int32Array {
  if (!Number.isInteger(high) || high < 1 || high > 2 ** 31) {
    throw new ConfigError(`integers: high must be an integer in 1 .. 2^31, got ${high}`);
  }
  const out = new Int32Array(size('integers', n));
  const words = new Words(key);
  for (let i = 0; i < n; i++) out[i] = words.below(high);
  return out;
}

/** A permutation of 0 .. n-1, each equally likely (Fisher and Yates); n <= 2^31. */
export function permutation(key: Key, n: number): Int32Array {
  const out = Int32Array.from({ length: size('permutation', n) }, (_, i) => i);
  const words = new Words(key);
  for (let i = n - 1; i > 0; i--) {
    const j = words.below(i + 1);
    const swapped = out[i];
    out[i] = out[j];
    out[j] = swapped;
  }
  return out;
}

/** Blocks made at once: doubled up to a bound, so that a draw makes at most twice what it uses. */
const FIRST_BLOCKS = 16;
const MOST_BLOCKS = 1024;

/** The words of one draw in order. */
class Words {
  readonly #stream: PhiloxStream;
  #buffer = new Uint32Array(4 * FIRST_BLOCKS);
  #at = 4 * FIRST_BLOCKS;
  #block: number;

  /** @param from how many words of the draw are left out. */
  constructor(key: Key, from = 0) {
    this.#stream = streamOf(key);
    this.#block = Math.floor(from / 4);
    if (from % 4 > 0) {
      this.#refill();
      this.#at = from % 4;
    }
  }

  next(): number {
    if (this.#at === this.#buffer.length) this.#refill();
    return this.#buffer[this.#at++];
  }

  /** The next words, at least one and at most `most`; valid until the next call. */
  take(most: number): Uint32Array {
    if (this.#at === this.#buffer.length) this.#refill();
    const start = this.#at;
    this.#at = Math.min(this.#buffer.length, start + most);
    return this.#buffer.subarray(start, this.#at);
  }

  next53(): number {
    const high = this.next() >>> 5;
    return high * 2 ** 26 + (this.next() >>> 6);
  }

  /** Words beyond the largest multiple of `high` are rejected, so that no remainder is favoured. */
  below(high: number): number {
    const limit = 2 ** 32 - (2 ** 32 % high);
    for (;;) {
      const word = this.next();
      if (word < limit) return word % high;
    }
  }

  #refill(): void {
    if (this.#block > 0 && this.#buffer.length < 4 * MOST_BLOCKS) {
      this.#buffer = new Uint32Array(2 * this.#buffer.length);
    }
    const blocks = this.#buffer.length / 4;
    if (this.#block + blocks > 2 ** 32) {
      throw new ConfigError('random: one draw is limited to 2^34 words; use several steps');
    }
    philoxBlocks(this.#buffer, this.#stream, this.#block);
    this.#block += blocks;
    this.#at = 0;
  }
}

function streamOf({ seed, stream, step }: Key): PhiloxStream {
  const fits =
    typeof seed === 'bigint'
      ? seed >= 0n && seed < 2n ** 64n
      : Number.isSafeInteger(seed) && seed >= 0;
  if (!fits) {
    throw new ConfigError(
      `random: seed must be an integer in 0 .. 2^53-1 or a bigint in 0n .. 2n**64n-1n, got ${seed}`,
    );
  }
  if (!Number.isInteger(step) || step < 0 || step >= 2 ** 32) {
    throw new ConfigError(`random: step must be an integer in 0 .. 2^32-1, got ${step}`);
  }
  if (typeof stream !== 'string' || stream === '') {
    throw new ConfigError('random: stream must be a name that is not empty');
  }
  const wide = BigInt(seed);
  return {
    key: [Number(wide & 0xffffffffn), Number(wide >> 32n)],
    counter: [step, ...fnv1a64(stream)],
  };
}

function size(name: string, n: number): number {
  if (!Number.isInteger(n) || n < 0) {
    throw new ConfigError(`${name}: n must be a count, got ${n}`);
  }
  return n;
}
