import { ConfigError, unknownName } from '../core/errors.ts';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import { integers, type Key, normal64, permutation, substream, uniform64 } from '../core/random.ts';

/** The two-dimensional distributions of the DDAEBM toy experiments (`data_process/toy_data.py`). */
export const TOY_NAMES = [
  'moons',
  'circles',
  '8gaussians',
  '25gaussians',
  'pinwheel',
  '2spirals',
  'checkerboard',
  'rings',
  'swissroll',
  'line',
  'cos',
] as const;

export type ToyName = (typeof TOY_NAMES)[number];

/** @throws ConfigError listing the names, for any other. */
export function toyName(name: string): ToyName {
  if ((TOY_NAMES as readonly string[]).includes(name)) return name as ToyName;
  throw unknownName('toy distribution', name, TOY_NAMES);
}

/** "25gaussians" is divided by 2.828 and "8gaussians" by half of it, not by 2 sqrt(2) and sqrt(2). */
export const GRID_SCALE = 2.828;
export const STAR_SCALE = GRID_SCALE / 2;
/** Radii of "rings" before noise. */
export const RING_RADII = [3, 2.25, 1.5, 0.75] as const;

/**
 * `n` points of a toy distribution, float32 [n, 2], in random order.
 *
 * As in the reference a draw is stratified: "25gaussians" and "pinwheel" hold equally many points
 * of every mode or arm, "moons" and "circles" equispaced angles on two halves, "2spirals" pairs
 * mirrored at the origin before noise. Points that do not divide evenly go to distinct strata
 * chosen at random, so that every point has the stated marginal law for every `n`.
 *
 * Differences from the reference: it returns at most 1000 points of "25gaussians" (always the first
 * of a fixed order, so the first modes are favoured when n is no multiple of 25), fewer than n
 * points of "pinwheel" and "2spirals" when n is no multiple of 5 or 2, and repeats exact points in
 * "rings"; here all n points are drawn, with noise of their own.
 *
 * @throws ConfigError for an unknown name or an `n` that is no count.
 */
export function toyBatch(name: string, key: Key, n: number): HostTensor {
  const draw = GENERATORS[toyName(name)];
  if (!Number.isInteger(n) || n < 0) {
    throw new ConfigError(`toyBatch: n must be a count, got ${n}`);
  }
  const points = draw(key, n);
  const order = permutation(substream(key, 'order'), n);
  const data = new Float32Array(2 * n);
  for (let i = 0; i < n; i++) {
    data[2 * i] = points[2 * order[i]];
    data[2 * i + 1] = points[2 * order[i] + 1];
  }
  return hostTensor(data, [n, 2]);
}

/** Coordinates x0, y0, x1, y1, ... in float64. */
type Generator = (key: Key, n: number) => Float64Array;

const GENERATORS: Record<ToyName, Generator> = {
  /** Two half circles of radius 1, noise 0.1. */
  moons(key, n) {
    const outer = Math.floor(n / 2);
    return noisy(key, n, 0.1, (i) => {
      const [at, count] = i < outer ? [i, outer] : [i - outer, n - outer];
      const angle = count > 1 ? (Math.PI * at) / (count - 1) : 0;
      return i < outer
        ? [Math.cos(angle), Math.sin(angle)]
        : [1 - Math.cos(angle), 0.5 - Math.sin(angle)];
    });
  },

  /** Radii 3 and 1.5, noise 0.24. */
  circles(key, n) {
    const outer = Math.floor(n / 2);
    return noisy(key, n, 0.24, (i) => {
      const [at, count, radius] = i < outer ? [i, outer, 3] : [i - outer, n - outer, 1.5];
      return polar(radius, (2 * Math.PI * at) / count);
    });
  },

  /** Eight modes on a circle of radius 4, noise 0.5, all divided by 1.414. */
  '8gaussians'(key, n) {
    const mode = integers(substream(key, 'mode'), n, 8);
    return noisy(key, n, 0.5 / STAR_SCALE, (i) => polar(4 / STAR_SCALE, (Math.PI / 4) * mode[i]));
  },

  /** Modes at (2i, 2j), i, j = -2..2, noise 0.1, all divided by 2.828. */
  '25gaussians'(key, n) {
    const mode = strata(key, n, 25);
    return noisy(key, n, 0.1 / GRID_SCALE, (i) => [
      (2 * (Math.floor(mode[i] / 5) - 2)) / GRID_SCALE,
      (2 * ((mode[i] % 5) - 2)) / GRID_SCALE,
    ]);
  },

  /** Five arms; in the coordinates of an arm N(1, 0.3^2) x N(0, 0.1^2), turned by 0.25 e^r. */
  pinwheel(key, n) {
    const arm = strata(key, n, 5);
    const z = normal64(substream(key, 'noise'), 2 * n);
    return points(n, (i) => {
      const r = 1 + 0.3 * z[2 * i];
      const s = 0.1 * z[2 * i + 1];
      const angle = (2 * Math.PI * arm[i]) / 5 + 0.25 * Math.exp(r);
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      return [2 * (r * cos + s * sin), 2 * (-r * sin + s * cos)];
    });
  },

  /** Two spirals of one and a half turns; a uniform square and noise 0.1 around each point. */
  '2spirals'(key, n) {
    const pairs = Math.ceil(n / 2);
    const u = uniform64(substream(key, 'uniform'), 3 * pairs);
    // The sign of a last point without partner must be fair.
    const flip = n % 2 === 1 && uniform64(substream(key, 'sign'), 1)[0] < 0.5 ? -1 : 1;
    return noisy(key, n, 0.1, (i) => {
      const pair = i >> 1;
      const t = 3 * Math.PI * Math.sqrt(u[3 * pair]);
      const sign = (i % 2 === 0 ? flip : -flip) / 3;
      return [
        sign * (-t * Math.cos(t) + 0.5 * u[3 * pair + 1]),
        sign * (t * Math.sin(t) + 0.5 * u[3 * pair + 2]),
      ];
    });
  },

  /** Eight of the sixteen squares of side 2 in [-4, 4]^2. */
  checkerboard(key, n) {
    const u = uniform64(substream(key, 'uniform'), 2 * n);
    const lower = integers(substream(key, 'lower'), n, 2);
    return points(n, (i) => {
      const x = 4 * u[2 * i] - 2;
      const odd = Math.abs(Math.floor(x)) % 2;
      return [2 * x, 2 * (u[2 * i + 1] - 2 * lower[i] + odd)];
    });
  },

  /** Four concentric circles, noise 0.08; angles from 20 n / 4 equispaced ones per circle. */
  rings(key, n) {
    const perRing = 5 * n;
    const index = integers(substream(key, 'index'), n, Math.max(1, 4 * perRing));
    return noisy(key, n, 0.08, (i) =>
      polar(RING_RADII[Math.floor(index[i] / perRing)], (2 * Math.PI * index[i]) / perRing),
    );
  },

  /** phi (cos phi, sin phi), phi uniform in [1.5 pi, 4.5 pi], noise 1, all divided by 5. */
  swissroll(key, n) {
    const u = uniform64(substream(key, 'uniform'), n);
    return noisy(key, n, 1 / 5, (i) => {
      const phi = 1.5 * Math.PI * (1 + 2 * u[i]);
      return polar(phi / 5, phi);
    });
  },

  /** y = x, x uniform in [-2.5, 2.5]. */
  line(key, n) {
    const u = uniform64(substream(key, 'uniform'), n);
    return points(n, (i) => [5 * u[i] - 2.5, 5 * u[i] - 2.5]);
  },

  /** y = 2.5 sin x, x uniform in [-2.5, 2.5]. */
  cos(key, n) {
    const u = uniform64(substream(key, 'uniform'), n);
    return points(n, (i) => [5 * u[i] - 2.5, 2.5 * Math.sin(5 * u[i] - 2.5)]);
  },
};

function points(n: number, at: (i: number) => [number, number]): Float64Array {
  const out = new Float64Array(2 * n);
  for (let i = 0; i < n; i++) {
    const [x, y] = at(i);
    out[2 * i] = x;
    out[2 * i + 1] = y;
  }
  return out;
}

function noisy(key: Key, n: number, sd: number, at: (i: number) => [number, number]): Float64Array {
  const out = points(n, at);
  const z = normal64(substream(key, 'noise'), 2 * n);
  for (let i = 0; i < out.length; i++) out[i] += sd * z[i];
  return out;
}

function polar(radius: number, angle: number): [number, number] {
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

/** Labels 0 .. k-1, each floor(n/k) times, and the rest distinct and random. */
function strata(key: Key, n: number, k: number): Int32Array {
  const labels = Int32Array.from({ length: n }, (_, i) => i % k);
  const rest = n % k;
  labels.set(permutation(substream(key, 'strata'), k).subarray(0, rest), n - rest);
  return labels;
}
