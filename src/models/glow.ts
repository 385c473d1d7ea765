import { type Tensor, tf } from '../jit/tf.ts';
import { type ParamSpecs, type Params, scoped } from '../nn/params.ts';
import { type Mlp, mlp } from './mlp.ts';
import type { NetworkSpec } from './network.ts';

/** A normalising flow on the plane with exact density and sampling. */
export interface PlaneFlow extends NetworkSpec {
  /** log q(x) with a standard normal base, [B, 2] → [B]. */
  logDensity(params: Params, x: Tensor): Tensor;
  /** The sample of a base point z, [B, 2] → [B, 2]: the inverse of what `logDensity` evaluates. */
  sample(params: Params, z: Tensor): Tensor;
}

/** The log-scale of a coupling stays within ±this, so that no step explodes. */
const MAX_LOG_SCALE = 2;

/**
 * Glow (Kingma & Dhariwal 2018) for 2-D data: `blocks` times actnorm → invertible 2×2 matrix →
 * affine coupling of one coordinate on the other, whose network 1 → width → width → 2 has three
 * affine layers (five blocks are the 15 of DDAEBM's App. B.2.1). Couplings start as the identity.
 * The 2×2 matrices are given by angle, log-stretches and shear, W = R(a)·[[e^p, s], [0, e^r]]: any
 * matrix of positive determinant, invertible for all parameter values, log|det W| = p + r.
 */
export function glowPlane(blocks = 5, width = 300): PlaneFlow {
  const couplings = Array.from({ length: blocks }, (_, i) =>
    mlp({ widths: [1, width, width, 2], prefix: `blocks.${i}.coupling.` }),
  );
  const params: Record<string, ParamSpecs[string]> = {};
  const zero = { kind: 'constant', value: 0 } as const;
  couplings.forEach((net, i) => {
    const key = (name: string) => `blocks.${i}.${name}`;
    params[key('actnorm.log_scale')] = { shape: [2], init: zero };
    params[key('actnorm.bias')] = { shape: [2], init: zero };
    // A quarter turn apart from the identity, so that successive blocks couple both coordinates.
    params[key('mix.angle')] = { shape: [1], init: { kind: 'constant', value: Math.PI / 4 } };
    params[key('mix.stretch')] = { shape: [2], init: zero };
    params[key('mix.shear')] = { shape: [1], init: zero };
    Object.assign(params, net.params);
    for (const part of ['weight', 'bias']) {
      const last = `${net.layerName(2)}.${part}`;
      params[last] = { ...net.params[last], init: zero };
    }
  });

  return {
    params,
    buffers: {},
    norms: [],
    idleNorms: [],
    logDensity(p, x) {
      let y = x;
      // The part of the log-determinant that is the same for all samples.
      let shared: Tensor = tf.scalar(0);
      let perSample: Tensor = tf.zeros([x.shape[0]]);
      couplings.forEach((net, i) => {
        const block = scoped(p, `blocks.${i}.`);
        const logScale = block['actnorm.log_scale'];
        y = tf.add(tf.mul(y, tf.exp(logScale)), block['actnorm.bias']);
        y = tf.matMul(y as tf.Tensor2D, mixing(block), false, true);
        shared = tf.add(shared, tf.sum(tf.add(logScale, block['mix.stretch'])));
        const [held, moved] = tf.split(y, 2, 1);
        const { shift, scale } = couple(net, p, held);
        y = tf.concat([held, tf.add(tf.mul(moved, tf.exp(scale)), shift)], 1);
        perSample = tf.add(perSample, tf.reshape(scale, [-1]));
      });
      const base = tf.sub(tf.mul(tf.sum(tf.square(y), 1), -0.5), Math.log(2 * Math.PI));
      return tf.add(tf.add(base, perSample), shared);
    },
    sample(p, z) {
      let y = z;
      for (let i = blocks - 1; i >= 0; i--) {
        const block = scoped(p, `blocks.${i}.`);
        const [held, moved] = tf.split(y, 2, 1);
        const { shift, scale } = couple(couplings[i], p, held);
        y = tf.concat([held, tf.mul(tf.sub(moved, shift), tf.exp(tf.neg(scale)))], 1);
        y = tf.matMul(y as tf.Tensor2D, inverseMixing(block), false, true);
        const unscaled = tf.sub(y, block['actnorm.bias']);
        y = tf.mul(unscaled, tf.exp(tf.neg(block['actnorm.log_scale'])));
      }
      return y;
    },
  };
}

function couple(net: Mlp, params: Params, held: Tensor): { shift: Tensor; scale: Tensor } {
  const [shift, raw] = tf.split(net.apply(params, held), 2, 1);
  return { shift, scale: tf.mul(tf.tanh(raw), MAX_LOG_SCALE) };
}

/** R(a)·U with U = [[e^p, s], [0, e^r]]. */
function mixing(block: Params): tf.Tensor2D {
  const [p, r] = tf.split(tf.exp(block['mix.stretch']), 2, 0);
  return tf.matMul(rotation(block['mix.angle']), matrix(p, block['mix.shear'], tf.zeros([1]), r));
}

/** U⁻¹·R(−a), U⁻¹ = [[e^−p, −s·e^−p−r], [0, e^−r]]. */
function inverseMixing(block: Params): tf.Tensor2D {
  const [p, r] = tf.split(tf.exp(tf.neg(block['mix.stretch'])), 2, 0);
  const shear = tf.neg(tf.mul(block['mix.shear'], tf.mul(p, r)));
  return tf.matMul(matrix(p, shear, tf.zeros([1]), r), rotation(tf.neg(block['mix.angle'])));
}

function rotation(angle: Tensor): tf.Tensor2D {
  const [c, s] = [tf.cos(angle), tf.sin(angle)];
  return matrix(c, tf.neg(s), s, c);
}

function matrix(a: Tensor, b: Tensor, c: Tensor, d: Tensor): tf.Tensor2D {
  return tf.reshape(tf.concat([a, b, c, d]), [2, 2]);
}
