import { describe, expect, it } from 'vitest';
import { grad, jit, type Tensor, tf } from '../../src/jit/index.ts';

const values = (t: Tensor) => Array.from(t.dataSync());

/** The tails, where a function may be right to 1e-7 of its largest value and yet have no digit. */
const TAIL = [-80, -40, -20, -17.4, -12, -8, -1e-3, -1e-6, 1e-6, 1e-3, 8, 12, 17.4, 20, 40, 80];

const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

const RELATIVE: [string, (v: Tensor) => Tensor, (x: number) => number][] = [
  ['exp', tf.exp, Math.exp],
  ['expm1', tf.expm1, Math.expm1],
  ['softplus', tf.softplus, softplus],
  ['sigmoid', tf.sigmoid, (x) => 1 / (1 + Math.exp(-x))],
  ['tanh', tf.tanh, Math.tanh],
  ['erf near zero', (v) => tf.erf(v.mul(1e-3)), (x) => (2 / Math.sqrt(Math.PI)) * x * 1e-3],
  ['log of sigmoid', (v) => tf.log(tf.sigmoid(v)), (x) => -softplus(-x)],
  ['elu', tf.elu, (x) => (x > 0 ? x : Math.expm1(x))],
];

describe('accuracy in the tails', () => {
  it.each(RELATIVE)('%s', (name, f, exact) => {
    const xs =
      name === 'erf near zero' ? TAIL.map((x) => Math.sign(x) * Math.min(1, Math.abs(x))) : TAIL;
    const x = Float32Array.from(xs);
    const y = jit(f)(tf.tensor1d(x)).dataSync();
    for (const [i, v] of x.entries()) {
      const want = exact(v);
      // A logarithm of a number near one is exact to a rounding of that number.
      const floor = name === 'log of sigmoid' ? 1e-7 : 0;
      expect(Math.abs(y[i] - want), `${name}(${v}) = ${y[i]}, exact ${want}`).toBeLessThanOrEqual(
        3e-6 * Math.abs(want) + floor,
      );
    }
  });

  it('log1p from 1e-30 to 1e30', () => {
    const x = Float32Array.from([1e-30, -1e-30, 1e-8, -1e-8, 1e-3, -0.5, 3, 1e10, 1e30]);
    const y = jit((v: Tensor) => tf.log1p(v))(tf.tensor1d(x)).dataSync();
    for (const [i, v] of x.entries()) {
      expect(Math.abs(y[i] / Math.log1p(v) - 1), `log1p(${v}) = ${y[i]}`).toBeLessThan(1e-6);
    }
  });

  it('the gradient of log(sigmoid(x)) is one far below zero', () => {
    const g = jit((v: Tensor) => grad((u: Tensor) => tf.sum(tf.log(tf.sigmoid(u))))(v));
    for (const v of values(g(tf.tensor1d([-10, -18, -25, -60])))) expect(v).toBeCloseTo(1, 4);
  });

  it('softmax and logSumExp of large and distant values', () => {
    const x = tf.tensor2d([
      [1000, 999, -1000],
      [-1000, -1001, -3000],
    ]);
    const f = jit((v: Tensor) => [tf.softmax(v), tf.logSumExp(v, 1), tf.logSoftmax(v)]);
    const [p, total, logp] = f(x).map(values);
    const e = 1 / (1 + Math.exp(-1));
    for (const [i, want] of [e, 1 - e, 0, e, 1 - e, 0].entries()) expect(p[i]).toBeCloseTo(want, 6);
    expect(total[0] - 1000).toBeCloseTo(Math.log1p(Math.exp(-1)), 4);
    expect(total[1] + 1000).toBeCloseTo(Math.log1p(Math.exp(-1)), 4);
    expect(logp[0]).toBeCloseTo(Math.log(e), 4);
  });
});

describe('special values', () => {
  const X = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, -1, 100, -100];
  it.each<[string, (v: Tensor) => Tensor]>([
    ['exp', tf.exp],
    ['expm1', tf.expm1],
    ['log', tf.log],
    ['sqrt', tf.sqrt],
    ['rsqrt', tf.rsqrt],
    ['reciprocal', tf.reciprocal],
    ['sigmoid', tf.sigmoid],
    ['tanh', tf.tanh],
    ['softplus', tf.softplus],
    ['relu', tf.relu],
    ['abs', tf.abs],
    ['square', tf.square],
    ['floor', tf.floor],
    ['round of halves', (v) => tf.round(v.add(0.5))],
    ['x + 1', (v) => v.add(1)],
    ['1 / x', (v) => tf.div(1, v)],
    ['max(x, 0)', (v) => tf.maximum(v, 0)],
    ['where(x > 0, x, 0)', (v) => tf.where(v.greater(0), v, tf.zerosLike(v))],
    ['sum', (v) => tf.sum(v)],
    ['isNaN', (v) => tf.isNaN(v)],
  ])('%s: as eagerly', (_, f) => {
    const [jitted, eager] = [jit(f), jit(f, { executor: 'eager' })].map((g) =>
      values(g(tf.tensor1d(X))),
    );
    for (const [i, want] of eager.entries()) {
      const same = Object.is(jitted[i], want) || jitted[i] === want;
      expect(
        same || Math.abs(jitted[i] - want) < 1e-6 * Math.abs(want) + 1e-37,
        `f(${X[i]}): eager ${want}, jitted ${jitted[i]}`,
      ).toBe(true);
    }
  });
});
