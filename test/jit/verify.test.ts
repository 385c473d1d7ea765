import { describe, expect, it } from 'vitest';
import type { DType } from '../../src/core/host-tensor.ts';
import { GraphBuilder } from '../../src/jit/ir/builder.ts';
import type { Graph, Node, Op, OpAttrs } from '../../src/jit/ir/ops.ts';
import { SPEC } from '../../src/jit/ir/spec.ts';
import { verify } from '../../src/jit/ir/verify.ts';

type Typed = readonly [shape: readonly number[], dtype?: DType];

const CONV = { strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], groups: 1 } as const;
const image: Typed = [[1, 2, 5, 5]];

/** One or more ill-typed uses of every primitive that can be ill-typed. */
const MALFORMED: { [K in Op]?: readonly (readonly [string, readonly Typed[], OpAttrs[K]])[] } = {
  exp: [['int32', [[[2], 'int32']], {}]],
  neg: [['bool', [[[2], 'bool']], {}]],
  not: [['float', [[[2]]], {}]],
  isNan: [['int32', [[[2], 'int32']], {}]],
  isInf: [['bool', [[[2], 'bool']], {}]],
  add: [
    ['shapes', [[[2]], [[3]]], {}],
    ['types', [[[2]], [[2], 'int32']], {}],
    [
      'bool',
      [
        [[2], 'bool'],
        [[2], 'bool'],
      ],
      {},
    ],
    ['arity', [[[2]]], {}],
  ],
  lt: [['types', [[[2]], [[2], 'int32']], {}]],
  rankMean: [['int32', [[[2], 'int32']], {}]],
  and: [['float', [[[2]], [[2]]], {}]],
  sum: [
    ['axis', [[[2]]], { axes: [1], keepDims: false }],
    ['repeated axis', [[[2]]], { axes: [0, 0], keepDims: false }],
    ['bool', [[[2], 'bool']], { axes: [0], keepDims: false }],
  ],
  const: [['length', [], { data: new Float32Array(3), shape: [2], dtype: 'float32' }]],
  select: [
    ['condition', [[[2]], [[2]], [[2]]], {}],
    ['branches', [[[2], 'bool'], [[2]], [[2], 'int32']], {}],
  ],
  matmul: [
    ['inner', [[[2, 3]], [[2, 3]]], { transA: false, transB: false }],
    ['vector', [[[3]], [[3, 2]]], { transA: false, transB: false }],
    ['batch', [[[2, 2, 3]], [[5, 3, 2]]], { transA: false, transB: false }],
    [
      'type',
      [
        [[2, 3], 'int32'],
        [[3, 2], 'int32'],
      ],
      { transA: false, transB: false },
    ],
  ],
  gemm: [
    ['rank', [[[1, 2, 3]], [[3, 2]], [[2]]], { transA: false, transB: false }],
    ['addend', [[[2, 3]], [[3, 2]], [[5, 2, 2]]], { transA: false, transB: false }],
    ['type', [[[2, 3]], [[3, 2]], [[2], 'int32']], { transA: false, transB: false }],
  ],
  conv2d: [
    ['rank', [[[2, 5, 5]], [[3, 2, 3, 3]]], CONV],
    ['channels', [image, [[3, 1, 3, 3]]], CONV],
    ['groups', [image, [[3, 1, 3, 3]]], { ...CONV, groups: 2 }],
    ['kernel', [image, [[3, 2, 6, 3]]], CONV],
    [
      'type',
      [
        [[1, 2, 5, 5], 'int32'],
        [[3, 2, 3, 3], 'int32'],
      ],
      CONV,
    ],
  ],
  conv2dBias: [
    ['bias', [image, [[3, 2, 3, 3]], [[2]]], CONV],
    ['image', [[[2, 5, 5]], [[3, 2, 3, 3]], [[3]]], CONV],
  ],
  conv2dInputGrad: [
    ['filters', [[[1, 4, 3, 3]], [[3, 2, 3, 3]]], { ...CONV, inputSize: [5, 5] }],
    ['size', [[[1, 3, 3, 3]], [[3, 2, 3, 3]]], { ...CONV, inputSize: [6, 5] }],
  ],
  conv2dWeightGrad: [
    ['batch', [image, [[2, 3, 3, 3]]], { ...CONV, kernel: [3, 3] }],
    ['size', [image, [[1, 3, 4, 3]]], { ...CONV, kernel: [3, 3] }],
    ['groups', [image, [[1, 3, 3, 3]]], { ...CONV, kernel: [3, 3], groups: 2 }],
  ],
  reshape: [['size', [[[2, 3]]], { shape: [5] }]],
  transpose: [
    ['rank', [[[2, 3]]], { perm: [0] }],
    ['repeated', [[[2, 3]]], { perm: [0, 0] }],
  ],
  broadcast: [
    ['shape', [[[2]]], { shape: [3] }],
    ['smaller', [[[2, 1]]], { shape: [2] }],
  ],
  slice: [
    ['beyond', [[[3]]], { begin: [2], size: [2], strides: [1] }],
    ['before', [[[3]]], { begin: [0], size: [2], strides: [-1] }],
    ['rank', [[[3]]], { begin: [0, 0], size: [1, 1], strides: [1, 1] }],
  ],
  pad: [
    ['rank', [[[3]]], { before: [1, 1], after: [0, 0], value: 0 }],
    ['negative', [[[3]]], { before: [-1], after: [0], value: 0 }],
  ],
  concat: [
    ['shape', [[[2, 3]], [[2, 2]]], { axis: 0 }],
    ['rank', [[[2, 3]], [[2]]], { axis: 1 }],
    ['type', [[[2]], [[2], 'int32']], { axis: 0 }],
    ['axis', [[[2]], [[2]]], { axis: 1 }],
    ['nothing', [], { axis: 0 }],
  ],
  argMax: [['axis', [[[2]]], { axis: 1 }]],
  gather: [
    ['index type', [[[2]], [[2]]], { axis: 0 }],
    ['axis', [[[2]], [[2], 'int32']], { axis: 1 }],
  ],
  gatherNd: [['depth', [[[2]], [[4, 2], 'int32']], {}]],
  scatterAddNd: [
    ['depth', [[[4, 2], 'int32'], [[4]]], { shape: [3] }],
    ['updates', [[[4, 1], 'int32'], [[4, 2]]], { shape: [3, 3] }],
  ],
  cumsum: [['axis', [[[2]]], { axis: -1, exclusive: false, reverse: false }]],
  softmax: [
    ['scalar', [[[]]], {}],
    ['type', [[[2], 'int32']], {}],
  ],
  topkValues: [['k', [[[2]]], { k: 3 }]],
  after: [['arity', [[[2]]], {}]],
  topkIndices: [['scalar', [[[]]], { k: 1 }]],
};

const CASES = Object.entries(MALFORMED).flatMap(([op, uses]) =>
  (uses as readonly (readonly [string, readonly Typed[], object])[]).map(
    ([what, operands, attrs]) => [`${op}: ${what}`, op as Op, operands, attrs] as const,
  ),
);

/** A sound graph to be damaged. */
function sound(): { nodes: Node[]; inputs: number[]; outputs: number[] } {
  const b = new GraphBuilder();
  const x = b.input([2, 3], 'float32');
  const y = b.add('exp', [x], {});
  const { nodes, inputs } = b.finish([b.add('add', [y, x], {})]);
  return { nodes: [...nodes], inputs: [...inputs], outputs: [2] };
}

const damaged = (change: (g: ReturnType<typeof sound>) => void): Graph => {
  const graph = sound();
  change(graph);
  return graph;
};

const replace = (g: { nodes: Node[] }, id: number, change: object) => {
  g.nodes[id] = { ...g.nodes[id], ...change } as Node;
};

describe('the table of the IR', () => {
  it.each(CASES)('the builder and the verifier refuse %s', (_, op, operands, attrs) => {
    const b = new GraphBuilder();
    const ids = operands.map(([shape, dtype]) => b.input(shape, dtype ?? 'float32'));
    expect(() => b.add(op, ids, attrs as never)).toThrow(`IR: malformed ${op}`);
    const bad = { id: ids.length, op, inputs: ids, attrs, shape: [2], dtype: 'float32' } as Node;
    const graph = { nodes: [...b.nodes, bad], inputs: b.inputs, outputs: [bad.id] };
    expect(() => verify(graph, 'a pass')).toThrow(`after a pass: node ${bad.id} (${op})`);
  });

  it('has a case for every kind of rule', () => {
    // Primitives that share a rule are represented by one of them; these three take anything.
    const anything = ['input', 'splat', 'cast'];
    const bySpec = new Map<unknown, string[]>();
    for (const [op, spec] of Object.entries(SPEC)) {
      if (!anything.includes(op)) bySpec.set(spec, [...(bySpec.get(spec) ?? []), op]);
    }
    const missing = [...bySpec.values()].filter((ops) => !ops.some((op) => op in MALFORMED));
    expect(missing).toEqual([]);
  });
});

describe('the verifier', () => {
  it('accepts a sound graph', () => {
    expect(() => verify(sound(), 'nothing')).not.toThrow();
  });

  it.each<[string, (g: ReturnType<typeof sound>) => void, string]>([
    ['a use before its definition', (g) => replace(g, 1, { inputs: [2] }), 'uses node 2 before it'],
    ['a use of nothing', (g) => replace(g, 1, { inputs: [-1] }), 'uses node -1'],
    ['a wrong id', (g) => replace(g, 1, { id: 7 }), 'has id 7'],
    ['a wrong shape', (g) => replace(g, 1, { shape: [3, 2] }), 'should be float32[2,3]'],
    ['a wrong type', (g) => replace(g, 1, { dtype: 'int32' }), 'is int32[2,3]'],
    ['an operand too many', (g) => replace(g, 1, { inputs: [0, 0] }), 'has 2 operands, expected 1'],
    ['an unknown operation', (g) => replace(g, 1, { op: 'fma' }), 'is no operation'],
    ['an input that is none', (g) => g.inputs.push(1), 'is not input 1'],
    ['an input that is not there', (g) => g.inputs.push(9), 'is not input 1'],
    ['an input that is not listed', (g) => g.inputs.pop(), 'does not list'],
    ['an output that is not there', (g) => g.outputs.push(3), 'is an output but not a node'],
  ])('refuses %s', (_, change, message) => {
    expect(() => verify(damaged(change), 'a pass')).toThrow(message);
  });
});
