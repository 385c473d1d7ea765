import { describe, expect, it } from 'vitest';
import { hostTensor } from '../../src/core/host-tensor.ts';
import { normal } from '../../src/core/random.ts';
import { checkpointed, grad, jit, type Tensor, tf } from '../../src/jit/index.ts';

const [ROWS, WIDTH] = [3, 4];
const array = (stream: string, shape: number[]) =>
  hostTensor(
    normal({ seed: 5, stream, step: 0 }, shape[0] * shape[1]).map((v) => 0.5 * v),
    shape,
  );

interface Layer {
  readonly w: Tensor;
  readonly b: Tensor;
}

const layer = (h: Tensor, { w, b }: Layer): Tensor =>
  tf.tanh(tf.add(tf.matMul(h as tf.Tensor2D, w as tf.Tensor2D), b));
const again = checkpointed(layer);

const params = () => ({
  w: array('w', [WIDTH, WIDTH]),
  b: hostTensor(array('b', [1, WIDTH]).data, [WIDTH]),
});

/** A loss whose gradient in x is penalised: second derivatives through the layers. */
const lossOf =
  (one: typeof layer) =>
  (p: Layer, x: Tensor): Tensor => {
    const f = (y: Tensor) => tf.sum(one(one(y, p), p));
    const slope = grad(f)(x);
    return tf.add(f(x), tf.sum(tf.square(slope)));
  };

function gradients(one: typeof layer, compiled: boolean) {
  const fn = (p: Layer, x: Tensor) => grad(lossOf(one))(p, x);
  const run = compiled ? jit(fn) : jit(fn, { executor: 'eager' });
  const out = run(params() as never, array('x', [ROWS, WIDTH]) as never) as Layer;
  return [...out.w.dataSync(), ...out.b.dataSync()];
}

describe('checkpointed', () => {
  for (const compiled of [true, false]) {
    it(`has the gradients of the function, second order included, ${compiled ? 'compiled' : 'eagerly'}`, () => {
      const plain = gradients(layer, compiled);
      const twice = gradients(again, compiled);
      expect(Math.max(...plain.map(Math.abs))).toBeGreaterThan(0.1);
      for (const [i, v] of twice.entries()) expect(v).toBeCloseTo(plain[i], 5);
    });
  }

  it('computes the inside again after the gradient has arrived, which merging must not undo', () => {
    const ops = (one: typeof layer) => {
      const listing = jit((p: Layer, x: Tensor) =>
        grad((q: Layer) => tf.sum(tf.square(one(one(x, q), q))))(p),
      ).explain(params() as never, array('x', [ROWS, WIDTH]) as never);
      return listing.split('\n').filter((line) => / = tanh\(/.test(line)).length;
    };
    expect(ops(layer)).toBe(2);
    expect(ops(again)).toBe(4);
  });
});
