import { describe, expect, it } from 'vitest';
import { normal } from '../../src/core/random.ts';
import { subVp } from '../../src/diffusion/sub-vp.ts';
import { tf } from '../../src/jit/tf.ts';
import { probabilityFlow } from '../../src/samplers/probability-flow.ts';

const diffusion = subVp();
/** Variance at t of data N(0, v): e^{-B}v + (1 - e^{-B})². */
const variance = (v: number, t: number) => {
  const b = diffusion.integral(t);
  return Math.exp(-b) * v + Math.expm1(-b) ** 2;
};

/** Samples for data N(mean, v) per coordinate, with the exact score. */
function sample(mean: number, v: number, steps: number, start: Float32Array) {
  const score = (x: ReturnType<typeof tf.tensor>, t: number) => {
    const centre = mean * Math.exp(-diffusion.integral(t) / 2);
    return tf.div(tf.sub(centre, x), variance(v, t));
  };
  const x = tf.tensor2d(start, [start.length / 2, 2]);
  return probabilityFlow(diffusion, score, x, { steps, lastTime: 0.01 }).dataSync() as Float32Array;
}

describe('the probability-flow ODE', () => {
  it('carries N(0, I) to the data, for which the flow is an affine map', () => {
    const start = normal({ seed: 1, stream: 'start', step: 0 }, 400);
    const [mean, v] = [0.7, 0.04];
    const end = sample(mean, v, 80, start);
    // A Gaussian's flow keeps (x − mean)/deviation.
    const from = Math.sqrt(variance(v, 1));
    const to = Math.sqrt(variance(v, 0.01));
    const [m1, m0] = [1, 0.01].map((t) => mean * Math.exp(-diffusion.integral(t) / 2));
    const expected = start.map((x) => m0 + ((x - m1) / from) * to);
    const worst = Math.max(...end.map((x, i) => Math.abs(x - expected[i])));
    expect(worst).toBeLessThan(0.01);
  });

  it('is of second order in the step', () => {
    const start = normal({ seed: 2, stream: 'start', step: 0 }, 20);
    const exact = sample(0.3, 0.25, 1280, start);
    const error = (steps: number) => {
      const end = sample(0.3, 0.25, steps, start);
      return Math.max(...end.map((x, i) => Math.abs(x - exact[i])));
    };
    const slope = Math.log2(error(40) / error(80));
    expect(slope).toBeGreaterThan(1.6);
    expect(slope).toBeLessThan(2.6);
  });
});
