/**
 * Philox 4x32 with 10 rounds (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as
 * 1, 2, 3", section 3.3): for every key a bijection of 128-bit counters.
 *
 * One round maps (x0, x1, x2, x3) to (hi(M1 x2) ^ x1 ^ k0, lo(M1 x2), hi(M0 x0) ^ x3 ^ k1,
 * lo(M0 x0)); the key advances by (W0, W1) between rounds.
 */
const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;
const ROUNDS = 10;

const M0_LOW = M0 & 0xffff;
const M0_HIGH = M0 >>> 16;
const M1_LOW = M1 & 0xffff;
const M1_HIGH = M1 >>> 16;

/** Where the numbers of one draw lie: two key words and the upper three counter words. */
export interface PhiloxStream {
  readonly key: readonly [number, number];
  readonly counter: readonly [number, number, number];
}

/**
 * Fills `out` (a multiple of 4 words) with the blocks at counters
 * (firstBlock + i, counter[0], counter[1], counter[2]), i = 0, 1, ...
 */
export function philoxBlocks(out: Uint32Array, stream: PhiloxStream, firstBlock: number): void {
  const [c1, c2, c3] = stream.counter;
  for (let at = 0, block = firstBlock; at < out.length; at += 4, block++) {
    let k0 = stream.key[0] | 0;
    let k1 = stream.key[1] | 0;
    let x0 = block | 0;
    let x1 = c1 | 0;
    let x2 = c2 | 0;
    let x3 = c3 | 0;
    for (let round = 0; round < ROUNDS; round++) {
      // The high words of 32x32-bit products by 16-bit halves. Each partial sum is below 2^32, so
      // wrapping int32 arithmetic keeps every bit and the engine needs no doubles.
      const a = x0 & 0xffff;
      const b = x0 >>> 16;
      const t = (Math.imul(b, M0_LOW) + (Math.imul(a, M0_LOW) >>> 16)) | 0;
      const u = ((t & 0xffff) + Math.imul(a, M0_HIGH)) | 0;
      const high0 = (Math.imul(b, M0_HIGH) + (t >>> 16) + (u >>> 16)) | 0;
      const c = x2 & 0xffff;
      const d = x2 >>> 16;
      const v = (Math.imul(d, M1_LOW) + (Math.imul(c, M1_LOW) >>> 16)) | 0;
      const w = ((v & 0xffff) + Math.imul(c, M1_HIGH)) | 0;
      const high1 = (Math.imul(d, M1_HIGH) + (v >>> 16) + (w >>> 16)) | 0;
      const low0 = Math.imul(x0, M0);
      const low1 = Math.imul(x2, M1);
      x0 = high1 ^ x1 ^ k0;
      x1 = low1;
      x2 = high0 ^ x3 ^ k1;
      x3 = low0;
      k0 = (k0 + W0) | 0;
      k1 = (k1 + W1) | 0;
    }
    out[at] = x0;
    out[at + 1] = x1;
    out[at + 2] = x2;
    out[at + 3] = x3;
  }
}

/** FNV-1a with 64 bits of the UTF-8 bytes of `text`, as [low, high] 32-bit words. */
export function fnv1a64(text: string): [low: number, high: number] {
  let low = 0x84222325;
  let high = 0xcbf29ce4;
  for (const byte of new TextEncoder().encode(text)) {
    low = (low ^ byte) >>> 0;
    // Times the prime 2^40 + 0x1b3, modulo 2^64.
    const product = low * 0x1b3;
    high = (high * 0x1b3 + Math.floor(product / 2 ** 32) + ((low << 8) >>> 0)) % 2 ** 32;
    low = product % 2 ** 32;
  }
  return [low, high];
}
