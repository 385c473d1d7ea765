import { ConfigError, ShapeError } from '../core/errors.ts';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { integers, type Key, normal64, substream } from '../core/random.ts';

/**
 * The 25 Gaussians of the Energy Discrepancy experiments: centres {-4, -2, 0, 2, 4}^2 and noise of
 * standard deviation 0.2, all divided by 1.414. NOT the set of that name in the toy experiments of
 * DDAEBM, which is half as wide with modes a quarter as large (`toyBatch('25gaussians')`).
 */
const SCALE = 2.828 / 2;

/** Standard deviation of a mode in each coordinate, 0.1414. */
export const ED_MODE_SD = 0.2 / SCALE;

const PER_AXIS = [-4, -2, 0, 2, 4].map((c) => c / SCALE);

/** The centres x0, y0, x1, y1, ... of the 25 modes. */
export const ED_CENTRES: Float64Array = Float64Array.from(
  PER_AXIS.flatMap((x) => PER_AXIS.flatMap((y) => [x, y])),
);

/**
 * `n` independent points, float32 [n, 2]: every point chooses its mode uniformly, so a batch holds
 * unequal numbers of the modes.
 * @throws ConfigError when `n` is no count.
 */
export function edGaussians(key: Key, n: number): HostTensor {
  if (!Number.isInteger(n) || n < 0) {
    throw new ConfigError(`edGaussians: n must be a count, got ${n}`);
  }
  const mode = integers(substream(key, 'mode'), n, 25);
  const z = normal64(substream(key, 'noise'), 2 * n);
  const data = new Float32Array(2 * n);
  for (let i = 0; i < data.length; i++) {
    data[i] = ED_CENTRES[2 * mode[i >> 1] + (i & 1)] + ED_MODE_SD * z[i];
  }
  return hostTensor(data, [n, 2]);
}

/**
 * log p in nats at points x0, y0, x1, y1, .... The law is a product of two equal mixtures of five,
 * one per axis.
 * @throws ShapeError for an odd number of values.
 */
export function edGaussiansLogDensity(xy: ArrayLike<number>): Float64Array {
  if (xy.length % 2 !== 0) {
    throw new ShapeError(
      `edGaussiansLogDensity: points must be pairs x0, y0, x1, y1, ..., got ${xy.length} values`,
    );
  }
  return Float64Array.from(
    { length: xy.length / 2 },
    (_, i) => axisLogDensity(xy[2 * i]) + axisLogDensity(xy[2 * i + 1]),
  );
}

function axisLogDensity(x: number): number {
  const exponents = PER_AXIS.map((c) => -0.5 * ((x - c) / ED_MODE_SD) ** 2);
  const largest = Math.max(...exponents);
  const sum = exponents.reduce((s, e) => s + Math.exp(e - largest), 0);
  return largest + Math.log(sum / PER_AXIS.length / (ED_MODE_SD * Math.sqrt(2 * Math.PI)));
}

/** How a learned density spreads over the 25 modes. */
export interface ModeMasses {
  /** Model mass within 4 sd of each centre, on a grid; 0.04 each for the data. */
  readonly masses: Float64Array;
  /** Modes with at least half the mass that the data give them. */
  readonly found: number;
  /** Mass farther than 4 sd from every centre; 0.0003 for the data. */
  readonly outside: number;
}

/**
 * Mass per mode of a density given by masses at grid points.
 * @param points x0, y0, ... and `mass` summing to one, of equal count.
 */
export function modeMasses(points: ArrayLike<number>, mass: ArrayLike<number>): ModeMasses {
  if (points.length !== 2 * mass.length) {
    throw new ShapeError(
      `modeMasses: ${mass.length} masses need ${2 * mass.length} coordinates, got ${points.length}`,
    );
  }
  const masses = new Float64Array(ED_CENTRES.length / 2);
  const reach = (4 * ED_MODE_SD) ** 2;
  let outside = 0;
  for (let i = 0; i < mass.length; i++) {
    // 4 sd is less than half the distance of two centres: the first within reach is the nearest.
    let mode = 0;
    for (; mode < masses.length; mode++) {
      const dx = points[2 * i] - ED_CENTRES[2 * mode];
      const dy = points[2 * i + 1] - ED_CENTRES[2 * mode + 1];
      if (dx * dx + dy * dy <= reach) break;
    }
    if (mode < masses.length) masses[mode] += mass[i];
    else outside += mass[i];
  }
  const found = masses.reduce((n, m) => n + (m >= 0.5 / masses.length ? 1 : 0), 0);
  return { masses, found, outside };
}
