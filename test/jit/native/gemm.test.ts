import { describe, expect, it } from 'vitest';
import { supportsBf16 } from '../../../src/jit/native/gemm/bf16.ts';
import { type GemmCall, gemmKernel, parted } from '../../../src/jit/native/gemm/gemm.ts';
import { AVX2, AVX512, detectIsa, PLAIN } from '../../../src/jit/native/gemm/isa.ts';
import { BIASES, checkProducts, operands, someCalls, worstError } from './gemm-cases.ts';
import { buildKernels } from './run-kernels.ts';
import { HAS_COMPILER } from './toolchain.ts';

/** All forms of a few sizes at the edges of every method. */
const EDGES: readonly (readonly [m: number, n: number, k: number])[] = [
  [1, 1, 1],
  [1, 1, 300],
  [1, 30, 70],
  [30, 1, 70],
  [5, 3, 40],
  [25, 49, 17],
];

describe.skipIf(!HAS_COMPILER)('generated products of matrices', () => {
  it.each([
    [detectIsa(), 12],
    [AVX512, 5],
    [AVX2, 5],
    [PLAIN, 5],
  ])('agree with double precision at random sizes ($name)', (isa, count) => {
    checkProducts(someCalls(count, isa.width), isa);
  });

  it('agree in every form at sizes that change the method', () => {
    const calls = EDGES.flatMap(([m, n, k], i) =>
      [0, 1, 2, 3].map(
        (form): GemmCall => ({
          ...{ m, n, k, bias: BIASES[(form + i) % 4], batch: 1 },
          transA: (form & 1) !== 0,
          transB: (form & 2) !== 0,
          accumulate: i % 2 === 0,
        }),
      ),
    );
    checkProducts(calls, detectIsa());
  });

  it('agree where sums are put down in between and where b is copied', () => {
    const long = { m: 9, n: 20, k: 2051, batch: 1 } as const;
    const wide = { m: 33, n: 1010, k: 333, batch: 1 } as const;
    const plain = { transA: false, transB: false, accumulate: false, bias: 'none' } as const;
    const calls: GemmCall[] = [
      { ...long, ...plain },
      { ...long, ...plain, transA: true, transB: true, bias: 'row', accumulate: true },
      { ...long, ...plain, transB: true, bias: 'column' },
      { ...wide, ...plain, bias: 'full' },
      { ...wide, ...plain, transA: true, accumulate: true },
    ];
    checkProducts(calls, detectIsa());
  });

  it.skipIf(!supportsBf16())('round to bfloat16 where that is asked for, and no further', () => {
    const calls = someCalls(12, 7).map((call) => ({ ...call, precision: 'bf16' as const }));
    checkProducts(calls, detectIsa());
  });

  it('with bfloat16 numbers are refused where the processor has none', () => {
    const [call] = someCalls(1, 7);
    expect(() => gemmKernel({ ...call, precision: 'bf16' }, PLAIN)).toThrow(/bf16.*float32/);
  });

  it('may write onto the bias they add', () => {
    const call: GemmCall = {
      ...{ m: 20, n: 37, k: 12, batch: 1 },
      ...{ transA: false, transB: true, accumulate: false, bias: 'full' },
    };
    const { name, source, ...rest } = gemmKernel(call);
    const { run, library } = buildKernels([
      {
        ...rest,
        name: 'onto',
        source: `${source}\n${parted('onto', 'a, b, c, out', `${name}_part(a, b, out, out, scratch, me, all);`)}`,
      },
    ]);
    const data = operands(call, 1);
    const got = run(0, { ...data, out: data.c });
    expect(worstError(call, got, data)).toBeLessThan(1);
    library.close();
  });

  it('leave what is not a number where it belongs', () => {
    const call: GemmCall = {
      ...{ m: 3, n: 18, k: 20, batch: 1 },
      ...{ transA: false, transB: true, accumulate: false, bias: 'none' },
    };
    const { run, library } = buildKernels([gemmKernel(call)]);
    const data = operands(call, 2);
    data.b[17 * 20 + 4] = Number.NaN;
    const got = run(0, data);
    expect([...got.keys()].filter((i) => Number.isNaN(got[i]))).toEqual([17, 35, 53]);
    library.close();
  });
});
