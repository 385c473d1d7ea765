import { describe, expect, it } from 'vitest';
import { ShapeError, TraceError } from '../../src/core/errors.ts';
import { grad, jit, stopGradient, type Tensor, tf, valueAndGrad } from '../../src/jit/index.ts';

const values = (t: Tensor) => Array.from(t.dataSync());
const x = () => tf.tensor1d([1, -2, 3]);

/** Tensors alive after `fn` beyond those before it. */
function born(fn: () => unknown): number {
  const before = tf.memory().numTensors;
  fn();
  return tf.memory().numTensors - before;
}

describe('valueAndGrad', () => {
  const model = (p: { w: Tensor; b: Tensor }, v: Tensor) => {
    const y = v.mul(p.w).add(p.b);
    return [tf.sum(y.square()), { y, twice: [y.mul(2)] }] as const;
  };
  const p = { w: tf.scalar(2), b: tf.scalar(-1) };

  it('returns value, gradient tree and auxiliary tree', () => {
    const { value, grad: g, aux } = valueAndGrad(model, { hasAux: true })(p, x());
    // y = 2x − 1 = (1, −5, 5); ∂/∂w = 2·Σ y·x, ∂/∂b = 2·Σ y.
    expect(values(value)).toEqual([51]);
    expect([values(g.w), values(g.b)]).toEqual([[2 * (1 + 10 + 15)], [2]]);
    expect(values(aux.y)).toEqual([1, -5, 5]);
    expect(values(aux.twice[0])).toEqual([2, -10, 10]);
  });

  it('differentiates the argument asked for', () => {
    const g = grad((a: Tensor, b: Tensor) => tf.sum(a.mul(b)), { argnum: 1 });
    expect(values(g(x(), tf.ones([3])))).toEqual([1, -2, 3]);
  });

  it('gives zeros where the argument has no influence', () => {
    const g = grad((t: { a: Tensor; b: Tensor }) => tf.sum(t.a))({ a: x(), b: tf.ones([2, 2]) });
    expect(g.b.shape).toEqual([2, 2]);
    expect(values(g.b)).toEqual([0, 0, 0, 0]);
  });

  it('leaves nothing behind eagerly but what it returns', () => {
    const v = x();
    const f = valueAndGrad(model, { hasAux: true });
    f(p, v);
    // value, two gradients, two auxiliary tensors.
    expect(born(() => f(p, v))).toBe(5);
    expect(born(() => tf.tidy(() => void f(p, v)))).toBe(0);
    const second = grad((u: Tensor) => tf.sum(grad((t: Tensor) => tf.sum(t.square().exp()))(u)));
    second(v);
    expect(born(() => second(v))).toBe(1);
  });

  it('leaves nothing behind when the function throws', () => {
    const v = x();
    const f = valueAndGrad(
      (t: Tensor) => {
        const y = t.square();
        if (y.size === 3) throw new Error('on purpose');
        return [tf.sum(y), y] as const;
      },
      { hasAux: true },
    );
    expect(born(() => expect(() => f(v)).toThrow('on purpose'))).toBe(0);
    // Later gradients are not disturbed.
    expect(values(grad((t: Tensor) => tf.sum(t.square()))(v))).toEqual([2, -4, 6]);
  });

  it('leaves nothing behind when an op has no gradient', () => {
    const v = x();
    const f = valueAndGrad(
      (t: Tensor) => [tf.sum(tf.multinomial(t as tf.Tensor1D, 2)), t.mul(2)] as const,
      { hasAux: true },
    );
    expect(born(() => expect(() => f(v)).toThrow(TraceError))).toBe(0);
  });

  it.each<[string, (v: Tensor) => unknown, RegExp]>([
    ['a vector', (v) => v, /must return a scalar, got a tensor of shape \[3\]/],
    ['a number', () => 3, /must return a scalar, got number/],
  ])('refuses %s for a loss', (_, f, message) => {
    const call = () => valueAndGrad(f as (v: Tensor) => Tensor)(x());
    expect(call).toThrow(ShapeError);
    expect(call).toThrow(message);
  });

  it('refuses an argument without tensors', () => {
    const f = valueAndGrad((_: Record<string, Tensor>) => tf.scalar(1));
    expect(() => f({})).toThrow(/argument 0 holds no tensor/);
  });

  it('a tensor of one element counts as a scalar', () => {
    expect(values(grad((v: Tensor) => v.square().sum().reshape([1, 1]))(x()))).toEqual([2, -4, 6]);
  });
});

describe('higher orders', () => {
  // d³/dx³ of functions whose gradients are written with their outputs.
  const third = (f: (v: Tensor) => Tensor) => {
    const d = (g: (v: Tensor) => Tensor) => (v: Tensor) => grad((u: Tensor) => tf.sum(g(u)))(v);
    return d(d(d(f)));
  };
  const at = tf.tensor1d([0.3, -0.7]);
  const closed: [string, (v: Tensor) => Tensor, (v: number) => number][] = [
    ['exp', tf.exp, Math.exp],
    ['tanh', tf.tanh, (v) => (1 - Math.tanh(v) ** 2) * (6 * Math.tanh(v) ** 2 - 2)],
    [
      'sigmoid',
      tf.sigmoid,
      (v) => {
        const s = 1 / (1 + Math.exp(-v));
        return s * (1 - s) * (1 - 6 * s + 6 * s * s);
      },
    ],
    ['sqrt(1 + x²)', (v) => tf.sqrt(v.square().add(1)), (v) => (-3 * v) / (1 + v * v) ** 2.5],
    ['2^x', (v) => tf.pow(tf.scalar(2), v), (v) => Math.log(2) ** 3 * 2 ** v],
    [
      'logSoftmax of (x, 0)',
      (v) =>
        tf
          .logSoftmax(tf.stack([v, tf.zerosLike(v)], 1))
          .slice([0, 0], [-1, 1])
          .flatten(),
      (v) => {
        const s = 1 / (1 + Math.exp(-v));
        return -s * (1 - s) * (1 - 2 * s);
      },
    ],
  ];

  it.each(closed)('the third derivative of %s, eagerly and jitted', (_, f, exact) => {
    for (const derivative of [third(f), jit(third(f))]) {
      for (const [i, v] of values(derivative(at)).entries()) {
        expect(v).toBeCloseTo(exact(at.dataSync()[i]), 4);
      }
    }
  });
});

describe('stopGradient', () => {
  it('keeps the value and ends differentiation, in trees too', () => {
    const f = (v: Tensor) => {
      const stopped = stopGradient({ a: v.square(), b: [v] });
      return tf.sum(v.mul(stopped.a).add(stopped.b[0]));
    };
    for (const g of [grad(f), jit((v: Tensor) => grad(f)(v))]) {
      expect(values(g(x()))).toEqual([1, 4, 9]);
    }
  });

  it('adds no node to a trace', () => {
    const nodes = (f: (v: Tensor) => Tensor) => {
      const g = jit(f);
      g(x());
      return g.stats().nodesTraced;
    };
    expect(nodes((v) => stopGradient(v).add(1))).toBe(nodes((v) => v.add(1)));
  });
});
