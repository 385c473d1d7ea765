import type { Graph, Node } from '../ir/ops.ts';
import { type Rewriter, rewriteNodes } from '../passes/rewriter.ts';
import { type ConvNode, convCallOf, isConvolution, roundsConvolution } from './conv/call.ts';

type Dims = readonly number[];

/** Columns of one operand at which rounding the other costs less than the faster product saves. */
const WORTH_ROUNDING = 64;

/**
 * Whether the operands of a product are rounded where precision `bfloat16` is chosen. Measured on an
 * AMD EPYC with AVX512-BF16: below this, rounding takes what the product gains.
 */
export function roundsOperands(shape: Dims, k: number): boolean {
  const [m, n] = shape.slice(-2);
  return k >= WORTH_ROUNDING && m * n >= WORTH_ROUNDING * (m + n);
}

/**
 * An optimised graph with the operands of its large products and convolutions rounded to eight bits of mantissa: what
 * precision `bfloat16` computes, said in float32 for an executor that knows only that. Rounding is
 * Veltkamp's (c = (2¹⁶ + 1)·x; c − (c − x)), to the nearest but for ties; beyond 2¹¹¹ it overflows.
 */
export function withRoundedOperands(graph: Graph): Graph {
  return rewriteNodes(graph, (r, node, map) => {
    if (isConvolution(node)) return convolution(r, node, map);
    if (node.op !== 'matmul' && node.op !== 'gemm') return undefined;
    const { op, inputs, shape, attrs } = node as Node<'matmul' | 'gemm'>;
    const a = r.shape(map[inputs[0]]);
    if (!roundsOperands(shape, a[a.length - (attrs.transA ? 2 : 1)])) return undefined;
    const ids = inputs.map((i, at) => (at < 2 ? rounded(r, map[i]) : map[i]));
    return r.emit(op, ids, attrs);
  });
}

function convolution(r: Rewriter, node: ConvNode, map: readonly number[]): number | undefined {
  const { op, inputs, attrs } = node;
  const call = convCallOf(node, r.shape(map[inputs[0]]), r.shape(map[inputs[1]]));
  if (!roundsConvolution(call)) return undefined;
  const ids = inputs.map((i, at) => (at < 2 ? rounded(r, map[i]) : map[i]));
  return r.emit(op, ids, attrs as never);
}

function rounded(r: Rewriter, x: number): number {
  const far = r.emit('mul', [x, r.splat(2 ** 16 + 1, [], 'float32')], {});
  return r.emit('sub', [far, r.emit('sub', [far, x], {})], {});
}
