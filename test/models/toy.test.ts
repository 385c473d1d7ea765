import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { grad } from '../../src/jit/grad.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import { mlp } from '../../src/models/mlp.ts';
import { toyEncoder, toyEnergy, toyGenerator } from '../../src/models/toy.ts';
import { prelu } from '../../src/nn/activations.ts';
import { sinusoidalEmbedding } from '../../src/nn/embedding.ts';
import { initialise } from '../../src/nn/initialise.ts';
import { linear } from '../../src/nn/linear.ts';
import { countParams, type ParamSpecs, type Params } from '../../src/nn/params.ts';
import { directionalGap, randn } from '../nn/calculus.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const SMALL = { posDim: 6, encoderLayers: [5], decoderLayers: [9, 8] };

function start(specs: ParamSpecs): Params {
  return Object.fromEntries(
    Object.entries(initialise(specs, 5, 'test')).map(([k, v]) => [
      k,
      tf.tensor(v.data, [...v.shape]),
    ]),
  );
}

describe('the toy networks', () => {
  it('have the parameter counts of the official code', () => {
    expect(countParams(toyEnergy().params)).toBe(111_516);
    expect(countParams(toyGenerator().params)).toBe(113_149);
    expect(countParams(toyEncoder().params)).toBe(117_459);
  });

  it('declare the layers that the official state dicts hold and never run', () => {
    const generator = toyGenerator();
    expect(generator.idleNorms).toEqual(['net.layers_bn.2', 'x_encoder.layers_bn.1']);
    expect(generator.params['net.layers_bn.2.weight'].shape).toEqual([2]);
    expect(generator.params['net.activation_fn.2.weight'].shape).toEqual([1]);
    expect(toyEnergy().norms).toEqual([]);
  });

  it('compute what Table 6 says, layer by layer', () => {
    // The first layers are multiplied out by the network; here they are not.
    const energy = toyEnergy(SMALL);
    const p = start(energy.params);
    const x = randn('x', [7, 2]);
    const t = [0, 1, 2, 3, 0, 1, 2];
    const two = (prefix: string, input: Tensor) =>
      linear(
        p,
        `${prefix}.layers.1`,
        prelu(linear(p, `${prefix}.layers.0`, input), p[`${prefix}.activation_fn.0.weight`]),
      );
    let h: Tensor = tf.concat(
      [two('x_encoder', x), two('t_encoder', sinusoidalEmbedding(tf.tensor1d(t), 6))],
      1,
    );
    for (const i of [0, 1]) {
      h = prelu(linear(p, `net.layers.${i}`, h), p[`net.activation_fn.${i}.weight`]);
    }
    const plain = linear(p, 'net.layers.2', h).dataSync();
    const select = tf.oneHot(tf.tensor1d(t, 'int32'), 4).toFloat();
    const ours = energy
      .bind(p, { levels: [0, 1, 2, 3], select })(x)
      .dataSync();
    const direct = energy
      .bind(p, { levels: tf.tensor1d(t) })(x)
      .dataSync();
    plain.forEach((v, i) => {
      expect(ours[i]).toBeCloseTo(v, 5);
      expect(direct[i]).toBeCloseTo(v, 5);
    });
  });

  it('share one level among all samples', () => {
    const energy = toyEnergy(SMALL);
    const p = start(energy.params);
    const x = randn('x', [4, 2]);
    const shared = energy
      .bind(p, { levels: [2] })(x)
      .dataSync();
    const each = energy
      .bind(p, { levels: tf.tensor1d([2, 2, 2, 2]) })(x)
      .dataSync();
    shared.forEach((v, i) => {
      expect(v).toBeCloseTo(each[i], 5);
    });
  });

  it('are differentiable twice in their input and once more in their parameters', () => {
    const energy = toyEnergy(SMALL);
    const p = start(energy.params);
    const x = randn('x', [6, 2]);
    const r1 = (w: Tensor) => {
      const run = energy.bind({ ...p, 'net.layers.1.weight': w }, { levels: [1] });
      return tf.sum(tf.square(grad((y: Tensor) => tf.sum(run(y)))(x)));
    };
    const w = p['net.layers.1.weight'];
    expect(directionalGap(r1, grad(r1)(w), w, 3e-3)).toBeLessThan(1e-2);
  });

  it('differentiate the generator and the encoder through their batch norms', () => {
    const generator = toyGenerator(SMALL);
    const encoder = toyEncoder(SMALL);
    const [pg, pe] = [start(generator.params), start(encoder.params)];
    const xNext = randn('n', [8, 2]);
    const time = { levels: [0] };
    const loss = (z: Tensor) => {
      const clean = generator.bind(pg, time)(xNext, z, { kind: 'batch' });
      const { mean, logVariance } = encoder.bind(pe, time)(clean, xNext, { kind: 'batch' });
      return tf.sum(tf.add(tf.square(mean), tf.exp(logVariance)));
    };
    const z = randn('z', [8, 2]);
    expect(directionalGap(loss, grad(loss)(z), z, 1e-3)).toBeLessThan(1e-2);
  });

  it('start different from one another and the same for equal seeds', () => {
    const specs = toyGenerator(SMALL).params;
    const [a, b] = [initialise(specs, 1, 'g'), initialise(specs, 1, 'g')];
    expect(a).toEqual(b);
    expect(a['net.layers.0.weight'].data.slice(0, 5)).not.toEqual(
      a['net.layers.1.weight'].data.slice(0, 5),
    );
  });
});

describe('mlp', () => {
  it('normalises and activates every layer but the last', () => {
    const net = mlp({ widths: [3, 4, 4, 2], batchNorm: true, prefix: 'g.' });
    expect(net.norms).toEqual(['g.layers_bn.0', 'g.layers_bn.1']);
    expect(net.idleNorms).toEqual([]);
    expect(Object.keys(net.params)).not.toContain('g.activation_fn.2.weight');
    expect(net.apply(start(net.params), randn('x', [5, 3])).shape).toEqual([5, 2]);
  });

  it('names its layers as asked', () => {
    const net = mlp({ widths: [2, 8, 1], activation: 'silu', layerName: (i) => `net.${2 * i}` });
    expect(Object.keys(net.params)).toEqual([
      'net.0.weight',
      'net.0.bias',
      'net.2.weight',
      'net.2.bias',
    ]);
  });

  it('refuses widths that are no network', () => {
    expect(() => mlp({ widths: [2] })).toThrow(ConfigError);
    expect(() => mlp({ widths: [2, 0, 1] })).toThrow(/positive integers/);
  });
});
