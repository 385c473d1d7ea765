import { ConfigError, ShapeError } from '../core/errors.ts';

/** Labels 100 d0 + 10 d1 + d2 of StackedMNIST from digits [n, 3], one per colour channel. */
export function stackedLabels(digits: ArrayLike<number>): Int32Array {
  if (digits.length % 3 !== 0) {
    throw new ShapeError(`stackedLabels: expected triples of digits, got ${digits.length} values`);
  }
  for (let i = 0; i < digits.length; i++) {
    if (!Number.isInteger(digits[i]) || digits[i] < 0 || digits[i] > 9) {
      throw new ConfigError(`stackedLabels: a digit must be 0 .. 9, got ${digits[i]}`);
    }
  }
  return Int32Array.from(
    { length: digits.length / 3 },
    (_, i) => 100 * digits[3 * i] + 10 * digits[3 * i + 1] + digits[3 * i + 2],
  );
}

/** Relative frequencies of labels 0 .. classes-1. @throws ConfigError for any other label. */
export function labelFrequencies(labels: ArrayLike<number>, classes: number): Float64Array {
  if (labels.length === 0) throw new ShapeError('labelFrequencies: no labels');
  const out = new Float64Array(classes);
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i];
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new ConfigError(`labelFrequencies: a label must be 0 .. ${classes - 1}, got ${label}`);
    }
    out[label]++;
  }
  return out.map((c) => c / labels.length);
}

export interface LabelModes {
  /** Number of distinct generated labels. */
  readonly count: number;
  /** KL(generated || uniform) in nats (PacGAN's). A perfect sampler gives about (K - 1) / (2 n). */
  readonly klToUniform: number;
}

/** Modes found among `classes` labels (StackedMNIST: 1000) and their KL to the uniform law. */
export function labelModes(generated: ArrayLike<number>, classes: number): LabelModes {
  const q = labelFrequencies(generated, classes);
  return {
    count: q.reduce((c, v) => c + (v > 0 ? 1 : 0), 0),
    klToUniform: sharedKl(q, new Float64Array(classes).fill(1 / classes)),
  };
}

/**
 * sum p log(p / q) in nats over the labels that have both p > 0 and q > 0 (VERA's way with empty
 * labels). It equals KL(p || q) only when q covers p; otherwise the true divergence is infinite and
 * this sum too small: report the uncovered mass (`uncoveredMass`) beside it.
 */
export function sharedKl(p: ArrayLike<number>, q: ArrayLike<number>): number {
  if (p.length !== q.length) {
    throw new ShapeError(`sharedKl: ${p.length} and ${q.length} labels differ`);
  }
  let sum = 0;
  for (let k = 0; k < p.length; k++) if (p[k] > 0 && q[k] > 0) sum += p[k] * Math.log(p[k] / q[k]);
  return sum;
}

/** The share of p on labels where q is zero. */
export function uncoveredMass(p: ArrayLike<number>, q: ArrayLike<number>): number {
  let sum = 0;
  for (let k = 0; k < p.length; k++) if (!(q[k] > 0)) sum += p[k];
  return sum;
}

export interface ModeCoverage {
  /** Number of modes with at least one sample within the threshold. */
  readonly covered: number;
  readonly modes: number;
  /** Share of all samples within the threshold of their nearest centre ("high quality"). */
  readonly share: number;
  /** Samples within the threshold, per mode. */
  readonly counts: Int32Array;
  /** The threshold in units of sd. */
  readonly threshold: number;
}

/**
 * Coverage of a mixture in the plane by samples x0, y0, x1, y1, ...: a sample belongs to its nearest
 * centre when its Euclidean distance is at most `threshold` sd (4 by default; a sample of the
 * mixture itself passes with probability 1 - exp(-8) = 0.99966).
 * @throws ShapeError for coordinates that are no pairs or no samples or centres at all; samples that
 * are NaN count as outside.
 */
export function modeCoverage(
  samples: ArrayLike<number>,
  centres: ArrayLike<number>,
  sd: number,
  threshold = 4,
): ModeCoverage {
  const n = samples.length / 2;
  const modes = centres.length / 2;
  if (!Number.isInteger(n) || !Number.isInteger(modes) || n === 0 || modes === 0) {
    throw new ShapeError(
      `modeCoverage: expected pairs, got ${samples.length} sample and ${centres.length} centre values`,
    );
  }
  const counts = new Int32Array(modes);
  const limit = (threshold * sd) ** 2;
  for (let i = 0; i < n; i++) {
    let nearest = -1;
    let best = Number.POSITIVE_INFINITY;
    for (let k = 0; k < modes; k++) {
      const dx = samples[2 * i] - centres[2 * k];
      const dy = samples[2 * i + 1] - centres[2 * k + 1];
      const square = dx * dx + dy * dy;
      if (square < best) {
        best = square;
        nearest = k;
      }
    }
    if (best <= limit) counts[nearest]++;
  }
  const good = counts.reduce((a, b) => a + b, 0);
  const covered = counts.reduce((c, v) => c + (v > 0 ? 1 : 0), 0);
  return { covered, modes, share: good / n, counts, threshold };
}
