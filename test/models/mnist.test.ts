import { beforeAll, describe, expect, it } from 'vitest';
import { grad } from '../../src/jit/index.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import { mnistEncoder, mnistGenerator } from '../../src/models/mnist.ts';
import { mnistClassifier } from '../../src/models/mnist-classifier.ts';
import { initialise } from '../../src/nn/initialise.ts';
import { countParams, type ParamSpecs } from '../../src/nn/params.ts';
import { directionalGap, randn } from '../nn/calculus.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

function start(specs: ParamSpecs): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(initialise(specs, 5, 'mnist')).map(([k, h]) => [
      k,
      tf.add(tf.tensor(h.data, [...h.shape]), tf.mul(randn(k, h.shape), 0.05)),
    ]),
  );
}

const SMALL = { dim: 6, latent: 3, width: 8, timeDim: 4 };
const BATCH = { kind: 'batch' } as const;
const largest = (a: Tensor, b: Tensor) => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0];

/** Affine layers with bias, each but the last of its chain followed by a slope. */
const chain = (...widths: number[]) =>
  widths.slice(1).reduce((n, width, i) => n + (widths[i] + 1) * width, 0) + widths.length - 2;

describe('generator and encoder of MNIST vectors', () => {
  it('have the widths of Table 7', () => {
    const time = chain(50, 50, 100);
    const generator = time + chain(834, 1600, 1600) + chain(1700, 1600, 1600, 784);
    expect(countParams(mnistGenerator().params)).toBe(generator);
    const encoder = time + chain(1568, 3200, 1600) + chain(1700, 1600, 1600, 1600);
    expect(countParams(mnistEncoder().params)).toBe(encoder + 2 * 1601 * 50);
  });

  const select = tf.tensor2d([1, 0, 0, 1, 0, 1, 1, 0], [4, 2]);
  const [x, z] = [randn('x', [4, 6]), randn('z', [4, 3])];

  it('give each sample its own level', () => {
    const network = mnistGenerator(SMALL);
    const params = start(network.params);
    const at = (level: number) => network.bind(params, { levels: [level] })(x, z, BATCH);
    const mixed = network.bind(params, { levels: [0, 3], select })(x, z, BATCH);
    expect(largest(at(0), at(3))).toBeGreaterThan(1e-3);
    const row = (t: Tensor, i: number) => tf.slice(t, [i, 0], [1, 6]);
    for (const [i, level] of [0, 3, 3, 0].entries()) {
      expect(largest(row(mixed, i), row(at(level), i))).toBeLessThan(1e-5);
    }
  });

  it('with batch norm see levels only where a batch mixes them', () => {
    const network = mnistGenerator({ ...SMALL, batchNorm: true });
    const params = start(network.params);
    const at = (level: number) => network.bind(params, { levels: [level] })(x, z, BATCH);
    // A level that all samples share is a constant, which the first batch norm takes away.
    expect(largest(at(0), at(3))).toBeLessThan(1e-4);
    const mixed = network.bind(params, { levels: [0, 3], select })(x, z, BATCH);
    expect(largest(mixed, at(0))).toBeGreaterThan(1e-3);
  });

  it('depend on every input, with the gradients of differences', () => {
    const generator = mnistGenerator(SMALL);
    const run = generator.bind(start(generator.params), { levels: [1] });
    const encoder = mnistEncoder(SMALL);
    const encode = encoder.bind(start(encoder.params), { levels: [1] });
    const next = randn('next', [4, 6]);
    const sum = (y: Tensor) => tf.sum(tf.tanh(y)) as Tensor;
    const functions: [(at: Tensor) => Tensor, Tensor][] = [
      [(at) => sum(run(at, z, BATCH)), x],
      [(at) => sum(run(x, at, BATCH)), z],
      [(at) => sum(encode(at, next, BATCH).mean), x],
      [(at) => sum(encode(x, at, BATCH).logVariance), next],
    ];
    for (const [f, at] of functions) {
      const slope = grad(f)(at);
      expect(tf.sum(tf.square(slope)).dataSync()[0]).toBeGreaterThan(1e-6);
      expect(directionalGap(f, slope, at, 3e-3)).toBeLessThan(0.05);
    }
  });
});

describe('the digit classifier', () => {
  const network = mnistClassifier();
  const params = start(network.params);
  const x = tf.sigmoid(randn('digits', [2, 784]));

  it('is small enough to be shipped in half precision', () => {
    expect(2 * countParams(network.params)).toBeLessThan(2 * 2 ** 20);
    expect(network.logits(params, x).shape).toEqual([2, 10]);
  });

  it('drops features where it is told to', () => {
    const [none, all] = [tf.zeros([2, 128]), tf.ones([2, 128])];
    expect(largest(network.logits(params, x, all), network.logits(params, x))).toBe(0);
    const bias = tf.tile(tf.reshape(params['fc2.bias'], [1, 10]), [2, 1]);
    expect(largest(network.logits(params, x, none), bias)).toBeLessThan(1e-6);
  });
});
