import { ConfigError } from '../../core/errors.ts';
import { expectation, integral, logIntegral, tabulate, type Values } from './line.ts';
import { logNormal } from './mixture.ts';
import { type At, checkedLevel, type TestBed } from './test-bed.ts';

/** A function of (x, z): entry i·nz + k belongs to x_i and z_k. */
export type Table = Float64Array;

/** The generator's distribution (9) at one x_{t+1}, all in logarithms. */
export interface GeneratorTable {
  /** log p(z), [nz]. */
  readonly logPrior: Values;
  /** log p_φ(x_t | x_{t+1}, z). */
  readonly logGiven: Table;
  /** log p_φ(x_t | x_{t+1}), [nx]. */
  readonly logDensity: Values;
  /** log p_φ(z | x_t, x_{t+1}). */
  readonly logLatent: Table;
}

/**
 * Tabulates p_φ.
 * @throws ConfigError where the grids are too narrow for the generator, or too coarse for the
 * posterior's variance, as the default ones are at t = 0, where it is about 1e-4.
 */
export function generatorTable(bed: TestBed, { t, xNext }: At): GeneratorTable {
  checkedLevel(bed, t);
  const { c1, c2, variance } = bed.posterior;
  const logPrior = tabulate(bed.z, (z) => logNormal(z, 0, 1));
  const means = tabulate(bed.z, (z) => c1[t] * bed.generator(z, xNext) + c2[t] * xNext);
  checkResolution(bed, t, means);
  const nz = bed.z.x.length;
  const logGiven = table(bed, (x, k) => logNormal(x, means[k], variance[t]));
  const logDensity = bed.x.x.map((_, i) =>
    logIntegral(
      bed.z,
      logPrior.map((p, k) => p + logGiven[i * nz + k]),
    ),
  );
  checkMass(bed, logDensity);
  const logLatent = logGiven.map(
    (value, at) => value + logPrior[at % nz] - logDensity[Math.floor(at / nz)],
  );
  return { logPrior, logGiven, logDensity, logLatent };
}

/** A Gaussian summed at steps of its deviation is off by 5e-9, at wider steps soon by much. */
function checkResolution(bed: TestBed, t: number, means: Values): void {
  const sd = Math.sqrt(bed.posterior.variance[t]);
  const jump = means.reduce(
    (most, m, k) => Math.max(most, Math.abs(m - means[Math.max(0, k - 1)])),
    0,
  );
  if (bed.x.step <= sd && jump <= sd) return;
  throw new ConfigError(
    `generatorTable: at t = ${t} the posterior has deviation ${sd.toPrecision(3)}, but x has step ` +
      `${bed.x.step.toPrecision(3)} and the mean moves by up to ${jump.toPrecision(3)} per step of z; ` +
      'use t ≥ 1, or more points in the lines x and z of the test bed',
  );
}

/** Mass outside the line, or latents outside theirs: the identities would fail for that alone. */
function checkMass(bed: TestBed, logDensity: Values): void {
  const mass = integral(bed.x, logDensity.map(Math.exp));
  if (Math.abs(mass - 1) < 1e-10) return;
  throw new ConfigError(
    `generatorTable: the generator has mass ${mass} on x from ${bed.x.x[0]} to ${bed.x.x.at(-1)}, ` +
      `with z from ${bed.z.x[0]} to ${bed.z.x.at(-1)}; it must be 1 up to 1e-10, so make the lines ` +
      'x and z of the test bed wider',
  );
}

/** log q_ψ(z | x_t, x_{t+1}) of the bed's encoder. */
export function encoderTable(bed: TestBed, { xNext }: At, encoder = bed.encoder): Table {
  const moments = Array.from(bed.x.x, (x) => encoder(x, xNext));
  return table(bed, (_x, k, i) => logNormal(bed.z.x[k], moments[i].mean, moments[i].variance));
}

/** The Gaussian with the mean and variance of p_φ(z | x_t, x_{t+1}): the best of all Gaussians. */
export function momentMatchedEncoder(bed: TestBed, { logLatent }: GeneratorTable): Table {
  const nz = bed.z.x.length;
  const moments = Array.from(bed.x.x, (_, i) => {
    const density = logLatent.subarray(i * nz, (i + 1) * nz).map(Math.exp);
    const mean = expectation(bed.z, density, bed.z.x);
    const square = expectation(
      bed.z,
      density,
      tabulate(bed.z, (z) => (z - mean) ** 2),
    );
    return { mean, variance: square };
  });
  return table(bed, (_x, k, i) => logNormal(bed.z.x[k], moments[i].mean, moments[i].variance));
}

/** An encoder that ignores its input. */
export function priorEncoder(bed: TestBed, { logPrior }: GeneratorTable): Table {
  return table(bed, (_x, k) => logPrior[k]);
}

function table(bed: TestBed, f: (x: number, k: number, i: number) => number): Table {
  const nz = bed.z.x.length;
  const out = new Float64Array(bed.x.x.length * nz);
  bed.x.x.forEach((x, i) => {
    for (let k = 0; k < nz; k++) out[i * nz + k] = f(x, k, i);
  });
  return out;
}

/** E_{p_φ(x_t, z | x_{t+1})} of a table. */
export function jointExpectation(bed: TestBed, { logPrior, logGiven }: GeneratorTable, f: Table) {
  const nz = bed.z.x.length;
  let sum = 0;
  for (let at = 0; at < f.length; at++) {
    const weight = Math.exp(logGiven[at] + logPrior[at % nz]);
    if (weight !== 0) sum += weight * f[at];
  }
  return sum * bed.x.step * bed.z.step;
}
