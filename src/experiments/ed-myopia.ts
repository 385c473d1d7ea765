import { ConfigError } from '../core/errors.ts';
import { hostTensor } from '../core/host-tensor.ts';
import { type Key, normal } from '../core/random.ts';
import { jit, type Tensor, tf } from '../jit/index.ts';
import { energyDiscrepancy } from '../objectives/energy-discrepancy.ts';
import { drawMixture, logMixture, type Mixture } from './derivations/mixture.ts';
import {
  exactDiscrepancy,
  exactLikelihood,
  exactScoreMatching,
  mixtureScore,
} from './ed-myopia-exact.ts';
import { edPreset } from './ed-preset.ts';
import { type Overrides, withOverrides } from './overrides.ts';

/** All that decides the numbers, beside the seed. Nothing is trained. */
export interface EdMyopiaConfig {
  /** Data points. */
  readonly points: number;
  /** True weight of the left component. */
  readonly weight: number;
  /** The components are N(-centre, sd^2) and N(centre, sd^2). */
  readonly centre: number;
  readonly sd: number;
  /** Model weights: first, last and their distance. */
  readonly sweep: { readonly first: number; readonly last: number; readonly step: number };
  /** M and w of the estimator. */
  readonly particles: number;
  readonly stabiliser: number;
  /** Density curve on [-limit, limit]. */
  readonly limit: number;
}

/** t, the variances of the published figure. */
const VARIANCES = [2, 4, 8, 32] as const;

const PAPER: EdMyopiaConfig = {
  points: 4096,
  weight: 0.2,
  centre: 5,
  sd: 1,
  sweep: { first: 0.01, last: 0.98, step: 0.01 },
  particles: 4,
  stabiliser: 1,
  limit: 10,
};

/** The whole experiment takes seconds: `quick` is the published one. */
const PRESETS = {
  smoke: { points: 512, 'sweep.step': 0.05, 'sweep.first': 0.05 },
  quick: {},
  paper: {},
} as const satisfies Record<string, Overrides>;

export interface EdMyopiaOptions {
  /** Default `quick`. */
  readonly preset?: string;
  /** Default 0. */
  readonly seed?: number;
  /** Changes to the preset by dotted path. */
  readonly overrides?: Overrides;
}

/** One loss over the model weights. */
export interface MyopiaCurve {
  /** `t` is there for energy discrepancy only. */
  readonly loss: 'score-matching' | 'maximum-likelihood' | 'energy-discrepancy';
  readonly t?: number;
  /** On the sample; the latter two shifted so that their least value is 0. */
  readonly sample: readonly number[];
  /** By quadrature under the true law, 0 at the true weight; discrepancy for w = 0, M to infinity. */
  readonly exact: readonly number[];
  /** Weight at which the sample curve is least. */
  readonly best: number;
  /** First weight above `best` where the sample curve passes 0.1, the top of the figure. */
  readonly leaves: number | undefined;
}

export interface EdMyopiaResult {
  readonly preset: string;
  readonly seed: number;
  readonly config: EdMyopiaConfig;
  readonly weights: readonly number[];
  readonly curves: readonly MyopiaCurve[];
  readonly density: { readonly x: readonly number[]; readonly p: readonly number[] };
  /** Share of the sample drawn from the left component, to which every estimate is subject. */
  readonly leftShare: number;
}

/**
 * The nearsightedness of score matching (Schröder et al., NeurIPS 2023, Figure 1): how the losses
 * of score matching, maximum likelihood and energy discrepancy depend on the weight of one of two
 * modes that hardly overlap. One sample and one draw of noise per t serve all weights, so that the
 * curves are smooth.
 * @throws ConfigError for an unknown preset or setting, or a value out of range.
 */
export function runEdMyopia(options: EdMyopiaOptions = {}): EdMyopiaResult {
  const { preset = 'quick', seed = 0, overrides = {} } = options;
  const config = edMyopiaConfig({ preset, overrides });
  const truth = twoModes(config, config.weight);
  const data = drawMixture(truth, { seed, stream: 'ed-myopia/data', step: 0 }, config.points);
  const { first, last, step } = config.sweep;
  const count = Math.round((last - first) / step) + 1;
  const weights = Array.from({ length: count }, (_, i) => Number((first + i * step).toFixed(6)));
  const models = weights.map((weight) => twoModes(config, weight));

  const matching = models.map((model) => mean(data, (x) => halfSquaredGap(model, truth, x)));
  const likelihood = models.map((model) => mean(data, (x) => -logMixture(model, x)));
  const curves = [
    curve(
      'score-matching',
      weights,
      matching,
      models.map((m) => exactScoreMatching(truth, m)),
    ),
    curve(
      'maximum-likelihood',
      weights,
      fromLeast(likelihood),
      models.map((m) => exactLikelihood(truth, m)),
    ),
    ...VARIANCES.map((t) =>
      curve(
        'energy-discrepancy',
        weights,
        fromLeast(sampleDiscrepancy(config, data, weights, t, seed)),
        models.map((m) => exactDiscrepancy(truth, m, t)),
        t,
      ),
    ),
  ];
  const x = Array.from({ length: 401 }, (_, i) => config.limit * (i / 200 - 1));
  return {
    preset,
    seed,
    config,
    weights,
    curves,
    density: { x, p: x.map((v) => Math.exp(logMixture(truth, v))) },
    leftShare: mean(data, (v) => (v < 0 ? 1 : 0)),
  };
}

/** @throws ConfigError for an unknown preset or setting, or a value out of range. */
export function edMyopiaConfig(
  options: { readonly preset?: string; readonly overrides?: Overrides } = {},
): EdMyopiaConfig {
  const base = withOverrides(PAPER, PRESETS[edPreset(options.preset ?? 'quick')]);
  const config = withOverrides(base, options.overrides ?? {});
  const { first, last, step } = config.sweep;
  const inside = (w: number) => w > 0 && w < 1;
  const faults: Record<string, boolean> = {
    'points must be a count of at least 1': !(Number.isSafeInteger(config.points) && config.points),
    'weight must be in 0 .. 1': !inside(config.weight),
    'sd must be positive': !(config.sd > 0),
    'sweep must run upwards inside 0 .. 1': !(inside(first) && inside(last) && last >= first),
    'sweep.step must be positive': !(step > 0),
    'particles must be a count of at least 1': !(
      Number.isSafeInteger(config.particles) && config.particles > 0
    ),
    'stabiliser must not be negative': !(config.stabiliser >= 0),
    'limit must be positive': !(config.limit > 0),
  };
  for (const [fault, isSo] of Object.entries(faults)) {
    if (isSo) throw new ConfigError(`edMyopiaConfig: ${fault}, got ${JSON.stringify(config)}`);
  }
  return config;
}

function twoModes({ centre, sd }: EdMyopiaConfig, weight: number): Mixture {
  return { weights: [weight, 1 - weight], means: [-centre, centre], sds: [sd, sd] };
}

function halfSquaredGap(model: Mixture, truth: Mixture, x: number): number {
  return 0.5 * (mixtureScore(model, x) - mixtureScore(truth, x)) ** 2;
}

/** The estimator of the objective itself, at every weight with the same noise. */
function sampleDiscrepancy(
  config: EdMyopiaConfig,
  data: Float64Array,
  weights: readonly number[],
  t: number,
  seed: number,
): number[] {
  const { points, particles, stabiliser, centre, sd } = config;
  const key = (name: string): Key => ({ seed, stream: `ed-myopia/t=${t}/${name}`, step: 0 });
  const x = hostTensor(Float32Array.from(data), [points, 1]);
  const shared = hostTensor(normal(key('shared'), points), [points, 1]);
  const each = hostTensor(normal(key('particles'), points * particles), [points, particles, 1]);
  const component = (at: Tensor, mean: number, weight: Tensor) =>
    tf.sub(tf.log(weight), tf.mul(tf.square(tf.sub(at, mean)), 0.5 / sd ** 2));
  // Up to a constant, which a discrepancy does not see.
  const energy = (weight: Tensor) => (at: Tensor) => {
    const parts = [component(at, -centre, weight), component(at, centre, tf.sub(1, weight))];
    return tf.neg(tf.logSumExp(tf.concat(parts, 1), 1));
  };
  const loss = jit(
    (weight: Tensor, at: Tensor, sharedNoise: Tensor, noise: Tensor) =>
      energyDiscrepancy(
        energy(weight),
        at,
        { shared: sharedNoise, particles: noise },
        { variance: t, stabiliser },
      ),
    { name: `ed-myopia/t=${t}` },
  ) as unknown as (...args: unknown[]) => Tensor;
  return weights.map((weight) => {
    const value = loss(weight, x, shared, each);
    const number = value.dataSync()[0];
    value.dispose();
    return number;
  });
}

function curve(
  loss: MyopiaCurve['loss'],
  weights: readonly number[],
  sample: readonly number[],
  exact: readonly number[],
  t?: number,
): MyopiaCurve {
  const at = sample.indexOf(Math.min(...sample));
  const leaves = weights.find((_, i) => i > at && sample[i] > FRAME_TOP);
  return { loss, ...(t !== undefined && { t }), sample, exact, best: weights[at], leaves };
}

/** Top of the published figure. */
const FRAME_TOP = 0.1;

function fromLeast(values: readonly number[]): number[] {
  const least = Math.min(...values);
  return values.map((v) => v - least);
}

function mean(data: Float64Array, f: (x: number) => number): number {
  return data.reduce((sum, x) => sum + f(x), 0) / data.length;
}
