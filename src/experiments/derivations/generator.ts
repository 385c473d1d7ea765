import { type Key, normal64, substream } from '../../core/random.ts';
import { atLeast, type Check, equality, equalityEverywhere, estimate } from './check.ts';
import { encoderTable, generatorTable, jointExpectation } from './latent-tables.ts';
import { divergence, entropy, expectation, tabulate, type Values } from './line.ts';
import { logNormal } from './mixture.ts';
import { type At, conditionalModel, energy, logForward, type TestBed } from './test-bed.ts';

/** Tolerance of sums over both grids. */
const ROUNDING = 1e-10;

/** (9), (37): integrating the joint over z gives p_φ(x_t | x_{t+1}), over x_t gives p(z). */
export function generatorMarginalises(bed: TestBed, at: At): Check {
  const { logPrior, logGiven } = generatorTable(bed, at);
  const nz = bed.z.x.length;
  const overX = logPrior.map((p, k) => {
    let sum = 0;
    for (let i = 0; i < bed.x.x.length; i++) sum += Math.exp(logGiven[i * nz + k] + p);
    return sum * bed.x.step;
  });
  return equalityEverywhere(
    { id: 'A5', claim: '∫p(z)q(x|x′,G)dx = p(z)', equation: '(9), (37)' },
    overX,
    logPrior.map(Math.exp),
    ROUNDING,
  );
}

/** (13), (35)–(36): KL(p_φ ‖ p_θ) in terms of an entropy and an expectation. */
export function reverseDivergence(bed: TestBed, at: At): Check {
  const { logDensity } = generatorTable(bed, at);
  const model = conditionalModel(bed, at);
  const h = entropy(bed.x, logDensity);
  const drive = modelDrive(bed, at, logDensity);
  return equality(
    {
      id: 'A4',
      claim: 'KL(p_φ‖p_θ) = −H(p_φ) − E_{p_φ}[E + log q(x′|x)] + log Z̃',
      equation: '(11), (13), (35)–(36)',
    },
    divergence(bed.x, logDensity, model.logDensity),
    -h - drive + model.logZ,
    ROUNDING,
    { entropy: h, drive, logZ: model.logZ },
  );
}

/** E_{p_φ}[E_θ + log q(x_{t+1} | x_t)]: what pulls the generator towards the model. */
function modelDrive(bed: TestBed, { t, xNext }: At, logDensity: Values): number {
  const pull = tabulate(bed.x, (x) => energy(bed, x) + logForward(bed, t, x, xNext));
  return expectation(bed.x, logDensity.map(Math.exp), pull);
}

/** Entropies of the generator at one x_{t+1}, in nat. */
export interface GeneratorEntropies {
  /** H(z). */
  readonly prior: number;
  /** H(p_φ(x_t | x_{t+1}, z)), averaged over z. */
  readonly given: number;
  /** H(p_φ(z | x_t, x_{t+1})), averaged over x_t. */
  readonly latent: number;
  /** H(p_φ(x_t | x_{t+1})). */
  readonly marginal: number;
}

export function generatorEntropies(bed: TestBed, at: At): GeneratorEntropies {
  const tables = generatorTable(bed, at);
  return {
    prior: entropy(bed.z, tables.logPrior),
    given: -jointExpectation(bed, tables, tables.logGiven),
    latent: -jointExpectation(bed, tables, tables.logLatent),
    marginal: entropy(bed.x, tables.logDensity),
  };
}

/** (14), (38)–(39): the chain rule of entropy. */
export function entropyDecomposition(bed: TestBed, at: At): Check {
  const { prior, given, latent, marginal } = generatorEntropies(bed, at);
  return equality(
    { id: 'A5′', claim: 'H(x|x′) = H(z) + H(x|z,x′) − H(z|x,x′)', equation: '(14), (38)–(39)' },
    marginal,
    prior + given - latent,
    ROUNDING,
    { prior, given, latent },
  );
}

/** (41)–(42): H(z) and H(x | z, x′) are closed forms, the same for every generator. */
export function constantEntropies(bed: TestBed, at: At): Check {
  const { prior, given } = generatorEntropies(bed, at);
  return equalityEverywhere(
    {
      id: 'A5‴',
      claim: 'H(z) = ½(1+log 2π), H(x|z,x′) = ½(1+log 2πβ̃)',
      equation: '(41), (42)',
    },
    [prior, given],
    [gaussianEntropy(1), gaussianEntropy(bed.posterior.variance[at.t])],
    ROUNDING,
    { prior, given },
  );
}

/** ½(1 + log 2πv). */
export function gaussianEntropy(variance: number): number {
  return 0.5 * (1 + Math.log(2 * Math.PI * variance));
}

/** (40): the entropy of a Gaussian in the plane, by quadrature, against its closed form. */
export function planeGaussianEntropy(bed: TestBed, sds: readonly [number, number], rho: number) {
  const [s, r] = sds;
  const rest = r * r * (1 - rho * rho);
  let sum = 0;
  for (const x of bed.x.x) {
    const first = logNormal(x, 0, s * s);
    for (const y of bed.x.x) {
      const log = first + logNormal(y, ((rho * r) / s) * x, rest);
      sum -= Math.exp(log) * log;
    }
  }
  const determinant = s * s * rest;
  return equality(
    { id: 'A5″', claim: 'H(N(μ,Σ)) = ½m(1+log 2π) + ½log|Σ|', equation: '(40)' },
    sum * bed.x.step ** 2,
    1 + Math.log(2 * Math.PI) + 0.5 * Math.log(determinant),
    ROUNDING,
    { determinant },
  );
}

/** (16), (43): the slack of the entropy bound is an expected divergence. */
export function entropyBound(bed: TestBed, at: At, encoder = encoderTable(bed, at)): Check {
  const tables = generatorTable(bed, at);
  const crossEntropy = -jointExpectation(bed, tables, encoder);
  const latent = -jointExpectation(bed, tables, tables.logLatent);
  const slack = jointExpectation(
    bed,
    tables,
    tables.logLatent.map((value, i) => value - encoder[i]),
  );
  return equality(
    {
      id: 'A6',
      claim: 'E[−log q_ψ(z|x,x′)] − H(z|x,x′) = E KL(p_φ(z|x,x′)‖q_ψ)',
      equation: '(15), (16), (43)',
    },
    crossEntropy - latent,
    slack,
    ROUNDING,
    { crossEntropy, latent, slack },
  );
}

/** (16) as the inequality it is. */
export function entropyBoundHolds(bed: TestBed, at: At, encoder = encoderTable(bed, at)): Check {
  const { crossEntropy, latent } = entropyBound(bed, at, encoder).terms;
  return atLeast(
    { id: '(16)', claim: 'E[−log q_ψ(z|x,x′)] ≥ H(z|x,x′)', equation: '(16)' },
    crossEntropy,
    latent,
    ROUNDING,
  );
}

/** The generator's side of (17), with the constants that make it a bound on KL(p_φ ‖ p_θ). */
export function reverseBound(bed: TestBed, at: At, encoder = encoderTable(bed, at)): number {
  const { logDensity } = generatorTable(bed, at);
  const { crossEntropy } = entropyBound(bed, at, encoder).terms;
  const { prior, given } = generatorEntropies(bed, at);
  const { logZ } = conditionalModel(bed, at);
  return crossEntropy - modelDrive(bed, at, logDensity) - prior - given + logZ;
}

/** (9) by draws: z, then x̂ = G(z, x′), then x_t from the posterior around it; the mean of x_t. */
export function generatorSampling(bed: TestBed, at: At, key: Key, draws: number): Check {
  const { c1, c2, variance } = bed.posterior;
  const z = normal64(substream(key, 'z'), draws);
  const noise = normal64(substream(key, 'noise'), draws);
  const sd = Math.sqrt(variance[at.t]);
  const x = z.map(
    (latent, i) => c1[at.t] * bed.generator(latent, at.xNext) + c2[at.t] * at.xNext + sd * noise[i],
  );
  const density = generatorTable(bed, at).logDensity.map(Math.exp);
  return estimate(
    { id: 'A5 MC', claim: 'draws z → x̂ → x have the mean of p_φ(x|x′)', equation: '(9)' },
    x,
    expectation(bed.x, density, bed.x.x),
  );
}
