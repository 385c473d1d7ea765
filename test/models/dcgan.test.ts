import { beforeAll, describe, expect, it } from 'vitest';
import { grad, jit } from '../../src/jit/index.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import {
  dcganEnergy,
  dcganSampler,
  dcganTimeEncoder,
  dcganTimeEnergy,
  dcganTimeGenerator,
} from '../../src/models/dcgan.ts';
import { conv2d, convTranspose2d } from '../../src/nn/conv.ts';
import { initialise } from '../../src/nn/initialise.ts';
import { countParams, type ParamSpecs } from '../../src/nn/params.ts';
import { directionalGap, mean, randn, variance } from '../nn/calculus.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

function start(specs: ParamSpecs): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(initialise(specs, 3, 'dcgan')).map(([k, h]) => [
      k,
      // Biases start at zero and would hide a missing one.
      tf.add(tf.tensor(h.data, [...h.shape]), tf.mul(randn(k, h.shape), 0.05)),
    ]),
  );
}

const SMALL = { features: 2, latent: 5, timeDim: 8 };
const largest = (a: Tensor, b: Tensor) => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0];
const inner = (a: Tensor, b: Tensor) => tf.sum(tf.mul(a, b)).dataSync()[0];

describe('the convolutions of PyTorch', () => {
  const HALVE = { stride: 2, padding: 1 };
  const x = randn('x', [2, 3, 8, 8]);
  const y = randn('y', [2, 4, 4, 4]);
  const weight = randn('weight', [4, 3, 4, 4]);

  it('transposed is the adjoint of the plain one with the same weights', () => {
    const down = conv2d({ 'a.weight': weight, 'a.bias': tf.zeros([4]) }, 'a', x, HALVE);
    const up = convTranspose2d({ 'a.weight': weight, 'a.bias': tf.zeros([3]) }, 'a', y, HALVE);
    expect(up.shape).toEqual(x.shape);
    expect(inner(down, y)).toBeCloseTo(inner(x, up), 2);
  });

  it.each(['down', 'up'])('%s: gradients in pixels and weights, and of the penalty', (way) => {
    const input = way === 'down' ? x : y;
    const bias = randn('bias', [way === 'down' ? 4 : 3]);
    const run = way === 'down' ? conv2d : convTranspose2d;
    const energy = (w: Tensor, at: Tensor) =>
      tf.sum(tf.tanh(run({ 'a.weight': w, 'a.bias': bias }, 'a', at, HALVE)));
    const inPixels = (at: Tensor) => energy(weight, at);
    const inWeights = (w: Tensor) => energy(w, input);
    const penalty = (w: Tensor) =>
      tf.sum(tf.square(grad((at: Tensor) => energy(w, at))(input))) as Tensor;
    for (const [f, at] of [
      [inPixels, input],
      [inWeights, weight],
      [penalty, weight],
    ] as const) {
      expect(directionalGap(f, grad(f)(at), at)).toBeLessThan(0.03);
    }
  });
});

describe('the energies', () => {
  const plain = dcganEnergy(SMALL);
  const timed = dcganTimeEnergy(SMALL);
  const params = start(plain.params);
  const timedParams = start(timed.params);
  const x = randn('images', [2, 3072]);
  const asImages = (v: Tensor) => tf.reshape(v, [v.shape[0], 3, 32, 32]);
  const energies: [string, (v: Tensor) => Tensor][] = [
    ['plain', (v) => plain.apply(params, v)],
    ['with time', (v) => timed.bind(timedParams, { levels: [2] })(asImages(v))],
  ];

  it.each(energies)('%s: one number per image, each from its own pixels', (_, energy) => {
    const both = energy(x).dataSync();
    const first = energy(tf.slice(x, [0, 0], [1, 3072])).dataSync();
    expect(both).toHaveLength(2);
    expect(first[0]).toBeCloseTo(both[0], 4);
  });

  it.each(energies)('%s: the gradient in the image agrees with differences', (_, energy) => {
    const f = (v: Tensor) => tf.sum(energy(v)) as Tensor;
    expect(directionalGap(f, grad(f)(x), x, 3e-3)).toBeLessThan(0.05);
  });

  it.each(['conv1', 'conv2', 'out'])('have a gradient of the penalty in %s', (layer) => {
    // Biases keep every unit on one side of its kink: where masks switch, the penalty jumps.
    const sides = (n: number) => tf.tensor1d(Array.from({ length: n }, (_, i) => (i % 2 ? 9 : -9)));
    const steady = Object.fromEntries(
      Object.entries(params).map(([k, v]) => [k, /^conv.*bias/.test(k) ? sides(v.size) : v]),
    );
    const name = `${layer}.weight`;
    const quiet = tf.mul(x, 0.1);
    const penalty = (w: Tensor) => {
      const energy = (v: Tensor) => tf.sum(plain.apply({ ...steady, [name]: w }, v)) as Tensor;
      return tf.sum(tf.square(grad(energy)(quiet))) as Tensor;
    };
    const exact = grad(penalty)(steady[name]);
    expect(largest(jit(grad(penalty))(steady[name]), exact)).toBeLessThan(1e-3);
    expect(directionalGap(penalty, exact, steady[name])).toBeLessThan(0.03);
  });

  it('tell the levels apart, each sample by its own', () => {
    const images = asImages(x);
    const at = (level: number) =>
      timed
        .bind(timedParams, { levels: [level] })(images)
        .dataSync() as Float32Array;
    const select = tf.tensor2d([0, 1, 1, 0], [2, 2]);
    const mixed = timed
      .bind(timedParams, { levels: [0, 3], select })(images)
      .dataSync();
    expect(mixed[0]).toBeCloseTo(at(3)[0], 4);
    expect(mixed[1]).toBeCloseTo(at(0)[1], 4);
    expect(Math.abs(at(0)[0] - at(3)[0])).toBeGreaterThan(1e-5);
  });
});

describe('the samplers', () => {
  it('of a latent: images in (−1, 1), normalised over the batch or by what is given', () => {
    const sampler = dcganSampler(SMALL);
    const params = start(sampler.params);
    const z = randn('z', [16, 5]);
    const x = sampler.apply(params, z);
    expect(x.shape).toEqual([16, 3072]);
    expect(tf.max(tf.abs(x)).dataSync()[0]).toBeLessThan(1);
    // Batch norm: the samples do not care for a common shift of what comes before it.
    const shifted = { ...params, 'in.bias': tf.add(params['in.bias'], 3) };
    expect(largest(sampler.apply(shifted, z), x)).toBeLessThan(1e-3);
    expect(sampler.norms.every((name) => `${name}.running_mean` in sampler.buffers)).toBe(true);
  });

  it('of a noisier image: latent and image both matter', () => {
    const network = dcganTimeGenerator(SMALL);
    const run = network.bind(start(network.params), { levels: [1] });
    const [x, z] = [randn('next', [2, 3, 32, 32]), randn('z', [2, 5])];
    const mode = { kind: 'batch' } as const;
    const out = run(x, z, mode);
    expect(out.shape).toEqual([2, 3, 32, 32]);
    expect(tf.max(tf.abs(out)).dataSync()[0]).toBeLessThanOrEqual(1);
    expect(largest(run(x, tf.neg(z), mode), out)).toBeGreaterThan(1e-4);
    expect(largest(run(tf.neg(x), z, mode), out)).toBeGreaterThan(1e-2);
  });

  it('the encoder has a mean and a log-variance per latent, from both images', () => {
    const network = dcganTimeEncoder(SMALL);
    const run = network.bind(start(network.params), { levels: [1] });
    const [a, b] = [randn('a', [3, 3, 32, 32]), randn('b', [3, 3, 32, 32])];
    const mode = { kind: 'batch' } as const;
    const { mean: mu, logVariance } = run(a, b, mode);
    expect([mu.shape, logVariance.shape]).toEqual([
      [3, 5],
      [3, 5],
    ]);
    expect(largest(mu, logVariance)).toBeGreaterThan(1e-3);
    expect(largest(run(b, a, mode).mean, mu)).toBeGreaterThan(1e-3);
  });
});

describe('the sizes of DCGAN', () => {
  it('double twice, and start at PyTorch’s spread', () => {
    const [one, two] = [32, 64].map((features) => dcganEnergy({ features }));
    expect(countParams(two.params) / countParams(one.params)).toBeCloseTo(4, 0);
    const weight = initialise(two.params, 1, 'x')['conv2.weight'];
    const [, inputs, height, width] = weight.shape;
    const bound = 1 / Math.sqrt(inputs * height * width);
    expect(mean(weight.data)).toBeCloseTo(0, 3);
    expect(Math.sqrt(variance(weight.data)) / (bound / Math.sqrt(3))).toBeCloseTo(1, 1);
  });
});
