import { ConfigError, ShapeError } from '../core/errors.ts';

export interface InceptionScore {
  /** Mean over the splits. */
  readonly mean: number;
  /** Population standard deviation over the splits; 0 for one split. */
  readonly std: number;
  readonly splits: readonly number[];
}

/**
 * exp E_x KL(p(y|x) || p(y)) from classifier logits [n, classes] (Salimans et al. 2016), per
 * contiguous split [floor(i n / splits), floor((i + 1) n / splits)), softmax in float64.
 * @throws ShapeError when the length is no multiple of `classes`; ConfigError for `splits` outside
 * 1 .. n.
 */
export function inceptionScore(
  logits: ArrayLike<number>,
  classes: number,
  splits = 1,
): InceptionScore {
  const n = logits.length / classes;
  if (!Number.isInteger(n) || n === 0) {
    throw new ShapeError(`inceptionScore: ${logits.length} values are not rows of ${classes}`);
  }
  if (!Number.isInteger(splits) || splits < 1 || splits > n) {
    throw new ConfigError(`inceptionScore: splits must lie in 1 .. ${n}, got ${splits}`);
  }
  const scores = Array.from({ length: splits }, (_, i) =>
    scoreOf(logits, classes, Math.floor((i * n) / splits), Math.floor(((i + 1) * n) / splits)),
  );
  const mean = scores.reduce((a, b) => a + b) / splits;
  const variance = scores.reduce((a, b) => a + (b - mean) ** 2, 0) / splits;
  return { mean, std: Math.sqrt(variance), splits: scores };
}

/** E_x KL(p(y|x) || p(y)) = H(E_x p(y|x)) - E_x H(p(y|x)). */
function scoreOf(logits: ArrayLike<number>, classes: number, begin: number, end: number): number {
  const marginal = new Float64Array(classes);
  let negativeEntropy = 0;
  for (let i = begin; i < end; i++) {
    const at = i * classes;
    let largest = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < classes; k++) largest = Math.max(largest, logits[at + k]);
    let total = 0;
    for (let k = 0; k < classes; k++) total += Math.exp(logits[at + k] - largest);
    const logTotal = Math.log(total);
    for (let k = 0; k < classes; k++) {
      const logP = logits[at + k] - largest - logTotal;
      const p = Math.exp(logP);
      marginal[k] += p;
      if (p > 0) negativeEntropy += p * logP;
    }
  }
  const n = end - begin;
  let entropy = 0;
  for (const m of marginal) if (m > 0) entropy -= (m / n) * Math.log(m / n);
  return Math.exp(negativeEntropy / n + entropy);
}
