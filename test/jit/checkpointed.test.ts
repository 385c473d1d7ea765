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

  /** A small network of convolutions with a gradient penalty; layers of the U-Net are like these. */
  const convolutions = (twice: boolean) => {
    const block = (h: Tensor, w: Tensor, shift: Tensor): Tensor => {
      const y = tf.conv2d(h as tf.Tensor4D, w as tf.Tensor4D, 1, 'same', 'NHWC');
      return tf.add(h, tf.mul(tf.sigmoid(tf.add(y, shift)), y));
    };
    const one = twice ? checkpointed(block) : block;
    return jit((p: { w: Tensor[]; shift: Tensor }, x: Tensor) => {
      const loss = (q: typeof p) => {
        const f = (z: Tensor) => tf.sum(q.w.reduce((h, w) => one(h, w, q.shift), z));
        const slope = grad(f)(x);
        return tf.add(f(x), tf.sum(tf.square(slope)));
      };
      return { value: loss(p), grad: grad(loss)(p) };
    });
  };

  it('has the gradients of a penalised network whose blocks share an argument', () => {
    const random = (stream: string, shape: number[]) =>
      hostTensor(
        normal(
          { seed: 1, stream, step: 0 },
          shape.reduce((a, b) => a * b),
        ).map((v) => 0.3 * v),
        shape,
      );
    const p = {
      w: [0, 1, 2].map((i) => random(`w${i}`, [3, 3, 2, 2])),
      shift: random('s', [2]),
    };
    const x = random('x', [2, 5, 5, 2]);
    const [plain, twice] = [false, true].map((again) => convolutions(again)(p as never, x));
    expect(twice.value.dataSync()[0]).toBeCloseTo(plain.value.dataSync()[0], 4);
    const flat = ({ grad: g }: typeof plain) => [...g.w, g.shift].flatMap((t) => [...t.dataSync()]);
    const expected = flat(plain);
    const scale = Math.max(...expected.map(Math.abs));
    for (const [i, v] of flat(twice).entries()) {
      expect(Math.abs(v - expected[i])).toBeLessThan(1e-5 * scale);
    }
  });

  it('has derivatives of third order', () => {
    const f = checkpointed((x: Tensor) => tf.mul(x, tf.mul(x, tf.sin(x))));
    const slope = (g: (y: Tensor) => Tensor) => (y: Tensor) => grad((z: Tensor) => tf.sum(g(z)))(y);
    const x = hostTensor(Float32Array.of(-1, 0.5, 2), [3]);
    const found = jit(slope(slope(slope(f))))(x).dataSync();
    [-1, 0.5, 2].forEach((v, i) => {
      // Of x² sin x: 6 cos x − 6x sin x − x² cos x.
      const exact = (6 - v * v) * Math.cos(v) - 6 * v * Math.sin(v);
      expect(found[i]).toBeCloseTo(exact, 4);
    });
  });

  it('leaves nothing behind where it runs eagerly', () => {
    gradients(again, false);
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const x = tf.tensor1d([1, 2]);
      const square = checkpointed((y: Tensor) => tf.square(y));
      const total = (y: Tensor) => tf.sum(tf.add(square(y), tf.mul(y, 3)));
      expect([...grad(total)(x).dataSync()]).toEqual([5, 7]);
      expect([...grad((y: Tensor) => tf.sum(grad(total)(y)))(x).dataSync()]).toEqual([2, 2]);
    });
    expect(tf.memory().numTensors).toBe(before);
  });

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
