import { type Key, normal64, substream } from '../../core/random.ts';
import { atLeast, type Check, equality, equalityEverywhere, estimate } from './check.ts';
import { reverseBound } from './generator.ts';
import {
  encoderTable,
  type GeneratorTable,
  generatorTable,
  jointExpectation,
  type Table,
} from './latent-tables.ts';
import { divergence, entropy, expectation, type Values } from './line.ts';
import { logNormal } from './mixture.ts';
import { type At, conditionalModel, energy, logForward, type TestBed } from './test-bed.ts';

const ROUNDING = 1e-10;

/** The three parts of log p_φ(x_t | x_{t+1}) at every x_t. */
export interface Evidence {
  /** E_{q_ψ}[log p_φ(x_t | x_{t+1}, z)]. */
  readonly reconstruction: Values;
  /** KL(q_ψ ‖ p(z)). */
  readonly prior: Values;
  /** KL(q_ψ ‖ p_φ(z | x_t, x_{t+1})): what the bound leaves out. */
  readonly gap: Values;
}

export function evidenceParts(bed: TestBed, tables: GeneratorTable, encoder: Table): Evidence {
  const nz = bed.z.x.length;
  const at = (t: Table, i: number) => t.subarray(i * nz, (i + 1) * nz);
  const each = (f: (logQ: Values, i: number) => number) =>
    bed.x.x.map((_, i) => f(at(encoder, i), i));
  return {
    reconstruction: each((logQ, i) =>
      expectation(bed.z, logQ.map(Math.exp), at(tables.logGiven, i)),
    ),
    prior: each((logQ) => divergence(bed.z, logQ, tables.logPrior)),
    gap: each((logQ, i) => divergence(bed.z, logQ, at(tables.logLatent, i))),
  };
}

/** Points that the generator reaches: elsewhere both sides are large and float64 runs out. */
const REACHED = Math.log(1e-8);

/** (18), (44): the evidence is its lower bound plus the divergence of the encoder. */
export function evidenceDecomposition(
  bed: TestBed,
  at: At,
  encoder = encoderTable(bed, at),
): Check {
  const tables = generatorTable(bed, at);
  const { reconstruction, prior, gap } = evidenceParts(bed, tables, encoder);
  const reached = (_: number, i: number) => tables.logDensity[i] > REACHED;
  const sum = reconstruction.map((r, i) => r - prior[i] + gap[i]);
  return equalityEverywhere(
    {
      id: 'A7',
      claim: 'log p_φ(x|x′) = E_{q_ψ}log p_φ(x|x′,z) − KL(q_ψ‖p(z)) + KL(q_ψ‖p_φ(z|x,x′))',
      equation: '(18), (44)',
    },
    tables.logDensity.filter(reached),
    sum.filter(reached),
    ROUNDING,
  );
}

/** KL(q_ψ ‖ N(0, 1)) by quadrature and in closed form, ½(μ² + σ² − 1 − log σ²), at every x_t. */
export function encoderDivergence(bed: TestBed, at: At): Check {
  const tables = generatorTable(bed, at);
  const { prior } = evidenceParts(bed, tables, encoderTable(bed, at));
  const closed = bed.x.x.map((x) => {
    const { mean, variance } = bed.encoder(x, at.xNext);
    return 0.5 * (mean * mean + variance - 1 - Math.log(variance));
  });
  return equalityEverywhere(
    { id: 'A7′', claim: 'KL(N(μ,σ²)‖N(0,1)) = ½(μ² + σ² − 1 − log σ²)', equation: '(18)' },
    prior,
    closed,
    ROUNDING,
  );
}

/** (12), (19), (45)–(46): KL(p_θ ‖ p_φ) through the bound and what the bound leaves out. */
export function forwardDivergence(bed: TestBed, at: At, encoder = encoderTable(bed, at)): Check {
  const tables = generatorTable(bed, at);
  const model = conditionalModel(bed, at);
  const { reconstruction, prior, gap } = evidenceParts(bed, tables, encoder);
  const over = (f: Values) => expectation(bed.x, model.density, f);
  const terms = {
    entropy: entropy(bed.x, model.logDensity),
    reconstruction: -over(reconstruction),
    prior: over(prior),
    gap: over(gap),
  };
  const bound = -terms.entropy + terms.reconstruction + terms.prior;
  return equality(
    {
      id: 'A8',
      claim: 'KL(p_θ‖p_φ) = −H(p_θ) − E_{p_θ}[ELBO] − E_{p_θ}KL(q_ψ‖p_φ(z|x,x′))',
      equation: '(12), (19), (45)–(46)',
    },
    divergence(bed.x, model.logDensity, tables.logDensity),
    bound - terms.gap,
    ROUNDING,
    { bound, ...terms },
  );
}

/** (10): the two bounds together lie above Jeffreys' divergence; exactly on it for q_ψ = p_φ(z|·). */
export function jeffreysBound(bed: TestBed, at: At, encoder = encoderTable(bed, at)): Check {
  const tables = generatorTable(bed, at);
  const model = conditionalModel(bed, at);
  const reverse = divergence(bed.x, tables.logDensity, model.logDensity);
  const forward = forwardDivergence(bed, at, encoder);
  const upper = reverseBound(bed, at, encoder) + forward.terms['bound'];
  return atLeast(
    { id: 'A10', claim: 'bound (17) + bound (19) ≥ KL(p_φ‖p_θ) + KL(p_θ‖p_φ)', equation: '(10)' },
    upper,
    reverse + forward.left,
    ROUNDING,
    { reverse, forward: forward.left },
  );
}

/** A10 with the exact posterior in place of the encoder: equality. */
export function jeffreysBoundIsTight(bed: TestBed, at: At): Check {
  const { left, right } = jeffreysBound(bed, at, generatorTable(bed, at).logLatent);
  return equality(
    { id: 'A10 exact', claim: 'equality for q_ψ = p_φ(z|x,x′)', equation: '(10)' },
    left,
    right,
    ROUNDING,
  );
}

/**
 * (17) as it is trained: one z and one ε per draw, nothing integrated, against the sum over the
 * grids.
 */
export function generatorObjective(bed: TestBed, at: At, key: Key, draws: number): Check {
  const { t, xNext } = at;
  const { c1, c2, variance } = bed.posterior;
  const z = normal64(substream(key, 'z'), draws);
  const noise = normal64(substream(key, 'noise'), draws);
  const losses = z.map((latent, i) => {
    const x =
      c1[t] * bed.generator(latent, xNext) + c2[t] * xNext + Math.sqrt(variance[t]) * noise[i];
    const code = bed.encoder(x, xNext);
    const nll = -logNormal(latent, code.mean, code.variance);
    return nll - energy(bed, x) - logForward(bed, t, x, xNext);
  });
  const tables = generatorTable(bed, at);
  const encoder = encoderTable(bed, at);
  const nz = bed.z.x.length;
  const exact = jointExpectation(
    bed,
    tables,
    encoder.map((logQ, i) => {
      const x = bed.x.x[Math.floor(i / nz)];
      return -logQ - energy(bed, x) - logForward(bed, t, x, xNext);
    }),
  );
  return estimate(
    { id: '(17) MC', claim: 'one draw of (z, x) estimates (17) without bias', equation: '(17)' },
    losses,
    exact,
  );
}
