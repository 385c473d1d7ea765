import { ConfigError } from '../../core/errors.ts';

/** One identity or inequality of the derivation, measured. */
export interface Check {
  /** Short name, unique in a list: `'A6'`, `'(16) exact encoder'`. */
  readonly id: string;
  /** What is claimed, in a line of text. */
  readonly claim: string;
  /** Where in the paper. */
  readonly equation: string;
  readonly left: number;
  readonly right: number;
  /** How far the claim is from holding; never negative. For an inequality: by how much it fails. */
  readonly residual: number;
  readonly tolerance: number;
  /** Of a Monte Carlo estimate: one standard error. */
  readonly standardError?: number;
  /** Quantities on the way to the two sides. */
  readonly terms: Readonly<Record<string, number>>;
  readonly holds: boolean;
}

interface Claim {
  readonly id: string;
  readonly claim: string;
  readonly equation: string;
  readonly terms?: Readonly<Record<string, number>>;
}

/** left = right up to `tolerance` (absolute). */
export function equality(
  what: Claim,
  left: number,
  right: number,
  tolerance: number,
  terms: Record<string, number> = {},
): Check {
  return finished(what, left, right, Math.abs(left - right), tolerance, terms);
}

/** left = right at every point; the two sides shown are those where they differ most. */
export function equalityEverywhere(
  what: Claim,
  left: ArrayLike<number>,
  right: ArrayLike<number>,
  tolerance: number,
  terms: Record<string, number> = {},
): Check {
  if (left.length !== right.length || left.length === 0) {
    throw new ConfigError(
      `${what.id}: the sides have ${left.length} and ${right.length} values; need as many, and some`,
    );
  }
  let worst = 0;
  let most = -1;
  for (let i = 0; i < left.length && !Number.isNaN(most); i++) {
    const difference = Math.abs(left[i] - right[i]);
    if (difference > most || Number.isNaN(difference)) [worst, most] = [i, difference];
  }
  return equality(what, left[worst], right[worst], tolerance, terms);
}

/** left ≥ right; `tolerance` is the rounding allowed to a case of equality. */
export function atLeast(
  what: Claim,
  left: number,
  right: number,
  tolerance: number,
  terms: Record<string, number> = {},
): Check {
  const short = Math.max(0, right - left);
  const residual = Number.isNaN(left - right) ? Number.NaN : short;
  return finished(what, left, right, residual, tolerance, { slack: left - right, ...terms });
}

/** Standard errors that an estimate may be away from what it estimates: 1 in 16 000 by chance. */
const ERRORS_ALLOWED = 4;

/** The mean of independent draws equals `exact`, within four standard errors of that mean. */
export function estimate(
  what: Claim,
  draws: ArrayLike<number>,
  exact: number,
  terms: Record<string, number> = {},
): Check {
  const { mean, standardError } = sampleMean(draws);
  const check = equality(what, mean, exact, ERRORS_ALLOWED * standardError, {
    draws: draws.length,
    ...terms,
  });
  return { ...check, standardError };
}

/** Mean of independent draws and its standard error, s/√n. @throws ConfigError below two draws. */
export function sampleMean(draws: ArrayLike<number>): { mean: number; standardError: number } {
  const n = draws.length;
  if (n < 2) throw new ConfigError(`sampleMean: need at least 2 draws, got ${n}`);
  let mean = 0;
  for (let i = 0; i < n; i++) mean += draws[i] / n;
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (draws[i] - mean) ** 2;
  return { mean, standardError: Math.sqrt(squares / (n - 1) / n) };
}

function finished(
  what: Claim,
  left: number,
  right: number,
  residual: number,
  tolerance: number,
  terms: Record<string, number>,
): Check {
  return { terms, ...what, left, right, residual, tolerance, holds: residual <= tolerance };
}

/** One line of the table at the end of the derivations. */
export interface CheckRow {
  readonly identity: string;
  readonly claim: string;
  readonly equation: string;
  readonly left: number;
  readonly right: number;
  readonly residual: number;
  readonly tolerance: number;
  /** Of a Monte Carlo estimate only. */
  readonly standardError?: number;
  readonly holds: string;
}

/** The checks made so far, each once: a cell that is run again replaces its own. */
export class CheckList {
  readonly #checks = new Map<string, Check>();

  /** Notes the checks and returns their rows, to be shown below the cell. */
  record(...checks: readonly Check[]): CheckRow[] {
    for (const check of checks) this.#checks.set(check.id, check);
    return checks.map(row);
  }

  rows(): CheckRow[] {
    return [...this.#checks.values()].map(row);
  }

  /** The checks that do not hold. */
  failures(): Check[] {
    return [...this.#checks.values()].filter((check) => !check.holds);
  }

  get size(): number {
    return this.#checks.size;
  }
}

function row(check: Check): CheckRow {
  const { id, claim, equation, left, right, residual, tolerance, standardError, holds } = check;
  const rounded = (value: number) => Number(value.toPrecision(2));
  return {
    identity: id,
    claim,
    equation,
    left,
    right,
    residual: rounded(residual),
    tolerance: rounded(tolerance),
    ...(standardError !== undefined && { standardError: rounded(standardError) }),
    holds: holds ? '✓' : '✗ no',
  };
}
