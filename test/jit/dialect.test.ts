import { describe, expect, it } from 'vitest';
import { hostTensor, sizeOf } from '../../src/core/host-tensor.ts';
import { uniform } from '../../src/core/random.ts';
import { DIALECTS, type Dialect } from '../../src/jit/onnx/dialect.ts';
import { lowerToOnnx } from '../../src/jit/onnx/lower.ts';
import { OnnxSession } from '../../src/jit/run/session.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import { trace } from '../../src/jit/trace/tracer.ts';

/** The function on the processor, said in one dialect or another. */
function run(shape: number[], f: (x: Tensor) => Tensor[], dialect: Dialect) {
  const graph = trace([{ shape, dtype: 'float32' }], ([x]) => f(x));
  const model = lowerToOnnx(graph, 'dialect', undefined, dialect);
  const specs = graph.outputs.map((id) => graph.nodes[id]);
  const session = new OnnxSession(
    model.bytes,
    { inputs: 1, outputs: specs.length },
    { threads: 1 },
  );
  const x = uniform({ seed: 5, stream: 'dialect', step: 0 }, sizeOf(shape));
  const results = specs.map((s) => ({ ...s, data: new Float32Array(sizeOf(s.shape)) }));
  session.run([hostTensor(x, shape)], results);
  session.dispose();
  return { nodes: model.nodeCount, values: results.map(({ data }) => [...data]) };
}

function compare(shape: number[], f: (x: Tensor) => Tensor[]) {
  const [plain, other] = [DIALECTS.cpu, DIALECTS.webgpu].map((d) => run(shape, f, d));
  expect(other.values).toEqual(plain.values);
  return { plain: plain.nodes, other: other.nodes };
}

describe('the dialect of the WebGPU provider means the same', () => {
  it('concat of many operands is a tree of concats of at most eight', () => {
    const nodes = compare([70], (x) => [
      tf.concat(Array.from({ length: 70 }, (_, i) => tf.mul(x, i))),
    ]);
    // 70 operands: 9 groups, 2 groups of those, 1.
    expect(nodes.other - nodes.plain).toBe(9 + 2 + 1 - 1 - 1);
  });

  it('split into many pieces is a tree of splits of at most eight', () => {
    const nodes = compare([70, 2], (x) => tf.split(x, 70).map((piece) => tf.neg(piece)));
    expect(nodes.other).toBeGreaterThan(nodes.plain);
    compare([100], (x) => tf.split(x, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 45]).map((p) => tf.neg(p)));
  });

  it('slices that run backwards from inside', () => {
    const nodes = compare([5, 4, 3], (x) => [
      tf.stridedSlice(x, [3, 2, 0], [0, -5, 3], [-1, -2, 1]),
      tf.reverse(x, 1),
      tf.mirrorPad(x, [[1, 0], [2, 2], [0, 1]], 'reflect'), // biome-ignore format: pairs
    ]);
    expect(nodes.other).toBeGreaterThan(nodes.plain);
  });

  it('batched products, turned', () => {
    compare([3, 4, 4], (x) => [
      tf.matMul(x, x, true, false),
      tf.matMul(x, x, false, true),
      tf.matMul(x, x, true, true),
    ]);
  });
});
