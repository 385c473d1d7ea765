import { ConfigError } from '../../../core/errors.ts';
import { cpuFeatures } from '../build/compiler.ts';
import type { Isa } from './isa.ts';

/** True where the processor multiplies bfloat16 numbers and adds in float32 (AVX512-BF16). */
export const supportsBf16 = (): boolean => cpuFeatures().includes('avx512_bf16');

/** @throws ConfigError where products of bfloat16 numbers cannot be generated. */
export function needsBf16(who: string, isa: Isa): void {
  if (isa.name === 'avx512' && supportsBf16()) return;
  throw new ConfigError(
    `${who}: precision 'bf16' needs a processor with AVX512-BF16; use 'float32'`,
  );
}

/** A statement that adds the two products of each pair of bfloat16 numbers to the sums. */
export const multiplyPairs = (sum: string, x: string, b: string) =>
  `${sum} = (gibbs_v16)_mm512_dpbf16_ps((__m512)${sum}, (__m512bh)${x}, (__m512bh)${b});`;

/** C of a call that rounds a matrix to pairs of bfloat16 numbers that follow one another along k. */
export function toPairs(
  source: string,
  target: string,
  { k, other, alongRows }: { k: number; other: number; alongRows: boolean },
): string {
  return alongRows
    ? `gibbs_bf16_rows(${source}, ${other}, ${k}, (unsigned *)(${target}));`
    : `gibbs_bf16_columns(${source}, ${k}, ${other}, (unsigned *)(${target}));`;
}

const INTERLEAVE = Array.from({ length: 32 }, (_, i) => (i >> 1) + (i % 2 === 0 ? 0 : 16));

/** C definitions for the above; rounds to the nearest, ties to even. */
export const BF16_PREAMBLE = `#ifndef GIBBS_BF16
#define GIBBS_BF16
#include <immintrin.h>
GIBBS_INLINE __m512 gibbs_bf16_first(const float *p, long n) {
  return n <= 0 ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(n >= 16 ? 0xffff : (1u << n) - 1, p);
}
/* [rows, k] to [rows, ceil(k / 2)] pairs */
GIBBS_KERNEL void gibbs_bf16_rows(const float *x, long rows, long k, unsigned *y) {
  for (long i = 0; i < rows; i++)
    for (long p = 0; p < k; p += 32) {
      const long pairs = (k - p + 1) / 2;
      const __m512 low = gibbs_bf16_first(x + i * k + p, k - p);
      const __m512 high = gibbs_bf16_first(x + i * k + p + 16, k - p - 16);
      const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(high, low);
      _mm512_mask_storeu_epi32(y + i * ((k + 1) / 2) + p / 2, pairs >= 16 ? 0xffff : (1u << pairs) - 1, both);
    }
}
/* [k, n] to [ceil(k / 2), n] pairs */
GIBBS_KERNEL void gibbs_bf16_columns(const float *x, long k, long n, unsigned *y) {
  static const short order[32] = {${INTERLEAVE}};
  const __m512i interleave = _mm512_loadu_si512(order);
  for (long p = 0; p < k; p += 2)
    for (long j = 0; j < n; j += 16) {
      const __m512 even = gibbs_bf16_first(x + p * n + j, n - j);
      const __m512 odd = gibbs_bf16_first(x + (p + 1) * n + j, p + 1 < k ? n - j : 0);
      const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(odd, even);
      _mm512_mask_storeu_epi32(y + p / 2 * n + j, n - j >= 16 ? 0xffff : (1u << (n - j)) - 1, _mm512_permutexvar_epi16(interleave, both));
    }
}
#endif
`;
