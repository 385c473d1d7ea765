/**
 * What every compiled step begins with: the functions of `elements.ts` that C has not, or has only
 * one value at a time. They are free of branches, so that loops over them become vector code, and
 * right to a few units in the last place, infinities, NaN and denormals included.
 *
 * Exponential: x = n·ln 2 + r, a polynomial for eʳ (Cephes), 2ⁿ in two factors so that results below
 * the normal range come out. Its difference from one is computed without the cancellation. Logarithm:
 * x = 2ᵉ·m with m near one, a polynomial for ln m (Cephes).
 *
 * Under AddressSanitizer, `CLOSE` forbids the arena and `OPEN` allows a piece of it: each unit may
 * touch its own arrays only, and none of their neighbours; not with several threads, which would have
 * to wait for one another there.
 */
export const PRELUDE = `#include <math.h>
#include <stdint.h>
#include <string.h>
#define INLINE static inline __attribute__((always_inline))
#define UNIT static __attribute__((noipa)) void
#if defined(__SANITIZE_ADDRESS__)
void __asan_poison_memory_region(void const volatile *, size_t);
void __asan_unpoison_memory_region(void const volatile *, size_t);
#define CLOSE(bytes) if (all == 1) __asan_poison_memory_region(arena, bytes)
#define OPEN(offset, bytes) __asan_unpoison_memory_region(arena + offset, bytes)
#else
#define CLOSE(bytes)
#define OPEN(offset, bytes)
#endif
INLINE float g_float(int32_t i) { float f; memcpy(&f, &i, 4); return f; }
INLINE int32_t g_bits(float f) { int32_t i; memcpy(&i, &f, 4); return i; }
INLINE float g_exp(float x) {
  float c = x > 89.0f ? 89.0f : x;
  c = c < -104.0f ? -104.0f : c;
  float n = __builtin_rintf(c * 1.44269504f);
  float r = c - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  float y = p * (r * r) + r + 1.0f;
  int32_t k = (int32_t)n;
  int32_t half = k >> 1;
  return y * g_float((half + 127) << 23) * g_float((k - half + 127) << 23);
}
INLINE float g_expm1(float x) {
  float c = x > 89.0f ? 89.0f : x;
  c = c < -30.0f ? -30.0f : c;
  float n = __builtin_rintf(c * 1.44269504f);
  float r = c - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  float q = p * (r * r) + r;
  float s = g_float(((int32_t)n + 126) << 23);
  float y = 2.0f * (s * q + (s - 0.5f));
  return x == 0.0f ? x : y;
}
INLINE float g_log(float x) {
  int32_t small = x < 1.17549435e-38f;
  float v = small ? x * 8388608.0f : x;
  int32_t i = g_bits(v) - 0x3f3504f3;
  float e = (float)(i >> 23) - (small ? 23.0f : 0.0f);
  float f = g_float((i & 0x7fffff) + 0x3f3504f3) - 1.0f;
  float z = f * f;
  float p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  float y = p * (f * z) + e * -2.12194440e-4f - 0.5f * z;
  float r = (f + y) + e * 0.693359375f;
  r = x == 0.0f ? -INFINITY : r;
  r = (x < 0.0f) | (x != x) ? NAN : r;
  return x == INFINITY ? x : r;
}
INLINE float g_log1p(float x) {
  float u = x + 1.0f;
  float lost = (x - (u - 1.0f)) / u;
  float y = g_log(u) + ((u > 0.0f) & (u < INFINITY) ? lost : 0.0f);
  return x == 0.0f ? x : y;
}
INLINE float g_tanh(float x) {
  float a = __builtin_fabsf(x);
  float e = g_expm1(a > 10.0f ? 20.0f : 2.0f * a);
  float t = __builtin_copysignf(e / (e + 2.0f), x);
  return x != x ? x : t;
}
INLINE float g_sigmoid(float x) { return 1.0f / (1.0f + g_exp(-x)); }
INLINE float g_softplus(float x) {
  float t = g_log1p(g_exp(-__builtin_fabsf(x)));
  return !(x <= 0.0f) ? x + t : t;
}
INLINE float g_max(float a, float b) { return (a > b) | (a != a) ? a : b; }
INLINE float g_min(float a, float b) { return (a < b) | (a != a) ? a : b; }
INLINE int32_t g_imax(int32_t a, int32_t b) { return a > b ? a : b; }
INLINE int32_t g_imin(int32_t a, int32_t b) { return a < b ? a : b; }
INLINE float g_mod(float a, float b) {
  float r = fmodf(a, b);
  return r != 0.0f && (r < 0.0f) != (b < 0.0f) ? r + b : r;
}
INLINE int32_t g_idiv(int32_t a, int32_t b) {
  return b == 0 ? 0 : b == -1 ? (int32_t)(0u - (uint32_t)a) : a / b;
}
INLINE int32_t g_imod(int32_t a, int32_t b) {
  int32_t r = b == 0 || b == -1 ? 0 : a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
INLINE int32_t g_ipow(int32_t a, int32_t b) {
  if (b < 0) return a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0;
  uint32_t r = 1, f = (uint32_t)a;
  for (; b > 0; b >>= 1, f *= f) if (b & 1) r *= f;
  return (int32_t)r;
}
#pragma omp declare reduction(g_max : float : omp_out = g_max(omp_out, omp_in)) initializer(omp_priv = -INFINITY)
#pragma omp declare reduction(g_min : float : omp_out = g_min(omp_out, omp_in)) initializer(omp_priv = INFINITY)
`;
