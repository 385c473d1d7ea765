import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/core/errors.ts';
import { type HostTensor, hostTensor, sizeOf } from '../../../src/core/host-tensor.ts';
import { normal } from '../../../src/core/random.ts';
import { jit, type Tensor, tf } from '../../../src/jit/index.ts';
import { GraphBuilder } from '../../../src/jit/ir/builder.ts';
import type { ConvAttrs, Graph } from '../../../src/jit/ir/ops.ts';
import { lowerToC } from '../../../src/jit/native/compile.ts';
import type { Program } from '../../../src/jit/native/emit/program.ts';
import { NativeSession } from '../../../src/jit/native/executor.ts';
import { runGraph, runSession } from '../graphs.ts';
import { HAS_COMPILER } from './toolchain.ts';

/** The number of units that threads share. */
const sharedUnits = ({ source }: Program) =>
  source.match(/^ .* g_open\(team, \d+, me\); for /gm)?.length ?? 0;

/** Everything that threads share, each large enough, with lengths that no number divides. */
function everything(): { graph: Graph; inputs: HostTensor[] } {
  const b = new GraphBuilder();
  const inputs: HostTensor[] = [];
  const input = (...shape: number[]) => {
    const key = { seed: 5, stream: 'threads', step: inputs.length };
    inputs.push(hostTensor(normal(key, sizeOf(shape)), shape));
    return b.input(shape, 'float32');
  };
  const outputs: number[] = [];
  const loops = (x: number) => {
    const y = b.add(
      'mul',
      [b.add('exp', [b.add('neg', [b.add('square', [x], {})], {})], {}), x],
      {},
    );
    outputs.push(y);
    return y;
  };
  const matrix = loops(input(211, 487));
  loops(input(102_401));
  for (const axis of [0, 1]) {
    outputs.push(b.add('sum', [matrix], { axes: [axis], keepDims: false }));
    outputs.push(b.add('reduceMax', [matrix], { axes: [axis], keepDims: true }));
  }
  const cube = loops(input(13, 97, 83));
  for (const axes of [[1], [0, 2]]) outputs.push(b.add('sum', [cube], { axes, keepDims: false }));
  const matmul = (a: number, c: number, transA: boolean, transB: boolean) => {
    outputs.push(b.add('matmul', [a, c], { transA, transB }));
  };
  const [wide, long] = [input(487, 131), input(1301, 131)];
  matmul(matrix, wide, false, false);
  matmul(wide, matrix, true, true);
  matmul(long, input(131, 53), false, false);
  matmul(long, input(1301, 61), true, false);
  matmul(input(9, 40, 70), input(9, 50, 70), false, true);
  matmul(input(4001, 131), input(3, 131), false, true);
  outputs.push(b.add('softmax', [cube], {}));
  const convolve = (x: number, w: number, stride: number, size: number) => {
    const attrs: ConvAttrs = {
      strides: [stride, stride],
      pads: [1, 1, 1, 1],
      dilations: [1, 1],
      groups: 1,
    };
    const y = b.add('conv2d', [x, w], attrs);
    outputs.push(y);
    outputs.push(b.add('conv2dInputGrad', [y, w], { ...attrs, inputSize: [size, size] }));
    outputs.push(b.add('conv2dWeightGrad', [x, y], { ...attrs, kernel: [3, 3] }));
  };
  convolve(input(5, 17, 18, 18), input(23, 17, 3, 3), 1, 18);
  convolve(input(3, 19, 17, 17), input(21, 19, 3, 3), 2, 17);
  convolve(input(8, 90, 4, 4), input(50, 90, 3, 3), 1, 4);
  return { graph: b.finish(outputs), inputs };
}

describe.skipIf(!HAS_COMPILER)('threads of one run', () => {
  const { graph, inputs } = everything();
  const before = process.env['GIBBS_CACHE'];
  let code: Program;
  let folder: string;
  const results = new Map<number, Float32Array[]>();

  beforeAll(() => {
    // Compiled once.
    folder = mkdtempSync(join(tmpdir(), 'gibbs-threads-'));
    process.env['GIBBS_CACHE'] = folder;
    code = lowerToC(graph);
    for (const threads of [1, 2, 3, 7]) {
      results.set(threads, runSession(new NativeSession(code, 'threads', threads), graph, inputs));
    }
  });

  afterAll(() => {
    process.env['GIBBS_CACHE'] = before;
    rmSync(folder, { recursive: true, force: true });
  });

  it('share most units, and never what is little work', () => {
    expect(sharedUnits(code)).toBeGreaterThan(14);
    const b = new GraphBuilder();
    const x = b.input([30, 40], 'float32');
    const small = b.finish([b.add('exp', [x], {})]);
    expect(sharedUnits(lowerToC(small))).toBe(0);
  });

  it.each([2, 3, 7])('give with %i of them the bits of one', (threads) => {
    const bits = (arrays: readonly Float32Array[]) =>
      arrays.map((a) => Buffer.from(a.buffer, a.byteOffset, a.byteLength).toString('base64'));
    expect(bits(results.get(threads)!)).toEqual(bits(results.get(1)!));
  });

  it('give what ONNX Runtime gives', () => {
    runGraph(graph, inputs).forEach((want, k) => {
      const got = results.get(2)![k];
      const scale = Math.sqrt(want.reduce((sum, v) => sum + v * v, 0) / want.length);
      const worst = want.reduce((most, v, i) => Math.max(most, Math.abs(v - got[i])), 0);
      expect(worst / scale, `output ${k}`).toBeLessThan(2e-5);
    });
  });

  it('leave nothing behind that a library which is unloaded could miss', () => {
    const b = new GraphBuilder();
    const x = b.input([100_001], 'float32');
    const one = b.finish([b.add('exp', [x], {})]);
    const own = [hostTensor(normal({ seed: 6, stream: 'threads', step: 0 }, 100_001), [100_001])];
    const [want] = runSession(new NativeSession(lowerToC(one), 'one'), one, own);
    for (let i = 0; i < 20; i++) {
      const [got] = runSession(new NativeSession(lowerToC(one), 'one', 3), one, own);
      expect(got).toEqual(want);
    }
  });

  it('are a whole number of them', () => {
    for (const threads of [0, 1.5, Number.NaN]) {
      const f = jit((x: Tensor) => tf.exp(x), { executor: 'native', threads });
      expect(() => f(tf.ones([2]))).toThrow(ConfigError);
    }
  });
});
