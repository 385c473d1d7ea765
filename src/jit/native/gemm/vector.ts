import type { Isa } from './isa.ts';

/** The C type of a vector of `isa`. */
export const vectorType = ({ width }: Isa) => `gibbs_v${width}`;

/**
 * C definitions that generated kernels share, safe to repeat in one file (GCC 12 was seen to delete
 * calls of functions that it may analyse across, hence `noipa`): a vector type, loads and
 * stores of whole vectors and of the first `n` floats of one (which touch nothing beyond), a sum in
 * a fixed order, and the transposition of a square block.
 */
export function vectorPreamble(isa: Isa): string {
  let text = preambles.get(isa.name);
  if (text === undefined) {
    text = preambleOf(isa);
    preambles.set(isa.name, text);
  }
  return text;
}

/** Every kernel asks for it. */
const preambles = new Map<Isa['name'], string>();

function preambleOf(isa: Isa): string {
  const { width: w } = isa;
  const v = vectorType(isa);
  const guard = `GIBBS_VECTOR_${w}`;
  return `#ifndef ${guard}
#define ${guard}
typedef float ${v} __attribute__((vector_size(${4 * w})));
typedef float ${v}u __attribute__((vector_size(${4 * w}), aligned(4), may_alias));
#if defined(__GNUC__) && !defined(__clang__)
#define GIBBS_KERNEL static __attribute__((noinline, noipa, unused))
#else
#define GIBBS_KERNEL static __attribute__((noinline, unused))
#endif
#define GIBBS_INLINE static inline __attribute__((always_inline, unused))
GIBBS_INLINE ${v} ${v}_load(const float *p) { return *(const ${v}u *)p; }
GIBBS_INLINE void ${v}_store(float *p, ${v} x) { *(${v}u *)p = x; }
GIBBS_INLINE ${v} ${v}_splat(float x) { return x - (${v}){0}; }
${partial(isa)}
${sum(isa)}
${transpose(isa)}
#endif
`;
}

function partial(isa: Isa): string {
  const v = vectorType(isa);
  const portable = `GIBBS_INLINE ${v} ${v}_load_first(const float *p, int n) {
  ${v} x = {0};
  __builtin_memcpy(&x, p, 4 * (unsigned long)n);
  return x;
}
GIBBS_INLINE void ${v}_store_first(float *p, ${v} x, int n) { __builtin_memcpy(p, &x, 4 * (unsigned long)n); }`;
  if (isa.name !== 'avx512') return portable;
  return `#if defined(__AVX512F__)
GIBBS_INLINE ${v} ${v}_load_first(const float *p, int n) {
  return __builtin_ia32_loadups512_mask((void *)p, (${v}){0}, (unsigned short)((1u << n) - 1));
}
GIBBS_INLINE void ${v}_store_first(float *p, ${v} x, int n) {
  __builtin_ia32_storeups512_mask((void *)p, x, (unsigned short)((1u << n) - 1));
}
#else
${portable}
#endif`;
}

/** Halves are added until one float is left. */
function sum(isa: Isa): string {
  const { width: w } = isa;
  const v = vectorType(isa);
  const portable: string[] = [`float s[${w}];`, `__builtin_memcpy(s, &x, ${4 * w});`];
  const shuffled: string[] = [];
  for (let half = w / 2; half >= 1; half /= 2) {
    portable.push(`for (int i = 0; i < ${half}; i++) s[i] += s[i + ${half}];`);
    const order = Array.from({ length: w }, (_, i) => (i < half ? i + half : i));
    shuffled.push(`x += __builtin_shufflevector(x, x, ${order});`);
  }
  return `GIBBS_INLINE float ${v}_sum(${v} x) {
#if __has_builtin(__builtin_shufflevector)
  ${shuffled.join('\n  ')}
  return x[0];
#else
  ${portable.join('\n  ')}
  return s[0];
#endif
}`;
}

/** Writes the transpose of a block: rows at `p`, `stride` apart, to rows at `q`, `out` apart. */
function transpose(isa: Isa): string {
  const { width: w } = isa;
  const v = vectorType(isa);
  const lines: string[] = [];
  let names = Array.from({ length: w }, (_, i) => `r${i}`);
  names.forEach((name, i) => {
    lines.push(`${v} ${name} = ${v}_load(p + ${i} * stride);`);
  });
  // Stage by stage, rows `span` apart exchange the halves of their blocks of 2·span floats.
  for (let span = 1; span < w; span *= 2) {
    const next = [...names];
    for (let i = 0; i < w; i++) {
      if ((i & span) !== 0) continue;
      const [a, b] = [names[i], names[i + span]];
      const pick = (upper: number) =>
        Array.from({ length: w }, (_, lane) => {
          const from = (lane & ~span) | upper;
          return (lane & span) === 0 ? from : from + w;
        });
      next[i] = `t${span}_${i}`;
      next[i + span] = `t${span}_${i + span}`;
      lines.push(`${v} ${next[i]} = __builtin_shufflevector(${a}, ${b}, ${pick(0)});`);
      lines.push(`${v} ${next[i + span]} = __builtin_shufflevector(${a}, ${b}, ${pick(span)});`);
    }
    names = next;
  }
  names.forEach((name, i) => {
    lines.push(`${v}_store(q + ${i} * out, ${name});`);
  });
  return `GIBBS_KERNEL void ${v}_transpose(const float *p, long stride, float *q, long out) {
#if __has_builtin(__builtin_shufflevector)
  ${lines.join('\n  ')}
#else
  for (int i = 0; i < ${w}; i++)
    for (int j = 0; j < ${w}; j++) q[j * out + i] = p[i * stride + j];
#endif
}`;
}
