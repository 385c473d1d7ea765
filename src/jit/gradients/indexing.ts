import { type Tensor, tf } from '../tf.ts';
import { type GradientRules, throughComposition } from './define.ts';

/** Where element (row, indices[row, j]) of a [rows, n] matrix lies in the flattened matrix. */
function flatPositions(indices: Tensor, rows: number, n: number): Tensor {
  const starts = tf.range(0, rows * n, n, 'int32').reshape([rows, 1]);
  return indices.reshape([rows, -1]).add(starts);
}

/** x with axis `from` moved to `to`. */
function moveAxis(x: Tensor, from: number, to: number): Tensor {
  const perm = x.shape.map((_, i) => i).filter((i) => i !== from);
  perm.splice(to, 0, from);
  return x.transpose(perm);
}

const product = (dims: readonly number[]) => dims.reduce((p, d) => p * d, 1);

/** Gathering with leading batch axes as one gather of rows from a flattened table. */
function gatherBatched(x: Tensor, indices: Tensor, axis: number, batchDims: number): Tensor {
  const table = moveAxis(x, axis, batchDims);
  const batch = table.shape.slice(0, batchDims);
  const n = table.shape[batchDims];
  const rest = table.shape.slice(batchDims + 1);
  const inner = indices.shape.slice(batchDims);
  const at = flatPositions(indices, product(batch), n).flatten();
  const rows = tf.gather(table.reshape([product(batch) * n, ...rest]), at as tf.Tensor1D);
  const picked = rows.reshape([...batch, ...inner, ...rest]);
  // The gathered axes go where the axis was: behind what lay between it and the batch.
  const before = axis - batchDims;
  const k = inner.length;
  const perm = picked.shape.map((_, i) => {
    if (i < batchDims) return i;
    if (i < batchDims + before) return i + k;
    return i < batchDims + before + k ? i - before : i;
  });
  return picked.transpose(perm);
}

export const INDEXING_GRADIENTS: GradientRules = {
  // TensorFlow.js returns the indices themselves as their gradient, and knows one batch axis.
  GatherV2: {
    inputs: ['x', 'indices'],
    gradient: ([dy], [x, indices], { axis, batchDims }) => {
      const at = tf.util.parseAxisParam(axis, x.shape)[0];
      const batch = batchDims < 0 ? batchDims + indices.rank : (batchDims ?? 0);
      const gradient = () => {
        if (batch > 0) {
          return throughComposition((v) => gatherBatched(v, indices, at, batch), [x], dy)[0]();
        }
        const before = x.shape.slice(0, at);
        const after = x.shape.slice(at + 1);
        const updates = moveAxis(dy.reshape([...before, indices.size, ...after]), at, 0);
        const rows = indices.reshape([indices.size, 1]);
        const shape = [x.shape[at], ...before, ...after];
        return moveAxis(tf.scatterND(rows, updates, shape), 0, at);
      };
      return { x: gradient, indices: () => tf.zeros(indices.shape) };
    },
  },
  GatherNd: {
    inputs: ['params', 'indices'],
    gradient: ([dy], [params, indices]) => ({
      params: () => tf.scatterND(indices, dy, params.shape),
      indices: () => tf.zeros(indices.shape),
    }),
  },
  ScatterNd: {
    inputs: ['indices', 'updates'],
    gradient: ([dy], [indices]) => ({
      indices: () => tf.zeros(indices.shape),
      updates: () => tf.gatherND(dy, indices),
    }),
  },
  TopK: {
    inputs: ['x'],
    outputs: [false, true],
    gradient: ([dy], [x, indices]) => ({
      x: () => {
        const n = x.shape[x.rank - 1];
        const rows = x.size / n;
        const at = flatPositions(indices, rows, n);
        return tf.scatterND(at.reshape([-1, 1]), dy.flatten(), [x.size]).reshape(x.shape);
      },
    }),
  },
};
