import { sizeOf } from '../../../core/host-tensor.ts';
import type { GraphBuilder } from '../../ir/builder.ts';
import { tf } from '../../tf.ts';
import { traceError } from '../caller.ts';
import type { TraceRule } from '../rules.ts';
import { reshape, transpose } from './shape.ts';

/*
 * tf.einsum of one or two operands as at most one matrix product. Labels fall into four groups:
 * kept by both operands (batch), summed over both (contracted), and kept by one only.
 */

const NONE = {};

interface Term {
  readonly labels: string;
  readonly node: number;
}

const select = (labels: string, keep: (label: string) => boolean) =>
  [...labels].filter(keep).join('');

/** Sums over the labels that appear nowhere else. */
function dropUnused(b: GraphBuilder, { labels, node }: Term, needed: string): Term {
  const axes = [...labels].flatMap((l, i) => (needed.includes(l) ? [] : [i]));
  if (axes.length === 0) return { labels, node };
  const kept = select(labels, (l) => needed.includes(l));
  return { labels: kept, node: b.add('sum', [node], { axes, keepDims: false }) };
}

const arrange = (b: GraphBuilder, { labels, node }: Term, order: string) =>
  transpose(
    b,
    node,
    [...order].map((l) => labels.indexOf(l)),
  );

function contract(b: GraphBuilder, left: Term, right: Term, output: string): number {
  const size = (l: string) => {
    const term = left.labels.includes(l) ? left : right;
    return b.shape(term.node)[term.labels.indexOf(l)];
  };
  const dims = (labels: string) => [...labels].map(size);
  const batch = select(left.labels, (l) => right.labels.includes(l) && output.includes(l));
  const summed = select(left.labels, (l) => right.labels.includes(l) && !output.includes(l));
  const rows = select(left.labels, (l) => !right.labels.includes(l));
  const cols = select(right.labels, (l) => !left.labels.includes(l));
  const labels = batch + rows + cols;
  let node: number;
  if (summed === '') {
    const spread = [...dims(batch + rows), ...dims(cols).map(() => 1)];
    const a = reshape(b, arrange(b, left, batch + rows), spread);
    const c = reshape(b, arrange(b, right, batch + cols), [
      ...dims(batch),
      ...dims(rows).map(() => 1),
      ...dims(cols),
    ]);
    node = b.add('mul', [a, c], NONE);
  } else {
    const [m, n, k] = [rows, cols, summed].map((g) => sizeOf(dims(g)));
    const lead = batch === '' ? [] : [sizeOf(dims(batch))];
    const a = reshape(b, arrange(b, left, batch + rows + summed), [...lead, m, k]);
    const c = reshape(b, arrange(b, right, batch + summed + cols), [...lead, k, n]);
    const product = b.add('matmul', [a, c], { transA: false, transB: false });
    node = reshape(b, product, dims(labels));
  }
  return arrange(b, { labels, node }, output);
}

export const EINSUM_RULES: Record<string, TraceRule> = {
  Einsum: (b, inputs, attrs) => {
    const nodes = Object.values(inputs);
    const equation = attrs.equation.replaceAll(/\s/g, '') as string;
    const { allDims, idDims } = tf.backend_util.decodeEinsumEquation(equation, nodes.length);
    tf.backend_util.checkEinsumDimSizes(
      allDims.length,
      idDims,
      nodes.map((id) => ({ shape: [...b.shape(id)] }) as tf.Tensor),
    );
    const [operands, output] = equation.split('->');
    if (new Set(output).size !== output.length) {
      throw traceError('einsum', `repeats a label in the output of '${equation}'`);
    }
    const labels = operands.split(',');
    const terms = nodes.map((node, i) => {
      const elsewhere = output + (labels[1 - i] ?? '');
      return dropUnused(b, { labels: labels[i], node }, elsewhere);
    });
    if (terms.length === 1) return arrange(b, terms[0], output);
    return contract(b, terms[0], terms[1], output);
  },
};
