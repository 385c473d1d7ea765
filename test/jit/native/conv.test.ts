import { describe, expect, it } from 'vitest';
import { integers, normal } from '../../../src/core/random.ts';
import { roundsConvolution } from '../../../src/jit/native/conv/call.ts';
import { type ConvCall, convKernel } from '../../../src/jit/native/conv/conv.ts';
import { supportsBf16 } from '../../../src/jit/native/gemm/bf16.ts';
import { AVX2, AVX512, detectIsa, type Isa, PLAIN } from '../../../src/jit/native/gemm/isa.ts';
import { toBf16 } from './gemm-cases.ts';
import { buildKernels, type Operands } from './run-kernels.ts';
import { HAS_COMPILER } from './toolchain.ts';

const KINDS = ['forward', 'inputGrad', 'weightGrad'] as const;

const PLAIN_CALL: ConvCall = {
  ...{ kind: 'forward', batch: 2, channels: 5, height: 8, width: 8, filters: 7, kernel: [3, 3] },
  ...{ strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1], groups: 1, bias: false },
};

const everyKind = (call: Partial<ConvCall>): ConvCall[] =>
  KINDS.map((kind) => ({ ...PLAIN_CALL, ...call, kind, bias: kind === 'forward' }));

function randomCalls(count: number, seed: number): ConvCall[] {
  const draw = (stream: string, high: number) => integers({ seed, stream, step: 0 }, count, high);
  const d = Object.fromEntries(
    ['n', 'c', 'o', 'kh', 'kw', 'sh', 'sw', 'dh', 'dw', 't', 'l', 'b', 'r', 'g'].map((s) => [
      s,
      draw(s, 3),
    ]),
  );
  const [high, wide] = [draw('height', 20), draw('width', 20)];
  return Array.from({ length: count }, (_, i): ConvCall => {
    const groups = 1 + d['g'][i];
    const dilations = [1 + (d['dh'][i] >> 1), 1 + (d['dw'][i] >> 1)] as const;
    return {
      kind: KINDS[i % 3],
      batch: 1 + d['n'][i],
      channels: groups * (1 + 3 * d['c'][i]),
      filters: groups * (1 + 4 * d['o'][i]),
      height: 6 + high[i],
      width: 6 + wide[i],
      kernel: [1 + d['kh'][i], 1 + d['kw'][i]],
      strides: [1 + d['sh'][i], 1 + d['sw'][i]],
      pads: [d['t'][i], d['l'][i], d['b'][i], d['r'][i]],
      dilations,
      groups,
      bias: i % 6 === 0,
    };
  });
}

function sizes(call: ConvCall) {
  const { batch, channels, filters, height, width, kernel, pads, dilations, strides } = call;
  const size = (axis: 0 | 1, length: number) =>
    Math.floor(
      (length + pads[axis] + pads[axis + 2] - dilations[axis] * (kernel[axis] - 1) - 1) /
        strides[axis],
    ) + 1;
  const [h, w] = [size(0, height), size(1, width)];
  const count = {
    x: batch * channels * height * width,
    w: (filters * channels * kernel[0] * kernel[1]) / call.groups,
    y: batch * filters * h * w,
  };
  return { h, w, count };
}

/** Which arrays a kind reads and which it writes. */
const ROLES = { forward: 'xwy', inputGrad: 'ywx', weightGrad: 'xyw' } as const;

function operands(call: ConvCall, seed: number): Operands {
  const { count } = sizes(call);
  const draw = (stream: string, n: number) => normal({ seed, stream, step: 0 }, n);
  const [a, b, out] = [...ROLES[call.kind]] as ('x' | 'w' | 'y')[];
  return {
    a: draw('a', count[a]),
    b: draw('b', count[b]),
    c: draw('c', call.bias ? call.filters : 0),
    out: draw('out', count[out]),
  };
}

/** Each product of the definition, added in double precision to the array that the kind writes. */
function reference(call: ConvCall, { a, b, c, out }: Operands) {
  const { batch, channels, filters, height, width, kernel, strides, pads, dilations } = call;
  const { h, w } = sizes(call);
  const [gc, gf] = [channels / call.groups, filters / call.groups];
  const sum = new Float64Array(out.length);
  const terms = new Float64Array(out.length);
  const add = (at: number, value: number) => {
    sum[at] += value;
    terms[at] += Math.abs(value);
  };
  for (let n = 0; n < batch; n++)
    for (let o = 0; o < filters; o++)
      for (let y = 0; y < h; y++)
        for (let x = 0; x < w; x++) {
          const yAt = ((n * filters + o) * h + y) * w + x;
          if (call.bias) add(yAt, c[o]);
          for (let i = 0; i < gc; i++)
            for (let u = 0; u < kernel[0]; u++)
              for (let v = 0; v < kernel[1]; v++) {
                const row = y * strides[0] + u * dilations[0] - pads[0];
                const column = x * strides[1] + v * dilations[1] - pads[1];
                if (row < 0 || row >= height || column < 0 || column >= width) continue;
                const channel = Math.floor(o / gf) * gc + i;
                const xAt = ((n * channels + channel) * height + row) * width + column;
                const wAt = ((o * gc + i) * kernel[0] + u) * kernel[1] + v;
                if (call.kind === 'forward') add(yAt, a[xAt] * b[wAt]);
                else if (call.kind === 'inputGrad') add(xAt, a[yAt] * b[wAt]);
                else add(wAt, a[xAt] * b[yAt]);
              }
        }
  return { sum, terms };
}

const rounded = ({ a, b, ...rest }: Operands): Operands => ({
  ...{ a: a.map(toBf16), b: b.map(toBf16) },
  ...rest,
});

function check(calls: readonly ConvCall[], isa: Isa): void {
  const kernels = calls.map((call) => convKernel(call, isa));
  const { run, library } = buildKernels(kernels);
  calls.forEach((call, i) => {
    const data = operands(call, i);
    const got = run(i, data);
    const seen = call.precision === 'bf16' ? rounded(data) : data;
    const { sum, terms } = reference(call, seen);
    // Sums of n terms in any order are within n rounding errors of their size.
    const { count } = sizes(call);
    const longest = Math.max(count.w / call.filters, (count.y / call.filters) * 2, count.w);
    let worst = 0;
    got.forEach((value, j) => {
      const error = Math.abs(value - sum[j]) / (longest * 2 ** -24 * terms[j] + 1e-37);
      worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
    });
    expect(worst, kernels[i].name).toBeLessThan(1);
    for (const shares of [1, 2, 3]) {
      expect(run(i, data, shares), `${kernels[i].name}, ${shares}`).toEqual(got);
    }
  });
  library.close();
}

describe.skipIf(!HAS_COMPILER)('generated convolutions', () => {
  it.each([
    [detectIsa(), 12],
    [AVX512, 3],
    [AVX2, 3],
    [PLAIN, 3],
  ])('agree with the definition for random geometries ($name)', (isa, count) => {
    check(randomCalls(count, isa.width + count), isa);
  });

  it('agree for the sizes of image networks', () => {
    const calls = [
      ...everyKind({ width: 32, height: 4, channels: 9, filters: 13 }),
      ...everyKind({ width: 16, height: 8, batch: 3 }),
      ...everyKind({ width: 4, height: 4, batch: 8, filters: 30 }),
      ...everyKind({ width: 4, height: 4, batch: 5 }),
      ...everyKind({ kernel: [1, 1], pads: [0, 0, 0, 0], width: 6 }),
      ...everyKind({ strides: [2, 2], pads: [0, 0, 1, 1], width: 16, height: 16 }),
      // The same product inside as in the one before.
      ...everyKind({ strides: [2, 2], pads: [0, 0, 1, 1], width: 16, height: 16, batch: 1 }),
      ...everyKind({ channels: 90, filters: 3, width: 8, height: 8 }),
      ...everyKind({ channels: 6, filters: 6, groups: 6 }),
    ];
    check(calls, detectIsa());
  });

  it.skipIf(!supportsBf16())('round to bfloat16 where that is asked for, and no further', () => {
    const calls = [
      ...everyKind({ channels: 8, filters: 18, width: 16, height: 4, batch: 3 }),
      ...everyKind({ channels: 80, filters: 90, width: 4, height: 4 }),
      ...everyKind({ channels: 32, filters: 32, groups: 2, width: 9, height: 7 }),
      ...everyKind({ channels: 70, filters: 20, kernel: [1, 1], pads: [0, 0, 0, 0], width: 5 }),
      ...everyKind({ channels: 20, filters: 30, strides: [2, 2], width: 11 }),
    ];
    const fit = calls.filter((call) => roundsConvolution(call));
    expect(fit.length).toBeGreaterThan(11);
    check(
      fit.map((call) => ({ ...call, precision: 'bf16' as const })),
      detectIsa(),
    );
    expect(() => convKernel({ ...PLAIN_CALL, precision: 'bf16' }, PLAIN)).toThrow(/bf16.*float32/);
  });
});
