import fc from 'fast-check';
import { type HostTensor, sizeOf } from '../../src/core/host-tensor.ts';
import { GraphBuilder } from '../../src/jit/ir/builder.ts';
import {
  ARITHMETIC,
  COMPARISON,
  FLOAT_UNARY,
  type Graph,
  LOGICAL,
  NUMERIC_UNARY,
  REDUCTION,
} from '../../src/jit/ir/ops.ts';
import { lowerToOnnx } from '../../src/jit/onnx/lower.ts';
import { OnnxSession } from '../../src/jit/run/session.ts';
import { floats } from './sample.ts';

/*
 * Random graphs of the IR. A program is a list of small numbers; each instruction takes its
 * operation, operands and attributes from the next few, so that every list is a valid graph and
 * fast-check can shrink a failing one.
 */

export type Program = readonly number[];

export const programs = fc.array(fc.nat(1e6), { minLength: 6, maxLength: 400, size: 'max' });

/** Functions that are smooth and bounded enough to compare after several in a row. */
const UNARY = ([...FLOAT_UNARY, ...NUMERIC_UNARY] as const).filter((op) =>
  [
    'sin',
    'cos',
    'tanh',
    'sigmoid',
    'erf',
    'atan',
    'neg',
    'abs',
    'square',
    'relu',
    'softplus',
  ].includes(op),
);
const BINARY = ARITHMETIC.filter((op) => op !== 'pow' && op !== 'mod');

class Reader {
  private at = 0;
  private readonly program: Program;

  constructor(program: Program) {
    this.program = program;
  }

  get done(): boolean {
    return this.at >= this.program.length;
  }

  /** The next number below `n`. */
  below(n: number): number {
    return (this.program[this.at++] ?? 0) % n;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }
}

const SHAPES = [[], [1], [3], [2, 3], [3, 1], [1, 3], [2, 1, 3], [2, 3, 2], [3, 3]] as const;

interface Build {
  readonly b: GraphBuilder;
  readonly r: Reader;
  /** Any float node so far. */
  any(): number;
}

/** A constant, uniform or not; often one of the values that rules look for. */
function constant({ b, r }: Build): number {
  const shape = r.pick(SHAPES);
  if (r.below(3) === 0) return b.const(floats(shape, 'real', r.below(99)).data, shape, 'float32');
  return b.splat(r.pick([0, 1, -1, 2, 0.5, -0]), shape);
}

/** Operands of equal shape, or one that broadcasts. */
function mate({ b, r, any }: Build, a: number): number {
  const candidate = any();
  const shape = b.shape(a);
  const fits = b.shape(candidate).every((d, i, s) => {
    const at = shape.length - s.length + i;
    return at < 0 || d === 1 || shape[at] === 1 || d === shape[at];
  });
  return fits ? candidate : b.splat(r.pick([0, 1, 2, -1]));
}

type Instruction = (s: Build) => number;

const INSTRUCTIONS: readonly Instruction[] = [
  ({ b, r, any }) => b.add(r.pick(UNARY), [any()], {}),
  ({ b, any }) => b.add('neg', [any()], {}),
  (s) => {
    const a = s.any();
    const op = s.r.pick(BINARY);
    const c = mate(s, a);
    // A divisor away from zero.
    const divisor =
      op === 'div' ? s.b.add('add', [s.b.add('square', [c], {}), s.b.splat(1)], {}) : c;
    return s.b.add(op, s.r.below(2) === 0 || op === 'div' ? [a, divisor] : [divisor, a], {});
  },
  ({ b, r, any }) => {
    const x = b.add('add', [b.add('square', [any()], {}), b.splat(0.5)], {});
    return b.add('pow', [x, b.splat(r.pick([0, 0.5, 1, 2, 3, -0.5, -1, 1.5]))], {});
  },
  (s) => {
    const a = s.any();
    const c = mate(s, a);
    const test = s.b.add(s.r.pick(COMPARISON), [a, c], {});
    const both = s.b.add(s.r.pick(LOGICAL), [test, s.b.add('not', [test], {})], {});
    return s.b.add('select', [s.r.below(3) === 0 ? both : test, a, mate(s, test)], {});
  },
  ({ b, r, any }) => {
    const x = any();
    const axes = b.shape(x).flatMap((_, i) => (r.below(2) === 0 ? [i] : []));
    const op = r.pick(REDUCTION);
    // Nothing has no maximum, and products of many factors vanish.
    const total = op === 'prod' || sizeOf(b.shape(x)) === 0;
    return b.add(total ? 'sum' : op, [x], { axes, keepDims: r.below(2) === 0 });
  },
  ({ b, r, any }) => {
    const x = any();
    const shape = [...b.shape(x)];
    const at = r.below(shape.length + 1);
    if (shape[at] === 1 && r.below(2) === 0) shape.splice(at, 1);
    else if (r.below(2) === 0) shape.splice(at, 0, 1);
    else return b.add('reshape', [x], { shape: [sizeOf(shape)] });
    return b.add('reshape', [x], { shape });
  },
  ({ b, r, any }) => {
    const x = any();
    const perm = b.shape(x).map((_, i) => i);
    for (let i = perm.length - 1; i > 0; i--) perm.push(...perm.splice(r.below(i + 1), 1));
    return b.add('transpose', [x], { perm });
  },
  ({ b, r, any }) => {
    const x = any();
    const wide = b.shape(x).map((d) => (d === 1 ? r.pick([1, 3]) : d));
    return b.add('broadcast', [x], {
      shape: r.below(2) === 0 && wide.length < 4 ? [2, ...wide] : wide,
    });
  },
  ({ b, r, any }) => {
    const x = any();
    const spans = b.shape(x).map((d) => {
      const stride = r.pick([1, 1, 2, -1]);
      if (d === 0 || (d > 1 && r.below(2 * d) === 0)) return { begin: 0, size: 0, stride };
      const size = 1 + r.below(Math.ceil(d / Math.abs(stride)));
      const reach = (size - 1) * Math.abs(stride);
      const low = r.below(d - reach);
      return { begin: stride > 0 ? low : low + reach, size, stride };
    });
    return b.add('slice', [x], {
      begin: spans.map((s) => s.begin),
      size: spans.map((s) => s.size),
      strides: spans.map((s) => s.stride),
    });
  },
  ({ b, r, any }) => {
    const x = any();
    const pads = () => b.shape(x).map(() => r.pick([0, 0, 1]));
    return b.add('pad', [x], { before: pads(), after: pads(), value: r.pick([0, 1]) });
  },
  ({ b, r, any }) => {
    const x = any();
    const rank = b.shape(x).length;
    if (rank === 0) return b.add('reshape', [x], { shape: [1] });
    const axis = r.below(rank);
    const parts = [x, r.below(2) === 0 ? x : b.splat(r.pick([0, 1]), b.shape(x)), x];
    return b.add('concat', parts.slice(0, 1 + r.below(3)), { axis });
  },
  // A product with itself, both factors flagged or transposed, with an addend now and then.
  ({ b, r, any }) => {
    const x = any();
    const size = sizeOf(b.shape(x));
    const cols = size % 3 === 0 && size > 0 ? 3 : 1;
    const a = b.add('reshape', [x], { shape: [size / cols, cols] });
    const c = r.below(2) === 0 ? a : b.add('neg', [a], {});
    const [transA, transB] = [r.below(2) === 0, r.below(2) === 0];
    const turned = (y: number) => b.add('transpose', [y], { perm: [1, 0] });
    const left = transA ? a : turned(a);
    const right = transB ? turned(c) : c;
    const product = b.add('matmul', [left, right], { transA, transB });
    return r.below(2) === 0 ? b.add('add', [product, mateOf(b, product)], {}) : product;
  },
  (s) => constant(s),
  // Pieces of one value side by side, with gaps, overlaps and repetitions.
  ({ b, r, any }) => {
    const x = any();
    const shape = b.shape(x);
    const axis = r.below(Math.max(1, shape.length));
    if ((shape[axis] ?? 0) < 2) return b.add('neg', [x], {});
    const pieces = Array.from({ length: 2 + r.below(2) }, () => {
      const at = r.below(shape[axis]);
      const length = 1 + r.below(shape[axis] - at);
      return b.add('slice', [x], {
        begin: shape.map((_, i) => (i === axis ? at : 0)),
        size: shape.map((d, i) => (i === axis ? length : d)),
        strides: shape.map(() => 1),
      });
    });
    return b.add('concat', pieces, { axis });
  },
];

/** Something that may be folded into a product as its addend. */
const mateOf = (b: GraphBuilder, product: number) =>
  b.add('sum', [product], { axes: [0], keepDims: false });

/** The instructions that only move data. */
const MOVES = [6, 7, 7, 7, 8, 9, 9, 10, 11, 14].map((i) => INSTRUCTIONS[i]);

/** Two or three moves of the same data, one after another: what rules merge. */
function moveTwice(s: Build): number {
  let id = s.any();
  for (let n = 2 + s.r.below(2); n > 0; n--) {
    const last = id;
    id = s.r.pick(MOVES)({ ...s, any: () => last });
  }
  return id;
}

const MOST_ELEMENTS = 400;

export function buildGraph(program: Program): Graph {
  const b = new GraphBuilder();
  const r = new Reader(program);
  const nodes = [
    b.input([2, 3], 'float32'),
    b.input([3], 'float32'),
    b.input([2, 1, 3], 'float32'),
    b.input([5, 4], 'float32'),
    b.input([2, 3, 4], 'float32'),
  ];
  const any = () => nodes[nodes.length - 1 - r.below(Math.min(6, nodes.length))];
  while (!r.done) {
    const s = { b, r, any };
    const id = r.below(3) === 0 ? moveTwice(s) : r.pick(INSTRUCTIONS)(s);
    // tanh keeps magnitudes and with them rounding errors small.
    if (sizeOf(b.shape(id)) <= MOST_ELEMENTS) nodes.push(b.add('tanh', [id], {}), id);
  }
  return b.finish(nodes.slice(-6));
}

/** Graphs with the same arguments as one, that has all their results. */
export function mergeGraphs(graphs: readonly Graph[]): Graph {
  const b = new GraphBuilder();
  const inputs = graphs[0].inputs.map((id) => {
    const { shape, dtype } = graphs[0].nodes[id];
    return b.input(shape, dtype);
  });
  const outputs = graphs.flatMap((graph) => {
    const map: number[] = [];
    for (const node of graph.nodes) {
      map[node.id] =
        node.op === 'input'
          ? inputs[node.attrs.index]
          : b.add(
              node.op,
              node.inputs.map((i) => map[i]),
              node.attrs as never,
            );
    }
    return graph.outputs.map((id) => map[id]);
  });
  return b.finish(outputs);
}

/** The outputs of a graph, run as it stands. */
export function runGraph(graph: Graph, inputs: readonly HostTensor[]): Float32Array[] {
  const counts = { inputs: inputs.length, outputs: graph.outputs.length };
  const session = new OnnxSession(lowerToOnnx(graph, 'fuzz').bytes, counts, { threads: 1 });
  return runSession(session, graph, inputs);
}

/** The outputs of a graph by what it was compiled to, which is disposed. */
export function runSession(
  session: Pick<OnnxSession, 'run' | 'dispose'>,
  graph: Graph,
  inputs: readonly HostTensor[],
): Float32Array[] {
  const outputs = graph.outputs.map((id) => {
    const { shape, dtype } = graph.nodes[id];
    return { data: new Float32Array(sizeOf(shape)), shape, dtype };
  });
  session.run(inputs, outputs);
  session.dispose();
  return outputs.map(({ data }) => data);
}

export const graphInputs = (): HostTensor[] => [
  floats([2, 3], 'real', 1),
  floats([3], 'real', 2),
  floats([2, 1, 3], 'real', 3),
  floats([5, 4], 'real', 4),
  floats([2, 3, 4], 'real', 5),
];
