import fc from 'fast-check';
import { type DType, type HostTensor, sizeOf } from '../../src/core/host-tensor.ts';
import { integers, permutation, uniform } from '../../src/core/random.ts';
import type { Tensor } from '../../src/jit/index.ts';

/*
 * What the differential tests draw: shapes and attributes from fast-check, values from the
 * counter-based generator of src/core, so that a failing sample is named by its description.
 */

/** Value ranges that keep a distance from kinks and from the edges of domains. */
export const FILLS = {
  /** ±[0.1, 2]: both signs, away from zero. */
  real: (u: number) => (u < 0.5 ? -1 : 1) * (0.1 + 1.9 * Math.abs(2 * u - 1)),
  /** [0.4, 2.4] */
  positive: (u: number) => 0.4 + 2 * u,
  /** ±[0.1, 0.8]: inside the domain of asin and atanh. */
  unit: (u: number) => (u < 0.5 ? -1 : 1) * (0.1 + 0.7 * Math.abs(2 * u - 1)),
  /** [1.3, 3.3]: inside the domain of acosh. */
  aboveOne: (u: number) => 1.3 + 2 * u,
  /** Multiples of 0.3 with a little noise: off every half multiple by more than a test step. */
  grid: (u: number) => 0.3 * Math.round(14 * u - 7) + 0.02 * ((u * 1e4) % 1),
  /** As `grid`, moved by half a cell: never near a value of `grid`. */
  offGrid: (u: number) => 0.15 + 0.3 * Math.round(14 * u - 7) + 0.02 * ((u * 1e4) % 1),
  /** k + [0.15, 0.35]: away from whole and half numbers. */
  between: (u: number) => Math.floor(6 * u - 3) + 0.15 + 0.2 * ((u * 1e4) % 1),
} as const;

export type Fill = keyof typeof FILLS;

const key = (seed: number, stream: string) => ({ seed, stream, step: 0 });

/** A float argument; `distinct` values are a shuffled ladder with rungs 0.15 apart. */
export function floats(shape: readonly number[], fill: Fill | 'distinct', seed: number) {
  const size = sizeOf(shape);
  const data =
    fill === 'distinct'
      ? Float32Array.from(
          permutation(key(seed, 'order'), size),
          (v) => 0.15 * (v - size / 2) + 0.05,
        )
      : uniform(key(seed, fill), size).map(FILLS[fill]);
  return { data: Float32Array.from(data), shape, dtype: 'float32' as DType };
}

/** int32 values in [low, high). */
export function ints(shape: readonly number[], low: number, high: number, seed: number) {
  const draws = integers(key(seed, 'ints'), sizeOf(shape), high - low);
  return { data: Int32Array.from(draws, (v) => v + low), shape, dtype: 'int32' as DType };
}

export function bools(shape: readonly number[], seed: number): HostTensor {
  const draws = uniform(key(seed, 'bools'), sizeOf(shape));
  return { data: Uint8Array.from(draws, (u) => (u < 0.5 ? 0 : 1)), shape, dtype: 'bool' };
}

/** One concrete call of an op. */
export interface Sample {
  readonly args: readonly HostTensor[];
  readonly f: (...args: never[]) => Tensor | Tensor[];
  /** Run eagerly in place of `f`, where TensorFlow.js' own eager kernel is wrong. */
  readonly eager?: (...args: never[]) => Tensor | Tensor[];
  readonly text: string;
}

export interface Entry {
  readonly name: string;
  readonly samples: fc.Arbitrary<Sample>;
  /**
   * How often the op is differentiated: 2 unless it has no derivative (0). Float arguments are the
   * differentiated ones, but for those in `fixed`.
   */
  readonly order: 0 | 1 | 2;
  readonly fixed: readonly number[];
  /** Factor on the tolerances, for functions that amplify rounding. */
  readonly slack: number;
  /** In place of the eager value, where TensorFlow.js' own is an approximation. */
  readonly reference?: (x: number) => number;
  /** Why the gradients are not compared with finite differences, if they are not. */
  readonly noDifferences?: string;
}

export type Draw<A> = (drawn: A & { seed: number }) => Omit<Sample, 'text'>;

/** An entry of the table: `arbs` are drawn, together with a seed, and made into a call. */
export function entry<A extends Record<string, unknown>>(
  name: string,
  arbs: { [K in keyof A]: fc.Arbitrary<A[K]> },
  draw: Draw<A>,
  options: Partial<Omit<Entry, 'name' | 'samples'>> = {},
): Entry {
  const record = fc.record({ ...arbs, seed: fc.nat(1e6) } as never) as unknown as fc.Arbitrary<
    A & { seed: number }
  >;
  const samples = record.map((drawn) => ({ ...draw(drawn), text: JSON.stringify(drawn) }));
  return { name, samples, order: 2, fixed: [], slack: 1, ...options };
}

/** Sizes of an axis: one, odd and even. */
export const dim = fc.constantFrom(1, 2, 3, 4, 5);

export const shape = (minRank = 0, maxRank = 4) =>
  fc.array(dim, { minLength: minRank, maxLength: maxRank });

/** Two or more shapes that broadcast together: some axes shrunk to 1, leading ones dropped. */
export const broadcastable = (count: number) =>
  fc
    .record({
      full: shape(0, 4),
      ones: fc.array(fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), {
        minLength: count,
        maxLength: count,
      }),
      drop: fc.array(fc.nat(2), { minLength: count, maxLength: count }),
    })
    .map(({ full, ones, drop }) =>
      ones.map((flags, k) =>
        full.map((d, i) => (flags[i] ? 1 : d)).slice(Math.min(drop[k], full.length)),
      ),
    );

/** A shape and one of its axes, the axis sometimes counted from the end. */
export const withAxis = (minRank = 1, maxRank = 4) =>
  shape(minRank, maxRank).chain((s) =>
    fc.record({ shape: fc.constant(s), axis: fc.integer({ min: -s.length, max: s.length - 1 }) }),
  );

/** A shape and some of its axes (none and all included). */
export const withAxes = (minRank = 1, maxRank = 4) =>
  shape(minRank, maxRank).chain((s) =>
    fc.record({
      shape: fc.constant(s),
      axes: fc.subarray(
        s.map((_, i) => i),
        { minLength: 0 },
      ),
    }),
  );
