import { toyLogDensity, toyModes } from '../datasets/toy-density.ts';
import { type Grid, gridPoints, klOnGrid, normaliseOnGrid } from '../metrics/grid.ts';

/** D(data || model) on a grid, by what the model is wrong about; nat. All parts are at least 0. */
export interface DivergenceParts {
  /** `outside + between + within`. */
  readonly total: number;
  /** Mass far from every mode. */
  readonly outside: number;
  /** Weights of the modes. */
  readonly between: number;
  /** Shapes of the modes, and of what is far from all. */
  readonly within: number;
}

/** What belongs to a mode: this many standard deviations around its centre. */
const REACH = 4;

/**
 * The divergence of a model of 25 Gaussians by the chain rule over a partition of the grid: a region
 * per mode, four standard deviations wide, and the rest.
 * @param logDensity of the model up to a constant, on the grid.
 * @throws as `normaliseOnGrid`.
 */
export function divergenceParts(logDensity: ArrayLike<number>, grid: Grid): DivergenceParts {
  const { centres, sd } = toyModes('25gaussians');
  const points = gridPoints(grid);
  const data = normaliseOnGrid(toyLogDensity('25gaussians', points), grid);
  const model = normaliseOnGrid(logDensity, grid);
  const modes = centres.length / 2;
  const q = new Float64Array(modes + 1);
  const p = new Float64Array(modes + 1);
  let total = 0;
  data.mass.forEach((mass, i) => {
    const region = regionOf(points[2 * i], points[2 * i + 1], centres, REACH * sd);
    q[region] += mass;
    p[region] += model.mass[i];
    if (mass > 0) total += mass * (data.logDensity[i] - model.logDensity[i]);
  });
  const [qFar, pFar] = [q[modes], p[modes]];
  const outside = term(qFar, pFar) + term(1 - qFar, 1 - pFar);
  const regions = q.reduce((sum, mass, k) => sum + term(mass, p[k]), 0);
  return { total, outside, between: regions - outside, within: total - regions };
}

/** The best temperature of a density, and its divergence there. */
export interface BestFactor {
  /** κ of e^{κE}: above 1 where the energy is too flat, below where it is too steep. */
  readonly factor: number;
  /** D(data || e^{κE}/Z) on the grid, nat. */
  readonly kl: number;
}

/** Tenths of a power of two from 1/8 to 16. */
const FACTORS = Array.from({ length: 71 }, (_, i) => 2 ** (i / 10 - 3));

/**
 * The factor on an energy, out of 71 from 1/8 to 16, with which its density is nearest to the data:
 * whether an energy is wrong in its scale only.
 */
export function bestFactor(dataset: string, logDensity: ArrayLike<number>, grid: Grid): BestFactor {
  const data = toyLogDensity(dataset, gridPoints(grid));
  return FACTORS.map((factor) => {
    const scaled = Float64Array.from(logDensity, (value) => factor * value);
    return { factor, kl: klOnGrid(data, scaled, grid) };
  }).reduce((best, next) => (next.kl < best.kl ? next : best));
}

/** q log(q/p), the summand of a divergence. */
function term(q: number, p: number): number {
  return q > 0 ? q * Math.log(q / p) : 0;
}

/** Index of the mode within reach, else the number of modes. */
function regionOf(x: number, y: number, centres: Float64Array, reach: number): number {
  for (let k = 0; 2 * k < centres.length; k++) {
    if (Math.hypot(x - centres[2 * k], y - centres[2 * k + 1]) <= reach) return k;
  }
  return centres.length / 2;
}
