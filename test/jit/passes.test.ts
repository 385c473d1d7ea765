import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/jit/ir/builder.ts';
import type { Graph } from '../../src/jit/ir/ops.ts';
import { printGraph } from '../../src/jit/ir/print.ts';
import { optimise } from '../../src/jit/passes/index.ts';
import { buildGraph, graphInputs, programs, runGraph } from './graphs.ts';
import { floats } from './sample.ts';

const RUNS = Number(process.env['GIBBS_SAMPLES'] ?? 0) * 20 || 250;
const SEED = Number(process.env['GIBBS_SAMPLES_SEED'] ?? 5);

/** Reordered sums round differently; tanh in between keeps magnitudes near one. */
const TOLERANCE = 2e-4;

/** Deviation per element, relative where values are large. */
function deviation(a: Float32Array, b: Float32Array): number {
  let worst = a.length === b.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < a.length; i++) {
    if (Object.is(a[i], b[i])) continue;
    worst = Math.max(worst, Math.abs(a[i] - b[i]) / Math.max(1, Math.abs(a[i])));
  }
  return worst;
}

const row = (b: GraphBuilder, x: number) =>
  b.add('slice', [x], { begin: [3, 0], size: [1, 80], strides: [1, 1] });

describe('the passes', () => {
  it('leave what random graphs compute unchanged', () => {
    let shrunk = 0;
    fc.assert(
      fc.property(programs, (program) => {
        const graph = buildGraph(program);
        const lean = optimise(graph);
        shrunk += graph.nodes.length - lean.nodes.length;
        const [want, got] = [graph, lean].map((g) => runGraph(g, graphInputs()));
        for (const [i, w] of want.entries()) {
          const d = deviation(w, got[i]);
          if (!(d <= TOLERANCE)) {
            throw new Error(
              `output ${i} is off by ${d}\n${printGraph(graph)}\n\noptimised\n${printGraph(lean)}`,
            );
          }
        }
      }),
      { seed: SEED, numRuns: RUNS },
    );
    expect(shrunk).toBeGreaterThan(RUNS * 3);
  });

  it.each<[string, (b: GraphBuilder, x: number, y: number) => number]>([
    ['a product', (b, x, y) => b.add('mul', [x, y], {})],
    ['a square', (b, x) => b.add('square', [x], {})],
    ['a scaled product', (b, x, y) => b.add('mul', [b.add('mul', [x, b.splat(2)], {}), y], {})],
    ['a product with a row', (b, x, y) => b.add('mul', [x, row(b, y)], {})],
  ])('leave the sum over all of a large array unchanged: %s', (_, build) => {
    const b = new GraphBuilder();
    const [x, y] = [b.input([70, 80], 'float32'), b.input([70, 80], 'float32')];
    const graph = b.finish([b.add('sum', [build(b, x, y)], { axes: [0, 1], keepDims: true })]);
    const inputs = [floats([70, 80], 'positive', 1), floats([70, 80], 'positive', 2)];
    const [want, got] = [graph, optimise(graph)].map((g) => runGraph(g, inputs)[0]);
    expect(deviation(want, got)).toBeLessThan(1e-5);
  });

  it('are idempotent in size: a second round finds little', () => {
    fc.assert(
      fc.property(programs, (program) => {
        const once = optimise(buildGraph(program));
        const twice = optimise(once);
        expect(twice.nodes.length).toBeLessThanOrEqual(once.nodes.length);
      }),
      { seed: SEED, numRuns: 30 },
    );
  });

  const ops = (g: Graph) => g.nodes.map((n) => n.op);

  it.each([
    ['[1, O, 1, 1]', [1, 3, 1, 1], true],
    ['[O, 1, 1]', [3, 1, 1], true],
    ['one number per sample and filter', [2, 3, 1, 1], false],
    ['one number per column', [5], false],
  ] as const)('a convolution takes a bias along, and only a bias: %s', (_, shape, taken) => {
    const b = new GraphBuilder();
    const shapes = [[2, 2, 5, 5], [3, 2, 3, 3], [...shape]];
    const [x, w, bias] = shapes.map((s) => b.input(s, 'float32'));
    const attrs = { strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1], groups: 1 } as const;
    const graph = b.finish([b.add('add', [bias, b.add('conv2d', [x, w], attrs)], {})]);
    const lean = optimise(graph);
    expect(ops(lean).includes('conv2dBias')).toBe(taken);
    expect(ops(lean).includes('add')).toBe(!taken);
    const inputs = shapes.map((s, i) => floats(s, 'real', i));
    const [want, got] = [graph, lean].map((g) => runGraph(g, inputs)[0]);
    expect(deviation(want, got)).toBeLessThan(1e-5);
  });

  it.each([
    [0.2, 0.8, true],
    [0.2, 0.7, false],
    [1.5, -0.5, false],
  ])('the slope of a leaky ReLU is one maximum: mask · %d + %d', (leak, rest, taken) => {
    const b = new GraphBuilder();
    const x = b.input([2, 3], 'float32');
    const mask = b.add('cast', [b.add('gt', [x, b.splat(0)], {})], { dtype: 'float32' });
    const slope = b.add('add', [b.add('mul', [mask, b.splat(rest)], {}), b.splat(leak)], {});
    const graph = b.finish([b.add('mul', [x, slope], {})]);
    const lean = optimise(graph);
    expect(ops(lean).includes('max')).toBe(taken);
    const inputs = [floats([2, 3], 'real', 1)];
    inputs[0].data.set([0, -1, 2]);
    const [want, got] = [graph, lean].map((g) => runGraph(g, inputs)[0]);
    expect(deviation(want, got)).toBeLessThan(1e-6);
  });

  it.each<[string, (b: GraphBuilder, x: number) => number, string[]]>([
    ['x + 0', (b, x) => b.add('add', [x, b.splat(0)], {}), ['input']],
    ['x · 1', (b, x) => b.add('mul', [x, b.splat(1, [2, 3])], {}), ['input']],
    ['−(−x)', (b, x) => b.add('neg', [b.add('neg', [x], {})], {}), ['input']],
    ['x²⁰', (b, x) => b.add('pow', [x, b.splat(0)], {}), ['input', 'splat']],
    [
      'two transposes',
      (b, x) => b.add('transpose', [b.add('transpose', [x], { perm: [1, 0] })], { perm: [1, 0] }),
      ['input'],
    ],
    [
      'equal computations',
      (b, x) => b.add('add', [b.add('exp', [x], {}), b.add('exp', [x], {})], {}),
      ['input', 'exp', 'add'],
    ],
    [
      'what no output needs',
      (b, x) => {
        b.add('exp', [x], {});
        return b.add('log', [x], {});
      },
      ['input', 'log'],
    ],
    [
      'the sum of a repetition',
      (b, x) => {
        const wide = b.add('broadcast', [x], { shape: [4, 2, 3] });
        return b.add('sum', [wide], { axes: [0], keepDims: false });
      },
      ['input', 'splat', 'mul'],
    ],
  ])('remove %s', (_, build, expected) => {
    const b = new GraphBuilder();
    const x = b.input([2, 3], 'float32');
    const lean = optimise(b.finish([build(b, x)]));
    expect(
      ops(lean)
        .filter((op) => op !== 'reshape')
        .sort(),
    ).toEqual([...expected].sort());
  });
});
