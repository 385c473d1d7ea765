import { beforeAll, describe, expect, it } from 'vitest';
import { ShapeError } from '../../src/core/errors.ts';
import { grad, jit } from '../../src/jit/index.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import { attention, attentionSpecs } from '../../src/nn/attention.ts';
import { conv2d } from '../../src/nn/conv.ts';
import { adaptiveGroupNorm, adaptiveGroupNormSpecs, groupNorm } from '../../src/nn/group-norm.ts';
import { initialise } from '../../src/nn/initialise.ts';
import { mapping, mappingSpecs } from '../../src/nn/mapping.ts';
import type { ParamSpecs, Params } from '../../src/nn/params.ts';
import { type ResBlockConfig, resBlock, resBlockSpecs } from '../../src/nn/res-block.ts';
import { downsample2, separableKernel, upfirdn2d, upsample2 } from '../../src/nn/resample.ts';
import { directionalGap, mean, randn, variance } from './calculus.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

function draw(specs: ParamSpecs): Record<string, Tensor> {
  const hosts = initialise(specs, 5, 'image-layers');
  return Object.fromEntries(
    // Layers that start at zero would hide what comes before them.
    Object.entries(hosts).map(([k, h]) => [
      k,
      tf.add(tf.tensor(h.data, [...h.shape]), tf.mul(randn(k, h.shape), 0.1)),
    ]),
  );
}

const largest = (a: Tensor, b: Tensor) => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0];

describe('upfirdn2d', () => {
  /** The definition, one output at a time. */
  function literal(
    x: number[][],
    kernel: number[][],
    up: number,
    down: number,
    [before, after]: readonly [number, number],
  ): number[][] {
    const at = (i: number, j: number) => {
      const [r, c] = [(i - before) / up, (j - before) / up];
      return Number.isInteger(r) && Number.isInteger(c) ? (x[r]?.[c] ?? 0) : 0;
    };
    const [kh, kw] = [kernel.length, kernel[0].length];
    const length = (n: number, k: number) => Math.floor((n * up + before + after - k) / down) + 1;
    return Array.from({ length: length(x.length, kh) }, (_, i) =>
      Array.from({ length: length(x[0].length, kw) }, (_, j) => {
        let sum = 0;
        for (let a = 0; a < kh; a++) {
          for (let b = 0; b < kw; b++) {
            sum += at(i * down + a, j * down + b) * kernel[kh - 1 - a][kw - 1 - b];
          }
        }
        return sum;
      }),
    );
  }

  const KERNELS = {
    'rank one': separableKernel([1, 2, 4]) as number[][],
    full: [
      [1, -2, 0.5, 3],
      [0, 1, 4, -1],
      [2, 2, -3, 1],
    ],
  };
  const cases = Object.entries(KERNELS).flatMap(([name, kernel]) =>
    (
      [
        [1, 1, [0, 0]],
        [2, 1, [2, 1]],
        [1, 2, [1, 1]],
        [3, 2, [2, 3]],
        [2, 1, [-1, 2]],
      ] as const
    ).map(([up, down, pad]) => ({ name, kernel, up, down, pad })),
  );

  it.each(cases)('is its definition: $name kernel, up $up, down $down, padding $pad', (c) => {
    const x = randn('image', [2, 3, 5, 6]);
    const out = upfirdn2d(x, c.kernel, c).arraySync() as number[][][][];
    const images = x.arraySync() as number[][][][];
    images.forEach((planes, n) => {
      planes.forEach((plane, ch) => {
        const expected = literal(plane, c.kernel, c.up, c.down, c.pad);
        expect(largest(tf.tensor2d(out[n][ch]), tf.tensor2d(expected))).toBeLessThan(1e-5);
      });
    });
  });

  it('refuses an image that is too small', () => {
    expect(() => upfirdn2d(tf.zeros([1, 1, 2, 2]), separableKernel())).toThrow(ShapeError);
  });
});

describe('resampling by two', () => {
  it('box: halving undoes doubling', () => {
    const x = randn('box', [2, 3, 4, 6]);
    expect(largest(downsample2(upsample2(x, 'box'), 'box'), x)).toBeLessThan(1e-6);
  });

  it('fir: a constant stays one away from the border, where zeros flow in', () => {
    const ones = tf.ones([1, 1, 12, 12]);
    for (const y of [upsample2(ones, 'fir'), downsample2(ones, 'fir')]) {
      const [, , h, w] = y.shape;
      const inner = tf.slice(y, [0, 0, 2, 2], [1, 1, h - 4, (w as number) - 4]);
      expect(largest(inner, tf.onesLike(inner))).toBeLessThan(1e-6);
      expect(tf.min(y).dataSync()[0]).toBeLessThan(0.9);
    }
  });
});

describe('groupNorm', () => {
  it('gives every group mean 0 and variance 1', () => {
    const x = tf.add(tf.mul(randn('gn', [2, 12, 5, 4]), 3), 7);
    const params = { 'n.weight': tf.ones([12]), 'n.bias': tf.zeros([12]) };
    const groups = tf.reshape(groupNorm(params, 'n', x), [2, 3, -1]).arraySync() as number[][][];
    for (const group of groups.flat()) {
      expect(Math.abs(mean(group))).toBeLessThan(1e-5);
      expect(Math.abs((variance(group) * (group.length - 1)) / group.length - 1)).toBeLessThan(
        1e-4,
      );
    }
  });

  it('takes scale and shift from the style', () => {
    const params = draw(adaptiveGroupNormSpecs('n', 8, 3));
    const style = randn('style', [2, 3]);
    const x = randn('agn', [2, 8, 3, 3]);
    const affine = tf.add(
      tf.matMul(style as tf.Tensor2D, params['n.style.weight'] as tf.Tensor2D, false, true),
      params['n.style.bias'],
    );
    const plain = groupNorm({ 'n.weight': tf.ones([8]), 'n.bias': tf.zeros([8]) }, 'n', x);
    const [gamma, beta] = tf.split(affine, 2, 1).map((v) => tf.reshape(v, [2, 8, 1, 1]));
    const expected = tf.add(tf.mul(plain, gamma), beta);
    expect(largest(adaptiveGroupNorm(params, 'n', x, style), expected)).toBeLessThan(1e-5);
  });

  it('starts adaptive norms as plain ones', () => {
    const { 'n.style.bias': bias } = initialise(adaptiveGroupNormSpecs('n', 4, 3), 1, 's');
    expect(Array.from(bias.data)).toEqual([1, 1, 1, 1, 0, 0, 0, 0]);
  });

  it('refuses channels that do not divide into its groups', () => {
    const params = { 'n.weight': tf.ones([18]), 'n.bias': tf.zeros([18]) };
    expect(() => groupNorm(params, 'n', tf.zeros([1, 18, 2, 2]))).toThrow(/groups/);
  });
});

describe('attention', () => {
  it('does not know the order of the positions', () => {
    const params = draw(attentionSpecs('a', 8));
    const x = randn('attention', [2, 8, 3, 4]);
    const turned = (y: Tensor) => tf.reverse(y, [2, 3]);
    const out = attention(params, 'a', x);
    expect(largest(attention(params, 'a', turned(x)), turned(out))).toBeLessThan(1e-5);
    expect(largest(out, tf.mul(x, Math.SQRT1_2))).toBeGreaterThan(1e-2);
  });
});

describe('mapping', () => {
  it('does not see the length of the latent', () => {
    const config = { latentDim: 6, styleDim: 5, depth: 2 };
    const params = draw(mappingSpecs('z', config));
    const z = randn('latent', [3, 6]);
    expect(
      largest(mapping(params, 'z', config, z), mapping(params, 'z', config, tf.mul(z, 3))),
    ).toBeLessThan(1e-5);
  });
});

const BLOCKS: Record<string, Omit<ResBlockConfig, 'timeDim'>> = {
  'plain biggan': { kind: 'biggan', inChannels: 8, outChannels: 8 },
  'up by FIR': { kind: 'biggan', inChannels: 8, outChannels: 8, resample: 'up' },
  'down by box': {
    kind: 'biggan',
    inChannels: 8,
    outChannels: 12,
    resample: 'down',
    filter: 'box',
  },
  ddpm: { kind: 'ddpm', inChannels: 8, outChannels: 12 },
  adaptive: { kind: 'biggan', inChannels: 8, outChannels: 8, styleDim: 3 },
};

describe('resBlock', () => {
  it.each(Object.entries(BLOCKS))('%s: gradient and gradient penalty', (_, block) => {
    const config = { ...block, timeDim: 5 };
    const params = draw(resBlockSpecs('b', config));
    const x = randn('x', [2, 8, 4, 4]);
    const conditioning = { time: { rows: randn('t', [2, 5]) }, style: randn('s', [2, 3]) };
    const loss = (p: Params, v: Tensor) =>
      tf.sum(tf.sin(resBlock(p, 'b', config, v, conditioning)));
    const penalty = (p: Params, v: Tensor) => tf.sum(tf.square(grad((y: Tensor) => loss(p, y))(v)));
    for (const f of [loss, penalty]) {
      const gradient = grad((v: Tensor) => f(params, v))(x);
      expect(directionalGap((v) => f(params, v), gradient, x, 5e-3)).toBeLessThan(2e-2);
    }
    const compiled = jit((p: Params, v: Tensor) => grad((y: Tensor) => penalty(p, y))(v));
    const eager = grad((v: Tensor) => penalty(params, v))(x);
    const scale = tf.max(tf.abs(eager)).dataSync()[0];
    expect(largest(compiled(params, x), eager)).toBeLessThan(1e-5 * scale);
  });

  it('starts as its shortcut', () => {
    const config: ResBlockConfig = { kind: 'biggan', inChannels: 8, outChannels: 8, timeDim: 5 };
    const params = Object.fromEntries(
      Object.entries(initialise(resBlockSpecs('b', config), 2, 's')).map(([k, h]) => [
        k,
        tf.tensor(h.data, [...h.shape]),
      ]),
    );
    const x = randn('start', [1, 8, 4, 4]);
    const y = resBlock(params, 'b', config, x, { time: { rows: tf.ones([1, 5]) } });
    expect(largest(y, tf.mul(x, Math.SQRT1_2))).toBeLessThan(1e-4);
  });

  describe('with dropout', () => {
    const block = { kind: 'biggan', inChannels: 8, outChannels: 4, timeDim: 5 } as const;
    const config: ResBlockConfig = { ...block, resample: 'down', dropout: 0.5 };
    const params = draw(resBlockSpecs('b', config));
    const x = randn('dropped', [2, 8, 8, 8]);
    const time = { rows: randn('t', [2, 5]) };
    const run = (drawn?: Tensor, c = config) =>
      resBlock(params, 'b', c, x, { time, ...(drawn && { drawn }) });
    const drawn = tf.cast(tf.greater(randn('mask', [2, 4, 4, 4]), 0), 'float32');

    it('drops nothing without draws, or at rate 0', () => {
      const plain = run(undefined, { ...config, dropout: 0 });
      expect(largest(run(), plain)).toBe(0);
      expect(largest(run(drawn, { ...config, dropout: 0 }), plain)).toBe(0);
    });

    it('is the plain block on the mean over what one draw and its opposite drop', () => {
      // The convolution behind it is affine.
      const [one, other] = [run(drawn), run(tf.sub(1, drawn))];
      expect(largest(one, other)).toBeGreaterThan(0.1);
      expect(largest(tf.div(tf.add(one, other), 2), run())).toBeLessThan(1e-5);
    });

    it('refuses draws of another shape', () => {
      expect(() => run(tf.zeros([2, 4, 8, 8]))).toThrow(
        /dropout: takes one draw per feature, \[2,4,4,4\], got \[2,4,8,8\]/,
      );
    });
  });
});

describe('layers given something else', () => {
  const params = { 'c.weight': tf.zeros([4, 3, 3, 3]), 'c.bias': tf.zeros([4]) };

  it('name the layer and the channels it takes', () => {
    expect(() => conv2d(params, 'c', tf.zeros([2, 4, 8, 8]))).toThrow(
      /'c' takes images \[batch, 3, height, width\], got \[2,4,8,8\]/,
    );
    expect(() => conv2d(params, 'c', tf.zeros([2, 3]))).toThrow(ShapeError);
  });

  it('name the key that is not there', () => {
    expect(() => conv2d(params, 'd', tf.zeros([2, 3, 8, 8]))).toThrow(/no parameter 'd\.weight'/);
  });
});
