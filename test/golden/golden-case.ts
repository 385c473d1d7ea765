import type { GoldenFile } from './golden-file.ts';

/**
 * How far a value may lie from the reference:
 * - `rel-to-max`: max|a-b| <= value * max|b| of the tensor (absolute when b is all zero);
 * - `abs`: max|a-b| <= value;
 * - `rel`: |a-b| <= value * |b| for every element (b = 0 asks for an exact zero);
 * - `quantile`: the q-quantile of |a-b| <= value, for runs in which few elements may differ.
 * NaN equals NaN only, an infinity only itself.
 */
export type Tolerance =
  | { readonly kind: 'rel-to-max' | 'abs' | 'rel'; readonly value: number }
  | { readonly kind: 'quantile'; readonly q: number; readonly value: number };

/** One tensor of the file against ours. `name` is the tensor's name in the file. */
export interface NumericComparison {
  readonly name: string;
  readonly actual: ArrayLike<number> | number;
  readonly expected: ArrayLike<number> | number;
  readonly tolerance: Tolerance;
}

/** A yes-or-no check: a label, a digest, a refusal. `detail` is shown when it fails. */
export interface Check {
  readonly name: string;
  readonly pass: boolean;
  readonly detail?: string;
}

export type Comparison = NumericComparison | Check;

/** Comparisons for every `<prefix>*.safetensors`; the longest matching prefix wins. */
export interface GoldenCase {
  readonly prefix: string;
  /** Outputs that describe the reference run itself and are not for comparing, e.g. noise floors. */
  readonly given?: RegExp;
  run(file: GoldenFile): readonly Comparison[] | Promise<readonly Comparison[]>;
}

/** Comparisons for a subfolder of foreign files, by its exact name. */
export interface GoldenFolderCase {
  readonly folder: string;
  run(path: string): readonly Comparison[] | Promise<readonly Comparison[]>;
}

export function isCheck(c: Comparison): c is Check {
  return 'pass' in c;
}

/**
 * The error of a comparison as a share of its tolerance: at most 1 passes. Infinity for a wrong
 * number of elements or a NaN on one side.
 */
export function shareOfTolerance(c: Comparison): number {
  if (isCheck(c)) return c.pass ? 0 : Number.POSITIVE_INFINITY;
  const actual = typeof c.actual === 'number' ? [c.actual] : c.actual;
  const expected = typeof c.expected === 'number' ? [c.expected] : c.expected;
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  const errors = new Float64Array(expected.length);
  let scale = 0;
  for (let i = 0; i < errors.length; i++) {
    const a = actual[i];
    const b = expected[i];
    if (Number.isFinite(b)) scale = Math.max(scale, Math.abs(b));
    const d = Object.is(a, b) || a === b ? 0 : Math.abs(a - b);
    errors[i] = Number.isNaN(d) ? Number.POSITIVE_INFINITY : d;
    if (c.tolerance.kind === 'rel' && d !== 0) errors[i] /= Math.abs(b);
  }
  return measure(errors, scale || 1, c.tolerance) / c.tolerance.value;
}

function measure(errors: Float64Array, scale: number, tolerance: Tolerance): number {
  if (errors.length === 0) return 0;
  if (tolerance.kind === 'quantile') {
    const sorted = errors.sort();
    return sorted[Math.min(sorted.length - 1, Math.floor(tolerance.q * sorted.length))];
  }
  const worst = errors.reduce((m, e) => Math.max(m, e), 0);
  return tolerance.kind === 'rel-to-max' ? worst / scale : worst;
}

/** `rel-to-max 1e-5`, for the table. */
export function describeTolerance(c: Comparison): string {
  if (isCheck(c)) return 'exact';
  const { tolerance: t } = c;
  const kind = t.kind === 'quantile' ? `q${t.q}` : t.kind;
  return `${kind} ${t.value.toExponential().replace(/(\.\d{2})\d*/, '$1')}`;
}
