import { describe, expect, it } from 'vitest';
import { uniform64 } from '../../src/core/random.ts';
import {
  encoderDivergence,
  evidenceDecomposition,
  forwardDivergence,
  generatorObjective,
  jeffreysBound,
  jeffreysBoundIsTight,
} from '../../src/experiments/derivations/evidence.ts';
import { conditionalMinority } from '../../src/experiments/derivations/fits.ts';
import {
  constantEntropies,
  entropyBound,
  entropyBoundHolds,
  entropyDecomposition,
  generatorMarginalises,
  generatorSampling,
  planeGaussianEntropy,
  reverseDivergence,
} from '../../src/experiments/derivations/generator.ts';
import {
  encoderTable,
  generatorTable,
  momentMatchedEncoder,
  priorEncoder,
} from '../../src/experiments/derivations/latent-tables.ts';
import { line } from '../../src/experiments/derivations/line.ts';
import {
  penaltyEquivalence,
  penaltyGradients,
  penaltySampling,
  residualEnergyReaches,
  residualEnergySlope,
  squaredErrorIsLikelihood,
} from '../../src/experiments/derivations/penalty.ts';
import { planeChecks } from '../../src/experiments/derivations/plane.ts';
import {
  adversarialGap,
  chainCloses,
  conditionalIsNormalised,
  forwardMarginal,
  forwardPosterior,
  optimumIsMarginal,
  optimumIsPosterior,
  partitionGradient,
  ratioIsConstant,
  recoveryGradient,
  recoveryLikelihood,
} from '../../src/experiments/derivations/recovery.ts';
import { type TestBed, testBed } from '../../src/experiments/derivations/test-bed.ts';
import {
  importanceSampling,
  importanceWeighting,
  ratioAtOptimum,
  weightCurve,
} from '../../src/experiments/derivations/weight.ts';

const key = (stream: string) => ({ seed: 7, stream, step: 0 });

/** A bed of random numbers on coarser grids, and a condition. */
function randomBed(seed: number): { bed: TestBed; at: { t: number; xNext: number } } {
  const u = uniform64({ seed, stream: 'bed', step: 0 }, 20).map((v) => 2 * v - 1);
  const weight = 0.5 + 0.4 * u[0];
  const bed = testBed({
    schedule: { steps: 3 + (seed % 3), betaMin: 0.1, betaMax: 15 + 8 * u[1] },
    data: {
      weights: [weight, 1 - weight],
      means: [-1.2 + 0.5 * u[2], 0.9 + 0.5 * u[3]],
      sds: [0.4 + 0.1 * u[4], 0.4 + 0.1 * u[5]],
    },
    features: [(x) => Math.sin((1 + 0.5 * u[6]) * x), (x) => x * x, (x) => Math.cos(x + u[7])],
    theta: [u[8], -0.4 + 0.2 * u[9], u[10]],
    generator: (z, xNext) => 1.3 * Math.tanh((1 + 0.4 * u[11]) * z + u[12] * xNext + 0.3 * u[13]),
    encoder: (x, xNext) => ({
      mean: 0.6 * u[14] * Math.tanh(x) + 0.2 * u[15] * xNext,
      variance: 0.6 + 0.25 * u[16] * Math.cos(x),
    }),
    x: line(-9, 9, 241),
    z: line(-8, 8, 161),
  });
  return { bed, at: { t: 1 + (seed % (bed.levels.steps - 1)), xNext: 1.5 * u[17] } };
}

describe.each([1, 2, 3, 4])('on the random test bed %i', (seed) => {
  const { bed, at } = randomBed(seed);
  const { t } = at;

  it('every exact identity holds', () => {
    const checks = [
      forwardMarginal(bed, t),
      forwardPosterior(bed, at, 0.6),
      forwardPosterior(bed, { ...at, t: 0 }, -0.9),
      conditionalIsNormalised(bed, at),
      recoveryLikelihood(bed, 0),
      recoveryLikelihood(bed, t),
      optimumIsPosterior(bed, t, 0.3),
      ratioIsConstant(bed, t, 0.3),
      optimumIsMarginal(bed),
      chainCloses(bed),
      partitionGradient(bed, at),
      recoveryGradient(bed, t),
      adversarialGap(bed, at, generatorTable(bed, at).logDensity),
      generatorMarginalises(bed, at),
      reverseDivergence(bed, at),
      entropyDecomposition(bed, at),
      constantEntropies(bed, at),
      planeGaussianEntropy(bed, [0.7, 0.9], 0.5),
      entropyBound(bed, at),
      entropyBoundHolds(bed, at),
      evidenceDecomposition(bed, at),
      encoderDivergence(bed, at),
      forwardDivergence(bed, at),
      jeffreysBound(bed, at),
      jeffreysBoundIsTight(bed, at),
      importanceWeighting(bed, at),
      ratioAtOptimum(bed, at),
      weightCurve(0.7, 0.1 * seed),
      penaltyEquivalence(bed, t),
      squaredErrorIsLikelihood(bed, t, key('residuals')),
      residualEnergySlope(bed),
      residualEnergyReaches(bed, at),
    ];
    const wrong = checks.filter((check) => !check.holds);
    expect(wrong.map(({ id, residual, tolerance }) => ({ id, residual, tolerance }))).toEqual([]);
  });

  it('every estimate lies within four standard errors', () => {
    for (const check of [
      generatorSampling(bed, at, key('g'), 20_000),
      generatorObjective(bed, at, key('o'), 20_000),
      importanceSampling(bed, at, key('i'), 20_000),
      penaltySampling(bed, t, key('p'), 20_000),
    ]) {
      expect(check.residual, check.id).toBeLessThanOrEqual(check.tolerance);
    }
  });

  it('a better encoder gives a smaller slack, the exact one none', () => {
    const tables = generatorTable(bed, at);
    const slack = (encoder: Float64Array) => entropyBound(bed, at, encoder).terms['slack'];
    const best = slack(momentMatchedEncoder(bed, tables));
    expect(slack(encoderTable(bed, at))).toBeGreaterThan(best);
    expect(slack(priorEncoder(bed, tables))).toBeGreaterThan(best);
    expect(best).toBeGreaterThan(0);
    expect(slack(tables.logLatent)).toBe(0);
  });
});

describe('the identities in the plane', () => {
  it('hold at every level that the grid resolves', () => {
    for (const t of [1, 2]) {
      for (const check of planeChecks(testBed(), t)) expect(check.holds, check.id).toBe(true);
    }
  });
});

describe('a wrong formula', () => {
  const bed = testBed();
  const at = { t: 1, xNext: 0.74 };

  it('for the posterior is noticed', () => {
    const { posterior } = bed;
    for (const name of ['c1', 'c2', 'variance'] as const) {
      const wrong = { ...posterior, [name]: posterior[name].map((v) => v * 1.001) };
      expect(forwardPosterior({ ...bed, posterior: wrong }, at, 0.8).holds, name).toBe(false);
    }
    // DDGAN's coefficients leave β_0 out: c1[0] = 1, c2[0] = 0.
    const ddgan = { ...posterior, c1: posterior.c1.with(0, 1), c2: posterior.c2.with(0, 0) };
    expect(forwardPosterior({ ...bed, posterior: ddgan }, { ...at, t: 0 }, 0.8).holds).toBe(false);
  });

  it('for the schedule is noticed', () => {
    const levels = { ...bed.levels, alphaBars: bed.levels.alphaBars.map((v) => v * 0.999) };
    const off = { ...bed, levels: { ...levels, a: levels.a.map((v) => v * 0.999) } };
    expect(forwardMarginal(off, 1).holds).toBe(false);
    expect(chainCloses(off).holds).toBe(false);
  });

  it('for the constant of the penalty is noticed: it is a²/β, not 1/β or 1/a²', () => {
    const { left, terms } = penaltyEquivalence(bed, 1);
    const [a, beta] = [bed.levels.a[2], bed.levels.betas[2]];
    expect(left - terms['energy']).toBeCloseTo((a * a) / beta, 9);
    for (const wrong of [1 / beta, 1 / (a * a), a / beta]) {
      expect(Math.abs(left - terms['energy'] - wrong)).toBeGreaterThan(0.1);
    }
  });

  it('for the bound is noticed: without what it leaves out, A8 is an inequality', () => {
    const { left, terms } = forwardDivergence(bed, at);
    expect(terms['bound'] - left).toBeCloseTo(terms['gap'], 12);
    expect(terms['gap']).toBeGreaterThan(0.05);
  });
});

describe('the default test bed', () => {
  const bed = testBed();
  const at = { t: 1, xNext: 0.74 };

  it('gives the numbers of an independent computation', () => {
    expect(reverseDivergence(bed, at).left).toBeCloseTo(0.063492, 6);
    const forward = forwardDivergence(bed, at);
    expect(forward.left).toBeCloseTo(0.056344, 6);
    expect(forward.terms['bound']).toBeCloseTo(0.161147, 6);
    expect(entropyBound(bed, at).terms['slack']).toBeCloseTo(0.131937, 6);
    const divergences = [0, 1, 2, 3].map((t) => recoveryLikelihood(bed, t).left);
    [0.663237, 0.046882, 0.091311, 0.110183].forEach((value, t) => {
      expect(divergences[t]).toBeCloseTo(value, 6);
    });
  });

  it('has ambiguous conditionals at few steps only', () => {
    const [few, many] = [4, 16].map((steps) =>
      conditionalMinority(testBed({ schedule: { ...bed.schedule, steps } }), 0),
    );
    expect(few).toBeGreaterThan(0.1);
    expect(many).toBeLessThan(0.005);
  });

  it('has noisier gradients of the penalty on pairs, of the same mean', () => {
    for (const g of penaltyGradients(bed, 0, key('gradients'), 50_000)) {
      expect(g.pairs.standardError).toBeGreaterThan(1.2 * g.plain.standardError);
      for (const { mean, standardError } of [g.pairs, g.plain]) {
        expect(Math.abs(mean - g.exact)).toBeLessThan(4 * standardError);
      }
    }
  });
});
