import { expect } from 'vitest';
import { integers, normal } from '../../../src/core/random.ts';
import { type GemmCall, gemmKernel } from '../../../src/jit/native/gemm/gemm.ts';
import type { Isa } from '../../../src/jit/native/gemm/isa.ts';
import { buildKernels, type Operands } from './run-kernels.ts';

export const BIASES = ['none', 'row', 'column', 'full'] as const;

/** Calls of every form: small sizes, sizes around those of the tiles, and odd ones up to 130. */
export function someCalls(count: number, seed: number): GemmCall[] {
  const draw = (stream: string, high: number) => integers({ seed, stream, step: 0 }, count, high);
  const [form, kind, batch] = [draw('form', 32), draw('kind', 3), draw('batch', 4)];
  const sizes = ['m', 'n', 'k'].map((name) => ({
    small: draw(`${name} small`, 9),
    middle: draw(`${name} middle`, 52),
    any: draw(`${name} any`, 130),
    which: draw(`${name} which`, 3),
  }));
  return Array.from({ length: count }, (_, i) => {
    const [m, n, k] = sizes.map(
      (s) => 1 + (s.which[i] === 0 ? s.small[i] : s.which[i] === 1 ? s.middle[i] : s.any[i]),
    );
    return {
      m,
      n,
      k,
      transA: (form[i] & 1) !== 0,
      transB: (form[i] & 2) !== 0,
      accumulate: (form[i] & 4) !== 0,
      bias: BIASES[form[i] >> 3],
      batch: kind[i] === 0 ? 1 + batch[i] : 1,
    };
  });
}

export function operands({ m, n, k, batch, bias }: GemmCall, seed: number): Operands {
  const draw = (stream: string, count: number) => normal({ seed, stream, step: 0 }, count);
  const biasLength = { none: 0, row: n, column: m, full: batch * m * n }[bias];
  return {
    a: draw('a', batch * m * k),
    b: draw('b', batch * k * n),
    c: draw('c', biasLength),
    out: draw('out', batch * m * n),
  };
}

/** The product in double precision, and for each element the size of the terms it is a sum of. */
function reference(call: GemmCall, { a, b, c, out }: Operands) {
  const { m, n, k, transA, transB, batch, accumulate, bias } = call;
  const value = new Float64Array(out.length);
  const size = new Float64Array(out.length);
  for (let q = 0; q < batch; q++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        const at = (q * m + i) * n + j;
        const first = accumulate ? out[at] : 0;
        const second = bias === 'none' ? 0 : c[{ row: j, column: i, full: at }[bias]];
        let [sum, terms] = [first + second, Math.abs(first) + Math.abs(second)];
        for (let p = 0; p < k; p++) {
          const x = a[q * m * k + (transA ? p * m + i : i * k + p)];
          const product = x * b[q * k * n + (transB ? j * k + p : p * n + j)];
          sum += product;
          terms += Math.abs(product);
        }
        value[at] = sum;
        size[at] = terms;
      }
    }
  }
  return { value, size };
}

/** The nearest number with eight bits of mantissa, ties to even. */
export function toBf16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer);
  bits[0] = (bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) & 0xffff0000;
  return new Float32Array(bits.buffer)[0];
}

/** Differences in units of the error bound of a sum of k terms in any order. */
export function worstError(call: GemmCall, got: Float32Array, data: Operands): number {
  const rounded = call.precision === 'bf16';
  const seen = rounded ? { ...data, a: data.a.map(toBf16), b: data.b.map(toBf16) } : data;
  const { value, size } = reference(call, seen);
  const bound = (call.k + 3) * 2 ** -24;
  let worst = 0;
  got.forEach((x, i) => {
    const error = Math.abs(x - value[i]) / (bound * size[i] + 1e-37);
    worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
  });
  return worst;
}

/** Compiles the calls for `isa`, and compares each with double precision and with itself. */
export function checkProducts(calls: readonly GemmCall[], isa: Isa): void {
  const { run, library } = buildKernels(calls.map((call) => gemmKernel(call, isa)));
  calls.forEach((call, i) => {
    const data = operands(call, i);
    const got = run(i, data);
    expect(worstError(call, got, data), gemmKernel(call, isa).name).toBeLessThan(1);
    for (const shares of [1, 2, 3]) {
      expect(run(i, data, shares), `${gemmKernel(call, isa).name}, ${shares}`).toEqual(got);
    }
  });
  library.close();
}
