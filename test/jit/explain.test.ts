import { describe, expect, it } from 'vitest';
import { jit, type Tensor, tf, valueAndGrad } from '../../src/jit/index.ts';

const w = tf.ones([100, 50]);
const x = tf.ones([10, 100]);
const layer = (w_: Tensor, x_: Tensor) => tf.relu(tf.matMul(x_, w_).add(1));

describe('explain', () => {
  it('lists every node with operands, type, cost and attributes', () => {
    const text = jit.explain(layer, w, x);
    const lines = text.split('\n');
    const nodes = lines.filter((line) => line.startsWith('%'));
    expect(lines[0]).toMatch(
      /^layer: \d+ nodes, \d+ kFLOP, [\d.]+ kB of results \(\d+ nodes recorded\)$/,
    );
    expect(Number(/(\d+) nodes,/.exec(lines[0])?.[1])).toBe(nodes.length);
    for (const [id, line] of nodes.entries()) {
      expect(line).toMatch(
        new RegExp(
          `^%${id} = \\w+\\(.*\\) +(f32|i32|bool)\\[[\\d,]*\\] +[\\d.]+ k?FLOP +[\\d.]+ k?B`,
        ),
      );
    }
    expect(nodes[0]).toContain('f32[100,50]');
    expect(nodes[0]).toContain('argument 0');
    expect(lines.at(-1)).toBe(`return %${nodes.length - 1}`);
  });

  it('counts a multiply-add as two operations', () => {
    // 10·50 results of 100 multiply-adds each.
    const [product] = jit
      .explain(layer, w, x)
      .split('\n')
      .filter((l) => /= (matmul|gemm)\(/.test(l));
    expect(product).toContain('100 kFLOP');
    expect(product).toContain('2.0 kB');
  });

  it('counts a convolution by its output', () => {
    const conv = (i: Tensor, f: Tensor) => tf.conv2d(i as tf.Tensor4D, f as tf.Tensor4D, 1, 'same');
    const text = jit.explain(conv, tf.ones([2, 8, 8, 3]), tf.ones([3, 3, 3, 4]));
    const flops = 2 * (2 * 8 * 8 * 4) * (3 * 3 * 3);
    expect(text).toMatch(new RegExp(`= conv2d\\(.*${(flops / 1000).toFixed(1)} kFLOP`));
  });

  it('sums up by kind of operation, dearest first', () => {
    const step = (w_: Tensor, x_: Tensor) =>
      valueAndGrad((v: Tensor) => tf.mean(layer(v, x_)))(w_).grad;
    const text = jit.explain(step, w, x);
    const summary = text.split('\n\n')[1].split('\n');
    const flops = summary.map((line) => {
      const [, n, unit] = /([\d.]+) (k?)FLOP/.exec(line) ?? [];
      return Number(n) * (unit === 'k' ? 1000 : 1);
    });
    expect(summary[0]).toMatch(/^(gemm|matmul) /);
    expect([...flops].sort((a, b) => b - a)).toEqual(flops);
  });

  it('of a function already jitted, and counts as no call', () => {
    const f = jit(layer);
    expect(f.explain(w, x)).toBe(jit.explain(layer, w, x));
    expect(f.stats()).toMatchObject({ traces: 0, onnxCalls: 0 });
  });
});
