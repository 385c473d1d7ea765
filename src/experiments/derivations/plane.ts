import { mixtureLogDensity } from '../../datasets/toy-mixture.ts';
import { type Check, equality, equalityEverywhere } from './check.ts';
import { type Line, line, logIntegral, slope, tabulate, type Values } from './line.ts';
import { logNormal } from './mixture.ts';
import { checkedLevel, type TestBed } from './test-bed.ts';

/** Four Gaussians in the plane; no two of the same weight. */
const DATA = {
  x: Float64Array.of(-1, 1, 0.9, -0.8),
  y: Float64Array.of(-0.9, -1, 1, 0.8),
  weight: Float64Array.of(0.1, 0.2, 0.3, 0.4),
  sd: 0.3,
};

/** Not a sum of a function of x and one of y, so that nothing factorises but the forward kernel. */
const FEATURES: readonly ((x: number, y: number) => number)[] = [
  (x, y) => Math.sin(1.3 * x + 0.4 * y),
  (x, y) => x * x + 0.8 * y * y - 0.5 * x * y,
  (x, y) => Math.cos(x - y),
];
const THETA = [0.7, -0.4, 0.5];

/** A curve that the generator draws through the plane, z one-dimensional. */
const curve = (z: number, [x, y]: Point): Point => [
  1.4 * Math.tanh(0.9 * z + 0.4 * x),
  1.1 * Math.sin(1.2 * z - 0.3 * y),
];

type Point = readonly [number, number];
const NEXT: Point = [0.74, -0.3];
const ROUNDING = 1e-10;

/** All of a plane at level t: one axis used twice, values row-major over (x, y). */
interface Plane {
  readonly axis: Line;
  readonly t: number;
  /** [n, n] N(y_j; a·x_i, β), row j. */
  readonly kernel: Values;
  readonly logQ: Values;
  readonly logNext: Values;
}

function plane(bed: TestBed, t: number): Plane {
  checkedLevel(bed, t);
  const axis = line(-7, 7, 71);
  const { a, betas, alphaBars } = bed.levels;
  const n = axis.x.length;
  const kernel = new Float64Array(n * n);
  axis.x.forEach((y, j) => {
    axis.x.forEach((x, i) => {
      kernel[j * n + i] = Math.exp(logNormal(y, a[t + 1] * x, betas[t + 1]));
    });
  });
  const points = [...axis.x].flatMap((x) => [...axis.x].flatMap((y) => [x, y]));
  return {
    axis,
    t,
    kernel,
    logQ: mixtureLogDensity(DATA, points, alphaBars[t]),
    logNext: mixtureLogDensity(DATA, points, alphaBars[t + 1]),
  };
}

/** ∫f(x)q(x′|x)dx at all x′: the kernel is a product, so one pass per axis. */
function push({ axis, kernel }: Plane, values: Values): Values {
  const n = axis.x.length;
  const onePass = (from: Values) => {
    const to = new Float64Array(n * n);
    for (let j = 0; j < n; j++) {
      for (let r = 0; r < n; r++) {
        let sum = 0;
        for (let i = 0; i < n; i++) sum += kernel[j * n + i] * from[i * n + r];
        // Written transposed: the second pass then does the other axis and turns back.
        to[r * n + j] = sum * axis.step;
      }
    }
    return to;
  };
  return onePass(onePass(values));
}

function energies({ axis }: Plane, theta: readonly number[] = THETA): Values {
  return overPlane(axis, (x, y) => FEATURES.reduce((s, f, j) => s + theta[j] * f(x, y), 0));
}

function overPlane(axis: Line, f: (x: number, y: number) => number): Values {
  const n = axis.x.length;
  return Float64Array.from({ length: n * n }, (_, at) =>
    f(axis.x[Math.floor(at / n)], axis.x[at % n]),
  );
}

/** The identities that need no latent integral, in the plane: A0 to A4 at level t ≥ 1. */
export function planeChecks(bed: TestBed, t = 1): Check[] {
  const on = plane(bed, t);
  return [
    forwardMarginal(on),
    recoveryLikelihood(bed, on),
    ratioIsConstant(on),
    partitionGradient(bed, on),
    reverseDivergence(bed, on),
  ];
}

function forwardMarginal(on: Plane): Check {
  return equalityEverywhere(
    { id: 'A0 plane', claim: '∫q(x)q(x′|x)dx = q(x′)', equation: '(4)' },
    push(on, on.logQ.map(Math.exp)),
    on.logNext.map(Math.exp),
    ROUNDING,
  );
}

function recoveryLikelihood(bed: TestBed, on: Plane): Check {
  const { axis, kernel, logQ, logNext, t } = on;
  const n = axis.x.length;
  const area = axis.step ** 2;
  const e = energies(on);
  const q = logQ.map(Math.exp);
  const logZ = push(on, e.map(Math.exp)).map(Math.log);
  // log q(x|x′) − log p_θ(x|x′), in which log q(x′|x) cancels.
  const own = logQ.map((value, i) => value - e[i]);
  const next = logZ.map((value, j) => value - logNext[j]);
  let kl = 0;
  for (let jx = 0; jx < n; jx++) {
    for (let jy = 0; jy < n; jy++) {
      let inner = 0;
      for (let ix = 0; ix < n; ix++) {
        const kx = kernel[jx * n + ix];
        for (let iy = 0; iy < n; iy++) {
          const i = ix * n + iy;
          inner += kx * kernel[jy * n + iy] * q[i] * (own[i] + next[jx * n + jy]);
        }
      }
      kl += inner * area * area;
    }
  }
  const mean = (density: Values, f: Values) =>
    density.reduce((sum, p, i) => sum + p * f[i], 0) * area;
  const nextDensity = logNext.map(Math.exp);
  // E log q(x′|x) is minus the entropy of a Gaussian in two dimensions.
  const forward = -(1 + Math.log(2 * Math.PI * bed.levels.betas[t + 1]));
  const constant = mean(q, logQ) + forward - mean(nextDensity, logNext);
  const likelihood = mean(q, e) + forward - mean(nextDensity, logZ);
  return equality(
    { id: 'A1 plane', claim: 'E KL(q ‖ p_θ) = C − E log p_θ(x|x′)', equation: '(5), (7)' },
    kl,
    constant - likelihood,
    ROUNDING,
    { constant, likelihood },
  );
}

function ratioIsConstant(on: Plane): Check {
  const scale = 2.5;
  const partition = push(
    on,
    on.logQ.map((value) => scale * Math.exp(value)),
  );
  // Relative to q(x′), where float64 still holds it.
  const shown = (_: number, j: number) => on.logNext[j] > -20;
  const ratios = partition.map((z, j) => z / Math.exp(on.logNext[j])).filter(shown);
  return equalityEverywhere(
    { id: 'A2 plane', claim: 'e^E = c·q(x) ⇒ Z̃(x′)/q(x′) = c', equation: '(28), (29)' },
    ratios,
    ratios.map(() => scale),
    1e-6,
  );
}

/** log of E + log q(x′|x) on the plane for the fixed x′. */
function logJoint(bed: TestBed, { axis, t }: Plane, e: Values): Values {
  const { a, betas } = bed.levels;
  const forward = overPlane(
    axis,
    (x, y) =>
      logNormal(NEXT[0], a[t + 1] * x, betas[t + 1]) +
      logNormal(NEXT[1], a[t + 1] * y, betas[t + 1]),
  );
  return e.map((value, i) => value + forward[i]);
}

function planeLogIntegral(axis: Line, logValues: Values): number {
  return logIntegral(axis, logValues) + Math.log(axis.step);
}

function partitionGradient(bed: TestBed, on: Plane): Check {
  const logZ = (theta: readonly number[]) =>
    planeLogIntegral(on.axis, logJoint(bed, on, energies(on, theta)));
  const joint = logJoint(bed, on, energies(on));
  const z = logZ(THETA);
  const means = FEATURES.map((feature) => {
    const values = overPlane(on.axis, feature);
    return joint.reduce((sum, l, i) => sum + Math.exp(l - z) * values[i], 0) * on.axis.step ** 2;
  });
  return equalityEverywhere(
    { id: 'A3 plane', claim: '∇_θ log Z̃(x′) = E_{p_θ(x|x′)}[∇_θE]', equation: '(32)–(34)' },
    THETA.map((value, j) => slope((v) => logZ(THETA.with(j, v)), value)),
    means,
    1e-8,
  );
}

function reverseDivergence(bed: TestBed, on: Plane): Check {
  const { axis, t } = on;
  const { c1, c2, variance } = bed.posterior;
  const latent = line(-8, 8, 161);
  const means = Array.from(latent.x, (z) =>
    curve(z, NEXT).map((m, d) => c1[t] * m + c2[t] * NEXT[d]),
  );
  const prior = tabulate(latent, (z) => Math.exp(logNormal(z, 0, 1)) * latent.step);
  const density = overPlane(axis, (x, y) => {
    let sum = 0;
    for (let k = 0; k < prior.length; k++) {
      const square = (x - means[k][0]) ** 2 + (y - means[k][1]) ** 2;
      sum += prior[k] * Math.exp(-square / (2 * variance[t]));
    }
    return sum / (2 * Math.PI * variance[t]);
  });
  const joint = logJoint(bed, on, energies(on));
  const logZ = planeLogIntegral(axis, joint);
  const area = axis.step ** 2;
  let [kl, entropy, drive] = [0, 0, 0];
  density.forEach((p, i) => {
    if (p === 0) return;
    kl += p * (Math.log(p) - (joint[i] - logZ)) * area;
    entropy -= p * Math.log(p) * area;
    drive += p * joint[i] * area;
  });
  return equality(
    {
      id: 'A4 plane',
      claim: 'KL(p_φ‖p_θ) = −H(p_φ) − E_{p_φ}[E + log q(x′|x)] + log Z̃',
      equation: '(13), (35)–(36)',
    },
    kl,
    -entropy - drive + logZ,
    ROUNDING,
    { entropy, drive, logZ },
  );
}
