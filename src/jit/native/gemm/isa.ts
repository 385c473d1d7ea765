import { cpuFeatures } from '../build/compiler.ts';

/** What the generated kernels need to know of a processor. */
export interface Isa {
  readonly name: 'avx512' | 'avx2' | 'plain';
  /** Floats in a vector register. */
  readonly width: number;
  /**
   * Rows of a tile by its number of vectors per row, less one: as many sums as registers hold
   * beside the operands.
   */
  readonly rows: readonly number[];
  /** Vectors per row that suit a wide matrix best. */
  readonly vectors: number;
}

export const AVX512: Isa = { name: 'avx512', width: 16, rows: [24, 12, 8, 6, 5, 4], vectors: 3 };
export const AVX2: Isa = { name: 'avx2', width: 8, rows: [10, 6, 4], vectors: 2 };
/** Four floats: what x86-64 and ARM64 have in any case. The compiler makes do where not even that. */
export const PLAIN: Isa = { name: 'plain', width: 4, rows: [10, 6, 4], vectors: 2 };

/** The best that this processor has. */
export function detectIsa(): Isa {
  const features = cpuFeatures();
  if (features.includes('avx512f')) return AVX512;
  if (features.includes('avx2') && features.includes('fma')) return AVX2;
  return PLAIN;
}
