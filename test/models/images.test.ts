import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, ShapeError } from '../../src/core/errors.ts';
import type { HostTensor } from '../../src/core/host-tensor.ts';
import { jit } from '../../src/jit/index.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import { encoder64, largeEncoder, smallEncoder } from '../../src/models/encoders.ts';
import {
  DDPMPP_LSUN128,
  NCSNPP_CELEBA64,
  NCSNPP_CIFAR10,
  ncsnppEnergy,
  ncsnppGenerator,
} from '../../src/models/ncsnpp.ts';
import { summariseEncoder, summariseEnergy, summariseGenerator } from '../../src/models/summary.ts';
import { initialise } from '../../src/nn/initialise.ts';
import { countParams, type ParamSpecs } from '../../src/nn/params.ts';
import { randn } from '../nn/calculus.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const SMALL = { size: 16, width: 16, multipliers: [1, 2], blocks: 1, attentionAt: [8] } as const;

function start(specs: ParamSpecs): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(initialise(specs, 3, 'images')).map(([k, h]: [string, HostTensor]) => [
      k,
      tf.tensor(h.data, [...h.shape]),
    ]),
  );
}

describe('networks of the paper', () => {
  it.each([
    ['CIFAR-10', NCSNPP_CIFAR10, 48_432_515, 384, 40_279_171, 374],
    ['CelebA-64', NCSNPP_CELEBA64, 25_651_843, 468, 19_693_955, 458],
    ['LSUN-128', DDPMPP_LSUN128, 37_902_403, 460, 30_273_347, 450],
  ])('%s: parameters and keys of generator and energy', (_, config, g, gKeys, e, eKeys) => {
    const generator = ncsnppGenerator(config).params;
    const energy = ncsnppEnergy(config).params;
    expect([countParams(generator), Object.keys(generator).length]).toEqual([g, gKeys]);
    expect([countParams(energy), Object.keys(energy).length]).toEqual([e, eKeys]);
  });

  it.each([
    ['small', smallEncoder(), 4_772_872, 20],
    ['64', encoder64(), 15_063_048, 23],
    ['large', largeEncoder(), 27_839_304, 54],
  ])('%s encoder: parameters and keys', (_, { params }, n, keys) => {
    expect([countParams(params), Object.keys(params).length]).toEqual([n, keys]);
  });
});

describe('ncsnppEnergy', () => {
  it('starts as −½‖x‖², and is never positive', () => {
    const network = ncsnppEnergy(SMALL);
    const x = randn('energy', [3, 3, 16, 16]);
    const run = jit((p: Record<string, Tensor>, y: Tensor) => network.bind(p, { levels: [2] })(y));
    const energies = run(start(network.params), x).dataSync();
    const norms = tf.sum(tf.square(x), [1, 2, 3]).dataSync();
    energies.forEach((e, i) => {
      expect(Math.abs(e / (-0.5 * norms[i]) - 1)).toBeLessThan(1e-3);
    });
  });

  it('gives a sample the same energy alone, in a batch, and with its level picked from a list', () => {
    const network = ncsnppEnergy({ ...SMALL, filter: 'box', progressiveInput: 'none' });
    const params = Object.fromEntries(
      Object.entries(start(network.params)).map(([k, v]) => [
        k,
        tf.add(v, tf.mul(randn(k, v.shape), 0.1)),
      ]),
    );
    const x = randn('levels', [2, 3, 16, 16]);
    const run = jit((p: Record<string, Tensor>, y: Tensor) => {
      const select = tf.tensor2d([
        [0, 0, 1],
        [1, 0, 0],
      ]);
      const [a, b] = tf.split(y, 2, 0);
      return {
        alone: tf.concat([
          network.bind(p, { levels: [2] })(a),
          network.bind(p, { levels: [0] })(b),
        ]),
        picked: network.bind(p, { levels: [0, 1, 2], select })(y),
        other: network.bind(p, { levels: [1] })(y),
      };
    });
    const { alone, picked, other } = run(params, x);
    const [a, p, o] = [alone, picked, other].map((t) => Array.from(t.dataSync()));
    a.forEach((v, i) => {
      expect(Math.abs(p[i] / v - 1)).toBeLessThan(1e-5);
      expect(Math.abs(o[i] / v - 1)).toBeGreaterThan(1e-4);
    });
  });
});

describe('dropout in a U-Net', () => {
  it.each([
    ['biggan', {}],
    ['ddpm', { block: 'ddpm', filter: 'box' }],
    ['recomputed', { recompute: true }],
  ] as const)('%s: every block has draws of its own, which change the energy', (_, variant) => {
    const network = ncsnppEnergy({ ...SMALL, ...variant, dropout: 0.3 });
    const shapes = network.dropoutShapes?.(2) ?? {};
    const blocks = Object.keys(network.params).filter((k) => k.endsWith('GroupNorm_1.weight'));
    expect(Object.keys(shapes)).toEqual(
      blocks.map((k) => k.slice(0, -'.GroupNorm_1.weight'.length)),
    );
    const params = Object.fromEntries(
      Object.entries(start(network.params)).map(([k, v]) => [
        k,
        tf.add(v, tf.mul(randn(k, v.shape), 0.1)),
      ]),
    );
    const x = randn('dropout', [2, 3, 16, 16]);
    const all = Object.fromEntries(
      Object.entries(shapes).map(([k, shape]) => [k, tf.ones([...shape])]),
    );
    const run = jit((p: Record<string, Tensor>, y: Tensor, d: Record<string, Tensor>) =>
      network.bind(p, { levels: [1] })(y, d),
    );
    const kept = run(params, x, all).dataSync();
    for (const block of Object.keys(shapes)) {
      const dropped = run(params, x, { ...all, [block]: tf.zeros([...shapes[block]]) }).dataSync();
      expect(Math.abs(dropped[0] / kept[0] - 1)).toBeGreaterThan(1e-6);
    }
  });

  it('is absent where it is not asked for, and must be less than everything', () => {
    expect(ncsnppEnergy(SMALL).dropoutShapes?.(2)).toEqual({});
    expect(() => ncsnppEnergy({ ...SMALL, dropout: 1 })).toThrow(
      /dropout must lie in \[0, 1\), got 1/,
    );
  });
});

describe('networks given something else', () => {
  const params = start(ncsnppEnergy(SMALL).params);
  const energy = ncsnppEnergy(SMALL).bind(params, { levels: [0] });

  it('refuse images of another size or number of channels', () => {
    expect(() => energy(tf.zeros([1, 3, 32, 32]))).toThrow(/takes images \[batch, 3, 16, 16\]/);
    expect(() => energy(tf.zeros([1, 1, 16, 16]))).toThrow(ShapeError);
  });

  it('refuse weights of another network', () => {
    const other = ncsnppGenerator({ ...SMALL, latent: 4, styleDim: 8 });
    const run = other.bind(params, { levels: [0] });
    const images = tf.zeros([1, 3, 16, 16]);
    expect(() => run(images, tf.zeros([1, 4]), { kind: 'batch' })).toThrow(
      /no parameter 'z_transform/,
    );
    expect(() => run(images, tf.zeros([1, 5]), { kind: 'batch' })).toThrow(
      /takes latents \[1, 4\]/,
    );
  });

  it('refuse configurations that do not exist', () => {
    expect(() => ncsnppEnergy({ ...SMALL, size: 15 })).toThrow(ConfigError);
    expect(() => ncsnppEnergy({ ...SMALL, block: 'ddpm' })).toThrow(/filter 'box'/);
    expect(() => ncsnppEnergy({ ...SMALL, filter: 'none' as 'fir' })).toThrow(/fir, box/);
  });

  it('refuse batches that do not divide into the groups of the deviation', () => {
    const encoder = largeEncoder({ width: 2, latent: 3, timeDim: 4 });
    const x = tf.zeros([6, 3, 64, 64]);
    const run = encoder.bind(start(encoder.params), { levels: [0] });
    expect(() => run(x, x, { kind: 'batch' })).toThrow(/multiple of 4/);
  });
});

describe('summary', () => {
  it('accounts for every parameter and counts a convolution by hand', () => {
    const network = ncsnppGenerator({ ...SMALL, latent: 4, styleDim: 8 });
    const s = summariseGenerator(network, [3, 16, 16], 4, 2);
    expect(s.layers.reduce((n, row) => n + row.parameters, 0)).toBe(countParams(network.params));
    const first = s.layers.find((row) => row.name === 'all_modules.2');
    expect(first).toMatchObject({
      kind: 'conv 3×3',
      shape: [2, 16, 16, 16],
      parameters: 3 * 9 * 16 + 16,
      operations: 2 * (2 * 16 * 16 * 16) * (3 * 9),
      activationBytes: 4 * 2 * 16 * 16 * 16,
    });
    expect(s.toString().split('\n')).toHaveLength(s.layers.length + 2);
  });

  it('is quick for the full networks', () => {
    const energy = summariseEnergy(ncsnppEnergy(NCSNPP_CIFAR10), [3, 32, 32]);
    expect(energy.layers.reduce((n, row) => n + row.parameters, 0)).toBe(40_279_171);
    expect(energy.operations).toBeGreaterThan(1e10);
    const encoder = summariseEncoder(smallEncoder(), [3, 32, 32]);
    expect(encoder.layers.reduce((n, row) => n + row.parameters, 0)).toBe(4_772_872);
  });
});
