import { ConfigError } from '../core/errors.ts';

/**
 * Bits per dimension of a log-density in nats: −log₂ p(x)/n + log₂ levels, where a dimension in
 * [0, 1] was dequantised from `levels` values (256 for bytes). With `levels` = 1 the density is
 * taken as it is. The density must be per unit of x itself, not of a logit.
 */
export function bitsPerDim(nats: number, dim: number, levels = 256): number {
  checkDim('bitsPerDim', dim, levels);
  return -nats / (dim * Math.LN2) + Math.log2(levels);
}

/** The inverse of `bitsPerDim`: nats of the whole sample. */
export function natsFromBitsPerDim(bits: number, dim: number, levels = 256): number {
  checkDim('natsFromBitsPerDim', dim, levels);
  return (Math.log2(levels) - bits) * dim * Math.LN2;
}

/** Mean and the standard error of that mean. */
export function meanAndError(values: ArrayLike<number>): { mean: number; error: number } {
  const n = values.length;
  let [sum, square] = [0, 0];
  for (let i = 0; i < n; i++) sum += values[i];
  const mean = sum / n;
  for (let i = 0; i < n; i++) square += (values[i] - mean) ** 2;
  return { mean, error: n > 1 ? Math.sqrt(square / (n - 1) / n) : Number.NaN };
}

function checkDim(caller: string, dim: number, levels: number): void {
  if (!Number.isInteger(dim) || dim < 1) {
    throw new ConfigError(`${caller}: dim must be a positive integer, got ${dim}`);
  }
  if (!(levels >= 1)) throw new ConfigError(`${caller}: levels must be at least 1, got ${levels}`);
}
