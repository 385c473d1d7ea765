import { ConfigError, ShapeError } from '../core/errors.ts';
import { GRID_SCALE, RING_RADII, STAR_SCALE, type ToyName, toyName } from './toy.ts';
import {
  type IsotropicMixture,
  mixtureLogDensity,
  normalInterval,
  simpson,
} from './toy-mixture.ts';

export interface ToyDensityOptions {
  /**
   * Diffused marginal: the law of sqrt(alphaBar) x + sqrt(1 - alphaBar) eps, 0 < alphaBar <= 1.
   * Default 1, the data.
   */
  readonly alphaBar?: number;
}

/**
 * log p(x) in nats of a toy distribution at points x0, y0, x1, y1, ... (density in the plane).
 *
 * "25gaussians" and "8gaussians" are mixtures of Gaussians; "moons", "circles", "rings" and
 * "swissroll" are curves with Gaussian noise and "2spirals" one with a uniform square besides, all
 * integrated along the curve; "checkerboard" is uniform on its squares; "pinwheel" follows by
 * change of variables, or for alphaBar < 1 by an integral over the radius. Errors of quadrature are
 * below 1e-6 for the data and for 1 - alphaBar >= 1e-6.
 *
 * @throws ConfigError for an unknown name, for "line" and "cos" (no density without diffusion:
 * they lie on curves) and for alphaBar outside (0, 1]; ShapeError for an odd number of values.
 */
export function toyLogDensity(
  name: string,
  xy: ArrayLike<number>,
  { alphaBar = 1 }: ToyDensityOptions = {},
): Float64Array {
  const density = DENSITIES[toyName(name)];
  if (!(alphaBar > 0 && alphaBar <= 1)) {
    throw new ConfigError(`toyLogDensity: alphaBar must lie in (0, 1], got ${alphaBar}`);
  }
  if (xy.length % 2 !== 0) {
    throw new ShapeError(`toyLogDensity: points must be pairs, got ${xy.length} values`);
  }
  if (density === undefined) {
    throw new ConfigError(`toyLogDensity: '${name}' lies on a curve and has no density`);
  }
  return density(xy, alphaBar);
}

/** The centres of the modes, x0, y0, x1, y1, ..., and the standard deviation around each. */
export function toyModes(name: '25gaussians' | '8gaussians'): {
  readonly centres: Float64Array;
  readonly sd: number;
} {
  const { x, y, sd } = name === '25gaussians' ? grid() : star();
  const centres = new Float64Array(2 * x.length);
  x.forEach((v, i) => {
    centres[2 * i] = v;
    centres[2 * i + 1] = y[i];
  });
  return { centres, sd };
}

type Density = (xy: ArrayLike<number>, alphaBar: number) => Float64Array;

const DENSITIES: Record<ToyName, Density | undefined> = {
  '25gaussians': mixture(grid),
  '8gaussians': mixture(star),
  moons: mixture(moons),
  circles: mixture(() => circles([3, 1.5], 0.24)),
  rings: mixture(() => circles(RING_RADII, 0.08)),
  swissroll: mixture(swissroll),
  pinwheel: (xy, alphaBar) => (alphaBar === 1 ? pinwheel(xy) : diffusedPinwheel(xy, alphaBar)),
  '2spirals': spirals,
  checkerboard,
  line: undefined,
  cos: undefined,
};

function mixture(make: () => IsotropicMixture): Density {
  return (xy, alphaBar) => mixtureLogDensity(make(), xy, alphaBar);
}

function nodes(
  count: number,
  sd: number,
  at: (i: number) => [x: number, y: number, weight: number],
): IsotropicMixture {
  const x = new Float64Array(count);
  const y = new Float64Array(count);
  const weight = new Float64Array(count);
  for (let i = 0; i < count; i++) [x[i], y[i], weight[i]] = at(i);
  return { x, y, weight, sd };
}

function grid(): IsotropicMixture {
  const at = (i: number) => (2 * (i - 2)) / GRID_SCALE;
  return nodes(25, 0.1 / GRID_SCALE, (k) => [at(Math.floor(k / 5)), at(k % 5), 1 / 25]);
}

function star(): IsotropicMixture {
  const radius = 4 / STAR_SCALE;
  return nodes(8, 0.5 / STAR_SCALE, (k) => [
    radius * Math.cos((Math.PI / 4) * k),
    radius * Math.sin((Math.PI / 4) * k),
    1 / 8,
  ]);
}

/** Equispaced angles: the trapezoidal rule, exponentially accurate on a closed curve. */
function circles(radii: readonly number[], sd: number): IsotropicMixture {
  const perCircle = 512;
  return nodes(radii.length * perCircle, sd, (i) => {
    const radius = radii[Math.floor(i / perCircle)];
    const angle = (2 * Math.PI * i) / perCircle;
    return [radius * Math.cos(angle), radius * Math.sin(angle), 1 / (radii.length * perCircle)];
  });
}

function moons(): IsotropicMixture {
  const rule = simpson(0, Math.PI, 256);
  const count = rule.nodes.length;
  return nodes(2 * count, 0.1, (i) => {
    const t = rule.nodes[i % count];
    const weight = rule.weights[i % count] / (2 * Math.PI);
    return i < count
      ? [Math.cos(t), Math.sin(t), weight]
      : [1 - Math.cos(t), 0.5 - Math.sin(t), weight];
  });
}

function swissroll(): IsotropicMixture {
  const rule = simpson(1.5 * Math.PI, 4.5 * Math.PI, 1024);
  return nodes(rule.nodes.length, 1 / 5, (i) => {
    const phi = rule.nodes[i];
    return [(phi * Math.cos(phi)) / 5, (phi * Math.sin(phi)) / 5, rule.weights[i] / (3 * Math.PI)];
  });
}

/**
 * With v = x / 2 and e(theta) the direction into which an arm's radial axis is turned, (r, s) is a
 * preimage when e . v = r; then s is the other component and p(v) sums
 * N(r; 1, 0.3^2) N(s; 0, 0.1^2) / |1 + 0.25 e^r s| over arms and preimages.
 */
function pinwheel(xy: ArrayLike<number>): Float64Array {
  const out = new Float64Array(xy.length / 2);
  const steps = 480;
  const [low, high] = [1 - 8 * 0.3, 1 + 8 * 0.3];
  const h = (high - low) / steps;
  const axes = ARMS.map((arm) =>
    Array.from({ length: steps + 1 }, (_, k) => armAxis(arm, low + h * k)),
  );
  for (let i = 0; i < out.length; i++) {
    const [vx, vy] = [xy[2 * i] / 2, xy[2 * i + 1] / 2];
    // |r| = |e . v| <= |v| for a preimage.
    const radius = Math.hypot(vx, vy);
    const first = Math.max(1, Math.floor((-radius - low) / h));
    const last = Math.min(steps, Math.ceil((radius - low) / h));
    let p = 0;
    for (const arm of ARMS) {
      const gap = ([cos, sin]: readonly [number, number], r: number) => vx * cos - vy * sin - r;
      let before = gap(axes[arm][first - 1], low + h * (first - 1));
      for (let k = first; k <= last; k++) {
        const r = low + h * k;
        const here = gap(axes[arm][k], r);
        if (before < 0 !== here < 0) {
          const root = armRoot(arm, vx, vy, r - h, r);
          const [cos, sin] = armAxis(arm, root);
          const s = vx * sin + vy * cos;
          const exponent = -0.5 * (((root - 1) / 0.3) ** 2 + (s / 0.1) ** 2);
          p += Math.exp(exponent) / Math.abs(1 + 0.25 * Math.exp(root) * s);
        }
        before = here;
      }
    }
    // 5 arms, the two normalisers, and dv = dx / 4.
    out[i] = Math.log(p / (5 * 2 * Math.PI * 0.3 * 0.1 * 4));
  }
  return out;
}

const ARMS = [0, 1, 2, 3, 4] as const;

function armAxis(arm: number, r: number): [cos: number, sin: number] {
  const angle = (2 * Math.PI * arm) / 5 + 0.25 * Math.exp(r);
  return [Math.cos(angle), Math.sin(angle)];
}

/** The r in [low, high] with e . v = r: Newton's method, halving the bracket where it leaves it. */
function armRoot(arm: number, vx: number, vy: number, low: number, high: number): number {
  const [cosLow, sinLow] = armAxis(arm, low);
  const sign = vx * cosLow - vy * sinLow - low < 0;
  let r = (low + high) / 2;
  for (let k = 0; k < 60; k++) {
    const [cos, sin] = armAxis(arm, r);
    const value = vx * cos - vy * sin - r;
    if (value < 0 === sign) low = r;
    else high = r;
    const newton = r + value / (1 + 0.25 * Math.exp(r) * (vx * sin + vy * cos));
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (Math.abs(next - r) < 1e-13) return next;
    r = next;
  }
  return r;
}

/** Given r a diffused point is Gaussian along and across the arm's axis; r is integrated out. */
function diffusedPinwheel(xy: ArrayLike<number>, alphaBar: number): Float64Array {
  const scale = 2 * Math.sqrt(alphaBar);
  const added = (1 - alphaBar) / scale ** 2;
  const across = 0.1 ** 2 + added;
  const [low, high] = [1 - 9 * 0.3, 1 + 9 * 0.3];
  const width = Math.min(0.3, Math.sqrt(added));
  const rule = simpson(low, high, 2 * Math.ceil((2 * (high - low)) / width));
  const axes = ARMS.map((arm) => Array.from(rule.nodes, (r) => armAxis(arm, r)));
  const out = new Float64Array(xy.length / 2);
  for (let i = 0; i < out.length; i++) {
    const [vx, vy] = [xy[2 * i] / scale, xy[2 * i + 1] / scale];
    const radius = Math.hypot(vx, vy);
    let p = 0;
    for (let k = 0; k < rule.nodes.length; k++) {
      const r = rule.nodes[k];
      // The radial component of v is at most |v|.
      if (Math.abs(r) > radius + 9 * Math.sqrt(added)) continue;
      let atR = 0;
      for (const arm of ARMS) {
        const [cos, sin] = axes[arm][k];
        const along = vx * cos - vy * sin - r;
        const aside = vx * sin + vy * cos;
        const exponent = -0.5 * (along ** 2 / added + aside ** 2 / across);
        if (exponent > -80) atR += Math.exp(exponent);
      }
      p += rule.weights[k] * atR * Math.exp(-0.5 * ((r - 1) / 0.3) ** 2);
    }
    const normaliser = 5 * (2 * Math.PI) ** 1.5 * 0.3 * Math.sqrt(added * across) * scale ** 2;
    out[i] = Math.log(p / normaliser);
  }
  return out;
}

/** Along the spiral x and y are independent, each uniform on an interval of 1/6 plus noise. */
function spirals(xy: ArrayLike<number>, alphaBar: number): Float64Array {
  const scale = Math.sqrt(alphaBar);
  const sd = Math.sqrt(alphaBar * 0.1 ** 2 + 1 - alphaBar);
  const width = scale / 6;
  // U is uniform where t = 3 pi sqrt(U), so dU = 2 t dt / (3 pi)^2. Neighbouring nodes lie at most
  // 0.6 sd apart.
  const rule = simpson(0, 3 * Math.PI, 2 * Math.ceil((25 * scale) / sd));
  const near = (9 * sd + width) ** 2;
  const out = new Float64Array(xy.length / 2);
  for (let i = 0; i < out.length; i++) {
    let p = 0;
    for (let k = 0; k < rule.nodes.length; k++) {
      const t = rule.nodes[k];
      const [cx, cy] = [(-scale * t * Math.cos(t)) / 3, (scale * t * Math.sin(t)) / 3];
      let both = 0;
      for (const sign of [1, -1]) {
        const [x, y] = [sign * xy[2 * i] - cx, sign * xy[2 * i + 1] - cy];
        if (x * x + y * y > near) continue;
        both += normalInterval((x - width) / sd, x / sd) * normalInterval((y - width) / sd, y / sd);
      }
      p += ((rule.weights[k] * 2 * t) / (3 * Math.PI) ** 2) * (both / 2);
    }
    out[i] = Math.log(p / width ** 2);
  }
  return out;
}

/** Squares [2a, 2a+2] x [2b, 2b+2] with a, b in -2..1 and a + b even. */
function checkerboard(xy: ArrayLike<number>, alphaBar: number): Float64Array {
  const scale = Math.sqrt(alphaBar);
  const sd = Math.sqrt(1 - alphaBar);
  /** The mass that diffusion spreads from an interval to a point, or the indicator. */
  const share = (x: number, a: number) => {
    const [low, high] = [2 * a * scale, (2 * a + 2) * scale];
    if (sd === 0) return x >= low && x < high ? 1 : 0;
    return normalInterval((x - high) / sd, (x - low) / sd);
  };
  const out = new Float64Array(xy.length / 2);
  for (let i = 0; i < out.length; i++) {
    let p = 0;
    for (let a = -2; a < 2; a++) {
      for (let b = -2; b < 2; b++) {
        if ((a + b) % 2 === 0) p += share(xy[2 * i], a) * share(xy[2 * i + 1], b);
      }
    }
    out[i] = Math.log(p / (32 * alphaBar));
  }
  return out;
}
