import type { DType } from '../../../core/host-tensor.ts';
import type { OpsOf } from '../plan/kinds.ts';

export interface ReductionRule {
  readonly identity: Readonly<Record<'float32' | 'int32', string>>;
  /** The accumulator with one more value. */
  combine(acc: string, value: string, dtype: DType): string;
  /** How OpenMP names it, for the partial accumulators of vector code. */
  readonly clause: Readonly<Record<'float32' | 'int32', string>>;
}

const extreme = (name: 'max' | 'min', float: string, int: string): ReductionRule => ({
  identity: { float32: float, int32: int },
  combine: (acc, v, dtype) => `${dtype === 'int32' ? 'g_i' : 'g_'}${name}(${acc}, ${v})`,
  clause: { float32: `g_${name}`, int32: name },
});

/** Integer sums and products wrap around: their accumulators are unsigned. */
export const REDUCTIONS: { readonly [K in OpsOf<'reduce'>]: ReductionRule } = {
  sum: {
    identity: { float32: '0.0f', int32: '0' },
    combine: (acc, v) => `${acc} + ${v}`,
    clause: { float32: '+', int32: '+' },
  },
  prod: {
    identity: { float32: '1.0f', int32: '1' },
    combine: (acc, v) => `${acc} * ${v}`,
    clause: { float32: '*', int32: '*' },
  },
  reduceMax: extreme('max', '-INFINITY', 'INT32_MIN'),
  reduceMin: extreme('min', 'INFINITY', 'INT32_MAX'),
};

export const accumulatorType = (op: OpsOf<'reduce'>, dtype: DType) =>
  dtype === 'float32' ? 'float' : op === 'sum' || op === 'prod' ? 'uint32_t' : 'int32_t';
