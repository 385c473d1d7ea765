import { NumericError, ShapeError } from '../core/errors.ts';

/** How well scores separate in-distribution data (high) from out-of-distribution data (low). */
export interface Detection {
  /** P(s_in > s_out) + P(s_in = s_out) / 2. */
  readonly auroc: number;
  /** Average precision with in-distribution as the positive class: sum (R_k - R_{k-1}) P_k. */
  readonly auprIn: number;
  /** The same with out-of-distribution as the positive class and scores negated. */
  readonly auprOut: number;
  /**
   * Share of out-of-distribution data accepted at the highest threshold that accepts at least 95 %
   * of the in-distribution data.
   */
  readonly fpr95: number;
}

/**
 * All detection metrics of two sets of scores; equal scores share a threshold.
 * @throws ShapeError when a set is empty; NumericError for NaN.
 */
export function detection(inside: ArrayLike<number>, outside: ArrayLike<number>): Detection {
  const down = thresholds('detection', inside, outside);
  return {
    auroc: areaUnderRoc(down),
    auprIn: averagePrecision(down),
    auprOut: averagePrecision(reversed(down)),
    fpr95: falsePositiveRate(down, 0.95),
  };
}

/** P(s_in > s_out) + P(s_in = s_out) / 2. Errors as `detection`. */
export function auroc(inside: ArrayLike<number>, outside: ArrayLike<number>): number {
  return areaUnderRoc(thresholds('auroc', inside, outside));
}

/** Per distinct score from high to low: how many of either set have it. */
interface Thresholds {
  readonly positives: Float64Array;
  readonly negatives: Float64Array;
  readonly positiveTotal: number;
  readonly negativeTotal: number;
}

function thresholds(
  name: string,
  inside: ArrayLike<number>,
  outside: ArrayLike<number>,
): Thresholds {
  if (inside.length === 0 || outside.length === 0) {
    throw new ShapeError(
      `${name}: both sets need scores, got ${inside.length} inside and ${outside.length} outside`,
    );
  }
  const a = Float64Array.from(inside).sort().reverse();
  const b = Float64Array.from(outside).sort().reverse();
  // NaN sorts to the end, so reversed to the front.
  if (Number.isNaN(a[0]) || Number.isNaN(b[0])) throw new NumericError(`${name}: a score is NaN`);
  const positives: number[] = [];
  const negatives: number[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const score = Math.max(a[i] ?? Number.NEGATIVE_INFINITY, b[j] ?? Number.NEGATIVE_INFINITY);
    const [i0, j0] = [i, j];
    while (i < a.length && a[i] === score) i++;
    while (j < b.length && b[j] === score) j++;
    positives.push(i - i0);
    negatives.push(j - j0);
  }
  return {
    positives: Float64Array.from(positives),
    negatives: Float64Array.from(negatives),
    positiveTotal: a.length,
    negativeTotal: b.length,
  };
}

function reversed(t: Thresholds): Thresholds {
  return {
    positives: t.negatives.toReversed(),
    negatives: t.positives.toReversed(),
    positiveTotal: t.negativeTotal,
    negativeTotal: t.positiveTotal,
  };
}

function areaUnderRoc({ positives, negatives, positiveTotal, negativeTotal }: Thresholds): number {
  // Twice the number of pairs in order, an integer: no rounding before the last division.
  let above = 0;
  let pairs = 0;
  positives.forEach((p, k) => {
    pairs += negatives[k] * (2 * above + p);
    above += p;
  });
  return pairs / (2 * positiveTotal * negativeTotal);
}

function averagePrecision({ positives, negatives, positiveTotal }: Thresholds): number {
  let [accepted, correct, sum] = [0, 0, 0];
  positives.forEach((p, k) => {
    correct += p;
    accepted += p + negatives[k];
    sum += (p / positiveTotal) * (correct / accepted);
  });
  return sum;
}

function falsePositiveRate(t: Thresholds, recall: number): number {
  let [correct, wrong] = [0, 0];
  for (let k = 0; k < t.positives.length && correct < recall * t.positiveTotal; k++) {
    correct += t.positives[k];
    wrong += t.negatives[k];
  }
  return wrong / t.negativeTotal;
}
