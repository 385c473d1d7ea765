import { ShapeError } from '../core/errors.ts';
import { type Tensor, tf } from '../jit/tf.ts';

/**
 * Per-level numbers (schedule, weights) of T levels as one constant matrix [T, K + T]: K columns
 * by name, then the identity. One gather per step then gives every coefficient of every sample
 * and its one-hot level.
 */
export interface LevelTable<K extends string> {
  readonly columns: readonly K[];
  readonly levels: number;
  readonly values: Float32Array;
}

/** @throws ShapeError when the columns differ in length. */
export function levelTable<K extends string>(
  columns: Readonly<Record<K, ArrayLike<number>>>,
): LevelTable<K> {
  const names = Object.keys(columns) as K[];
  const levels = columns[names[0]].length;
  const width = names.length + levels;
  const values = new Float32Array(levels * width);
  names.forEach((name, j) => {
    const column = columns[name];
    if (column.length !== levels) {
      throw new ShapeError(
        `levelTable: column '${name}' has ${column.length} levels, '${names[0]}' has ${levels}`,
      );
    }
    for (let t = 0; t < levels; t++) values[t * width + j] = column[t];
  });
  for (let t = 0; t < levels; t++) values[t * width + names.length + t] = 1;
  return { columns: names, levels, values };
}

/** Coefficients per sample, each [B, 1, ...] with `rank` axes, and the one-hot levels [B, T]. */
export interface Levels<K extends string> {
  readonly at: Readonly<Record<K, Tensor>>;
  readonly select: Tensor;
}

/** The rows of `table` for the levels `t` [B] (int32), shaped to broadcast against data. */
export function gatherLevels<K extends string>(
  table: LevelTable<K>,
  t: Tensor,
  rank = 2,
): Levels<K> {
  const { columns, levels, values } = table;
  const constants = tf.tensor2d(values, [levels, columns.length + levels]);
  const rows = tf.gather(constants, t as tf.Tensor1D);
  const parts: Tensor[] = tf.split(rows, [...columns.map(() => 1), levels], 1);
  const shape = [t.shape[0], ...new Array<number>(rank - 1).fill(1)];
  const at = Object.fromEntries(
    columns.map((name, i) => [name, rank === 2 ? parts[i] : tf.reshape(parts[i], shape)]),
  ) as Record<K, Tensor>;
  return { at, select: parts[columns.length] };
}
