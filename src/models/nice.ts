import { ConfigError } from '../core/errors.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { prelu, softplus } from '../nn/activations.ts';
import { embedLevels } from '../nn/embedding.ts';
import { linearSpecs, preluSpecs } from '../nn/initialise.ts';
import { linear } from '../nn/linear.ts';
import type { ParamSpec, Params } from '../nn/params.ts';
import type { EnergyNetwork, NetworkSpec, TimeInput } from './network.ts';

const COUPLINGS = 4;
const LOG_2PI = Math.log(2 * Math.PI);

export interface NiceConfig {
  /** Dimension of the data, even. Default 784. */
  readonly dim?: number;
  /** Width of the hidden layers of a coupling. Default 1000. */
  readonly width?: number;
  /** Affine layers of a coupling, at least two. Default 5: four hidden layers. */
  readonly layers?: number;
}

export interface TimeNiceConfig extends NiceConfig {
  /** Dimension of the time embedding. Default 50. */
  readonly timeDim?: number;
  /**
   * After the hidden layers: PReLU with one slope each (DDAEBM, Table 7; default), or Softplus as
   * in the network without time.
   */
  readonly activation?: 'prelu' | 'softplus';
}

/** A normalising flow with parameters and level bound: x ↔ y with y standard normal. */
export interface BoundFlow {
  /** log p(x), exactly normalised: [B, dim] → [B]. */
  logDensity(x: Tensor): Tensor;
  /** y for x, both [B, dim]. */
  forward(x: Tensor): Tensor;
  /** x for y, the inverse of `forward` up to rounding; samples for y ~ N(0, I). */
  inverse(y: Tensor): Tensor;
}

export interface Nice extends NetworkSpec {
  readonly dim: number;
  bind(params: Params): BoundFlow;
}

export interface TimeNice extends EnergyNetwork {
  readonly dim: number;
  /** The flow at the levels of `time`; `bind` is its log-density alone. */
  flow(params: Params, time: TimeInput): BoundFlow;
}

/**
 * NICE (Dinh et al. 2015) in the form of VERA and sliced score matching: even coordinates u before
 * odd ones v; four additive couplings, v ← v + m₁(u), u ← u + m₂(v), and again; then a diagonal
 * scale e^s. log p(x) = −(n/2)·log 2π − ½|y|² + Σs: couplings preserve volume.
 * Keys `nice1..4.dense1..L.{weight,bias}`, `scale.scales` [1, dim]; 15,154,352 parameters at the
 * defaults.
 * @throws ConfigError for an odd dimension or fewer than two layers.
 */
export function nice(config: NiceConfig = {}): Nice {
  const c = resolved('nice', config);
  return {
    dim: c.dim,
    params: niceSpecs(c, ''),
    buffers: {},
    norms: [],
    idleNorms: [],
    bind: (params) => boundFlow(c, params, '', (_i, _k, h) => softplus(h)),
  };
}

/**
 * NICE_t, the energy of DDAEBM on MNIST: a NICE for every diffusion level, sharing all weights but
 * one. Each hidden layer becomes σ(W h + b) + PReLU(V e(t) + c), with e(t) the sinusoidal embedding
 * of the level (paper, Table 7: "FC 1000 PReLU + FC 1000 PReLU (t)"; whether e(t) passes through
 * layers of its own first is not said). Every level is exactly normalised.
 * Keys: those of NICE below `base.`, `time.{i}.{k}.{weight,bias}`, `tact.{i}.{k}.weight` and, with
 * PReLU, `act.{i}.{k}.weight`; i counts couplings, k hidden layers, both from 0.
 */
export function timeNice(config: TimeNiceConfig = {}): TimeNice {
  const c = resolved('timeNice', config);
  const { timeDim = 50, activation = 'prelu' } = config;
  const params: Record<string, ParamSpec> = niceSpecs(c, 'base.');
  for (let i = 0; i < COUPLINGS; i++) {
    for (let k = 0; k < c.layers - 1; k++) {
      Object.assign(params, linearSpecs(`time.${i}.${k}`, timeDim, c.width));
      Object.assign(params, preluSpecs(`tact.${i}.${k}`));
      if (activation === 'prelu') Object.assign(params, preluSpecs(`act.${i}.${k}`));
    }
  }
  const flow = (p: Params, time: TimeInput): BoundFlow => {
    const embedding = embedLevels(time.levels, timeDim);
    const shift = (i: number, k: number): Tensor => {
      const rows = prelu(linear(p, `time.${i}.${k}`, embedding), p[`tact.${i}.${k}.weight`]);
      return time.select === undefined
        ? rows
        : tf.matMul(time.select as tf.Tensor2D, rows as tf.Tensor2D);
    };
    const shifts = Array.from({ length: COUPLINGS }, (_, i) =>
      Array.from({ length: c.layers - 1 }, (_, k) => shift(i, k)),
    );
    return boundFlow(c, p, 'base.', (i, k, h) => {
      const own = activation === 'prelu' ? prelu(h, p[`act.${i}.${k}.weight`]) : softplus(h);
      return tf.add(own, shifts[i][k]);
    });
  };
  return {
    dim: c.dim,
    params,
    buffers: {},
    norms: [],
    idleNorms: [],
    flow,
    bind: (p, time) => flow(p, time).logDensity,
  };
}

function resolved(name: string, config: NiceConfig): Required<NiceConfig> {
  const { dim = 784, width = 1000, layers = 5 } = config;
  if (!Number.isInteger(dim) || dim < 2 || dim % 2 !== 0) {
    throw new ConfigError(`${name}: dim must be an even integer of at least 2, got ${dim}`);
  }
  if (!Number.isInteger(width) || width < 1) {
    throw new ConfigError(`${name}: width must be a positive integer, got ${width}`);
  }
  if (!Number.isInteger(layers) || layers < 2) {
    throw new ConfigError(`${name}: layers must be an integer of at least 2, got ${layers}`);
  }
  return { dim, width, layers };
}

function niceSpecs(
  { dim, width, layers }: Required<NiceConfig>,
  prefix: string,
): Record<string, ParamSpec> {
  const sizes = [dim / 2, ...new Array<number>(layers - 1).fill(width), dim / 2];
  const params: Record<string, ParamSpec> = {};
  for (let i = 1; i <= COUPLINGS; i++) {
    for (let k = 1; k <= layers; k++) {
      const name = `${prefix}nice${i}.dense${k}`;
      Object.assign(params, linearSpecs(name, sizes[k - 1], sizes[k]));
    }
  }
  params[`${prefix}scale.scales`] = { shape: [1, dim], init: { kind: 'constant', value: 0 } };
  return params;
}

/** What follows affine layer `k` of coupling `i`, both from 0. */
type Hidden = (i: number, k: number, h: Tensor) => Tensor;

function boundFlow(
  { dim, layers }: Required<NiceConfig>,
  params: Params,
  prefix: string,
  activate: Hidden,
): BoundFlow {
  const half = dim / 2;
  const scales = params[`${prefix}scale.scales`];
  const shift = (i: number, input: Tensor): Tensor => {
    let h = input;
    for (let k = 0; k < layers - 1; k++) {
      h = activate(i, k, linear(params, `${prefix}nice${i + 1}.dense${k + 1}`, h));
    }
    return linear(params, `${prefix}nice${i + 1}.dense${layers}`, h);
  };
  /** The two halves of y, before they are put behind each other. */
  const halves = (x: Tensor): [Tensor, Tensor] => {
    let [u, v] = evenAndOdd(x, half);
    for (let i = 0; i < COUPLINGS; i += 2) {
      v = tf.add(v, shift(i, u));
      u = tf.add(u, shift(i + 1, v));
    }
    const [su, sv] = tf.split(tf.exp(scales), 2, 1);
    return [tf.mul(u, su), tf.mul(v, sv)];
  };
  return {
    logDensity(x) {
      const [u, v] = halves(x);
      const norm = tf.add(tf.sum(tf.square(u), 1), tf.sum(tf.square(v), 1));
      const constant = tf.sub(tf.sum(scales), 0.5 * dim * LOG_2PI);
      return tf.add(tf.mul(norm, -0.5), constant);
    },
    forward: (x) => tf.concat(halves(x), 1),
    inverse(y) {
      let [u, v] = tf.split(tf.mul(y, tf.exp(tf.neg(scales))), 2, 1) as [Tensor, Tensor];
      for (let i = COUPLINGS - 2; i >= 0; i -= 2) {
        u = tf.sub(u, shift(i + 1, v));
        v = tf.sub(v, shift(i, u));
      }
      return tf.reshape(tf.stack([u, v], 2), [y.shape[0], dim]);
    },
  };
}

function evenAndOdd(x: Tensor, half: number): [Tensor, Tensor] {
  const batch = x.shape[0];
  const pairs = tf.split(tf.reshape(x, [batch, half, 2]), 2, 2);
  return pairs.map((p) => tf.reshape(p, [batch, half])) as [Tensor, Tensor];
}
