import { atLeast, type Check, equality, equalityEverywhere } from './check.ts';
import {
  divergence,
  expectation,
  line,
  logIntegral,
  slope,
  tabulate,
  type Values,
} from './line.ts';
import { logMixture, logNormal } from './mixture.ts';
import {
  type At,
  checkedLevel,
  conditionalModel,
  energyValues,
  logForward,
  logForwardValues,
  logMarginal,
  logTruePosterior,
  marginal,
  type TestBed,
} from './test-bed.ts';

/** Sums of some hundred terms of order one, in float64. */
const ROUNDING = 1e-12;

/** Of derivatives by the five-point stencil. */
const DIFFERENCES = 1e-8;

/** Probability below which a term does not reach the last digit of a sum of order one. */
const NEGLIGIBLE = 1e-25;

/** (4): pushing q(x_t) through one forward step gives q(x_{t+1}) in closed form. */
export function forwardMarginal(bed: TestBed, t: number): Check {
  checkedLevel(bed, t);
  const density = logMarginal(bed, t).map(Math.exp);
  const pushed = tabulate(bed.x, (y) =>
    expectation(
      bed.x,
      density,
      tabulate(bed.x, (x) => Math.exp(logForward(bed, t, x, y))),
    ),
  );
  const closed = logMarginal(bed, t + 1).map(Math.exp);
  return equalityEverywhere(
    { id: `A0 t=${t}`, claim: '∫q(x)q(x′|x)dx = q(x′)', equation: '(4)' },
    pushed,
    closed,
    ROUNDING,
  );
}

/** The posterior given the clean data: c1, c2 and β̃ against Bayes on the grid. */
export function forwardPosterior(bed: TestBed, { t, xNext }: At, clean: number): Check {
  const { alphaBars } = bed.levels;
  const { c1, c2, variance } = bed.posterior;
  const centre = Math.sqrt(alphaBars[t]) * clean;
  const sd = Math.sqrt(1 - alphaBars[t]);
  // A grid of its own: at t = 0 all of this happens within a few hundredths.
  const near = line(centre - 12 * sd, centre + 12 * sd, 2401);
  const joint = tabulate(near, (x) => logNormal(x, centre, sd * sd) + logForward(bed, t, x, xNext));
  const logZ = logIntegral(near, joint);
  const mean = c1[t] * clean + c2[t] * xNext;
  return equalityEverywhere(
    { id: `A0′ t=${t}`, claim: 'q(x|x′,x̂) = N(c₁x̂ + c₂x′, β̃)', equation: '(9)' },
    joint.map((value) => Math.exp(value - logZ)),
    tabulate(near, (x) => Math.exp(logNormal(x, mean, variance[t]))),
    // Relative to a density that reaches 38 at t = 0.
    1e-10,
    { c1: c1[t], c2: c2[t], variance: variance[t] },
  );
}

/** (6): the conditional model is a density of x_t, for whatever energy. */
export function conditionalIsNormalised(bed: TestBed, at: At): Check {
  const { density, logZ } = conditionalModel(bed, at);
  const ones = new Float64Array(density.length).fill(1);
  return equality(
    { id: '(6)', claim: '∫p_θ(x|x′)dx = 1', equation: '(6)' },
    expectation(bed.x, density, ones),
    1,
    ROUNDING,
    { logZ },
  );
}

/** (5) against (7): the expected divergence is a constant minus the recovery likelihood. */
export function recoveryLikelihood(bed: TestBed, t: number): Check {
  const prior = logMarginal(bed, t);
  const energies = energyValues(bed);
  const parts = overConditions(bed, t, (at) => {
    const logQ = logTruePosterior(bed, at, prior);
    const model = conditionalModel(bed, at, energies);
    const q = logQ.map(Math.exp);
    return [
      divergence(bed.x, logQ, model.logDensity),
      expectation(bed.x, q, logQ),
      expectation(bed.x, q, energies) +
        expectation(bed.x, q, logForwardValues(bed, at)) -
        model.logZ,
    ];
  });
  const [kl, constant, likelihood] = parts;
  return equality(
    {
      id: `A1 t=${t}`,
      claim: 'E KL(q(x|x′) ‖ p_θ(x|x′)) = C − E log p_θ(x|x′)',
      equation: '(5), (7), (25)–(27)',
    },
    kl,
    constant - likelihood,
    ROUNDING,
    { constant, likelihood },
  );
}

/** (28): with e^E ∝ q(x_t) the model is the true posterior, whatever x_{t+1}. */
export function optimumIsPosterior(bed: TestBed, t: number, scale = 2.5): Check {
  const best = logMarginal(bed, t).map((logQ) => Math.log(scale) + logQ);
  const left: number[] = [];
  const right: number[] = [];
  for (const xNext of CONDITIONS) {
    left.push(...conditionalModel(bed, { t, xNext }, best).density);
    right.push(...logTruePosterior(bed, { t, xNext }).map(Math.exp));
  }
  return equalityEverywhere(
    { id: 'A2', claim: 'e^E = c·q(x) ⇒ p_θ(x|x′) = q(x|x′)', equation: '(28)' },
    left,
    right,
    ROUNDING,
  );
}

/** Values of x_{t+1} at which claims "for every x_{t+1}" are checked. */
const CONDITIONS = [-2.5, -1, 0, 0.74, 1.9];

/** (29): Z̃(x_{t+1})/q(x_{t+1}) does not depend on x_{t+1} at the optimum; it is c. */
export function ratioIsConstant(bed: TestBed, t: number, scale = 2.5): Check {
  const next = marginal(bed, t + 1);
  const best = logMarginal(bed, t).map((logQ) => Math.log(scale) + logQ);
  const ratios = CONDITIONS.map((xNext) =>
    Math.exp(conditionalModel(bed, { t, xNext }, best).logZ - logMixture(next, xNext)),
  );
  return equalityEverywhere(
    { id: 'A2′', claim: 'Z̃(x′)/q(x′) = e^E/q(x) = c', equation: '(29)' },
    ratios,
    ratios.map(() => scale),
    10 * ROUNDING,
  );
}

/** (30): normalising e^E at the optimum gives the marginal q(x_t), at every level. */
export function optimumIsMarginal(bed: TestBed, scale = 2.5): Check {
  const left: number[] = [];
  const right: number[] = [];
  for (let t = 0; t < bed.levels.steps; t++) {
    const logQ = logMarginal(bed, t);
    const energies = logQ.map((value) => value + Math.log(scale));
    const logZ = logIntegral(bed.x, energies);
    left.push(...energies.map((value) => Math.exp(value - logZ)));
    right.push(...logQ.map(Math.exp));
  }
  return equalityEverywhere(
    { id: 'A2″', claim: 'e^E/Z = q(x) for all t', equation: '(30)' },
    left,
    right,
    ROUNDING,
  );
}

/**
 * (31): from q(x_T) the conditional models at their optimum, each normalised by its own Z̃, lead back
 * to the data, level by level.
 */
export function chainCloses(bed: TestBed): Check {
  const { steps } = bed.levels;
  let density = logMarginal(bed, steps).map(Math.exp);
  for (let t = steps - 1; t >= 0; t--) {
    const best = logMarginal(bed, t);
    const back = new Float64Array(density.length);
    bed.x.x.forEach((xNext, j) => {
      const weight = density[j] * bed.x.step;
      if (weight < NEGLIGIBLE) return;
      const model = conditionalModel(bed, { t, xNext }, best).density;
      for (let i = 0; i < back.length; i++) back[i] += weight * model[i];
    });
    density = back;
  }
  return equalityEverywhere(
    { id: 'A2‴', claim: 'q(x_T)·∏p_θ(x|x′) has the marginal q(x₀)', equation: '(31)' },
    density,
    logMarginal(bed, 0).map(Math.exp),
    10 * ROUNDING,
  );
}

/** E_p[features]: what ∇_θ of an energy linear in θ averages to. */
export function featureMeans(bed: TestBed, density: Values): number[] {
  return bed.features.map((feature) => expectation(bed.x, density, tabulate(bed.x, feature)));
}

/** (32)–(34): the gradient of log Z̃ is the model's expectation of the gradient of the energy. */
export function partitionGradient(bed: TestBed, at: At): Check {
  const logZ = (theta: readonly number[]) =>
    conditionalModel(bed, at, energyValues(bed, theta)).logZ;
  const differences = bed.theta.map((_, j) =>
    slope((value) => logZ(bed.theta.with(j, value)), bed.theta[j]),
  );
  const means = featureMeans(bed, conditionalModel(bed, at).density);
  return equalityEverywhere(
    { id: 'A3', claim: '∇_θ log Z̃(x′) = E_{p_θ(x|x′)}[∇_θE]', equation: '(32)–(34)' },
    differences,
    means,
    DIFFERENCES,
  );
}

/** (8): the gradient of the recovery likelihood, by differences and as two expectations. */
export function recoveryGradient(bed: TestBed, t: number): Check {
  const q = logMarginal(bed, t).map(Math.exp);
  const likelihood = (theta: readonly number[]) => {
    const energies = energyValues(bed, theta);
    const [logZ] = overConditions(bed, t, (at) => [conditionalModel(bed, at, energies).logZ]);
    return expectation(bed.x, q, energies) - logZ;
  };
  const energies = energyValues(bed);
  const features = bed.features.map((feature) => tabulate(bed.x, feature));
  const negative = overConditions(bed, t, (at) => {
    const { density } = conditionalModel(bed, at, energies);
    return features.map((values) => expectation(bed.x, density, values));
  });
  const positive = featureMeans(bed, q);
  return equalityEverywhere(
    { id: `(8) t=${t}`, claim: '∇_θ(7) = E_q[∇_θE] − E_{q(x′)p_θ}[∇_θE]', equation: '(8)' },
    bed.theta.map((_, j) => slope((value) => likelihood(bed.theta.with(j, value)), bed.theta[j])),
    positive.map((value, j) => value - negative[j]),
    DIFFERENCES,
  );
}

/**
 * (22) against (8): training on generated samples changes the gradient by a difference of two
 * expectations, which Pinsker's inequality bounds by the divergence that (11) minimises.
 * @param generated log p_φ(x_t | x_{t+1}) on the grid.
 */
export function adversarialGap(bed: TestBed, at: At, generated: Values): Check {
  const model = conditionalModel(bed, at);
  const fake = featureMeans(bed, generated.map(Math.exp));
  const exact = featureMeans(bed, model.density);
  const kl = divergence(bed.x, generated, model.logDensity);
  const ranges = bed.features.map((feature) => spread(tabulate(bed.x, feature)));
  const gaps = fake.map((value, j) => Math.abs(value - exact[j]) / ranges[j]);
  return atLeast(
    { id: '(22)', claim: '√(KL(p_φ‖p_θ)/2) ≥ |∇(22) − ∇(8)| / range(∇_θE)', equation: '(22)' },
    Math.sqrt(kl / 2),
    Math.max(...gaps),
    ROUNDING,
    { kl },
  );
}

function spread(values: Values): number {
  return Math.max(...values) - Math.min(...values);
}

/** E_{q(x_{t+1})} of some numbers that depend on x_{t+1}. */
export function overConditions(
  bed: TestBed,
  t: number,
  of: (at: At) => readonly number[],
): number[] {
  checkedLevel(bed, t);
  const weights = logMarginal(bed, t + 1).map(Math.exp);
  let sums: number[] = [];
  bed.x.x.forEach((xNext, j) => {
    const weight = weights[j] * bed.x.step;
    if (weight < NEGLIGIBLE) return;
    const values = of({ t, xNext });
    sums = values.map((value, i) => (sums[i] ?? 0) + weight * value);
  });
  return sums;
}
