import { describe, it } from 'vitest';
import { AVX2, detectIsa, PLAIN } from '../../src/jit/native/gemm/isa.ts';
import { checkProducts, someCalls } from '../jit/native/gemm-cases.ts';
import { HAS_COMPILER } from '../jit/native/toolchain.ts';

describe.skipIf(!HAS_COMPILER)('generated products of matrices', () => {
  it.each([
    [detectIsa(), 150],
    [AVX2, 50],
    [PLAIN, 50],
  ])('agree with double precision at many random sizes ($name)', (isa, count) => {
    checkProducts(someCalls(count, 1000 + isa.width), isa);
  });
});
