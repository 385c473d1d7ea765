import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { hostTensor } from '../../src/core/host-tensor.ts';
import { normal } from '../../src/core/random.ts';
import { grad, jit, type Tensor, tf } from '../../src/jit/index.ts';
import { type BoundFlow, nice, timeNice } from '../../src/models/nice.ts';
import { initialise } from '../../src/nn/initialise.ts';
import { countParams, type ParamSpecs, type Params } from '../../src/nn/params.ts';

/** Parameters far from the start, so that every layer matters. */
function lively(specs: ParamSpecs, seed = 1, size = 0.15) {
  const start = initialise(specs, seed, 'nice');
  return Object.fromEntries(
    Object.entries(start).map(([key, { data, shape }]) => {
      const jitter = normal({ seed, stream: `jitter/${key}`, step: 0 }, data.length);
      return [
        key,
        hostTensor(
          Float32Array.from(data, (v, i) => v + size * jitter[i]),
          shape,
        ),
      ];
    }),
  );
}

const compiled = (fn: (p: Params, x: Tensor) => Tensor) => {
  const run = jit(fn) as unknown as (p: unknown, x: unknown) => Tensor;
  return (p: unknown, x: Float32Array, shape: number[]) => {
    const out = run(p, hostTensor(x, shape));
    const copy = (out.dataSync() as Float32Array).slice();
    out.dispose();
    return copy;
  };
};

const worst = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a, (v, i) => Math.abs(v - b[i])).reduce((m, d) => Math.max(m, d), 0);

const small = nice({ dim: 12, width: 16, layers: 5 });
const withTime = timeNice({ dim: 12, width: 16, layers: 3, timeDim: 8 });
const flows: [string, ParamSpecs, (p: Params) => BoundFlow][] = [
  ['nice', small.params, (p) => small.bind(p)],
  ['timeNice at level 0', withTime.params, (p) => withTime.flow(p, { levels: [0] })],
  ['timeNice at level 3', withTime.params, (p) => withTime.flow(p, { levels: [3] })],
];

describe.each(flows)('%s', (_, specs, bind) => {
  const params = lively(specs);
  const x = normal({ seed: 2, stream: 'x', step: 0 }, 40 * 12).map((v) => 2 * v);

  it('is inverted within 1e-5, from either side', () => {
    const there = compiled((p, z) => bind(p).inverse(bind(p).forward(z)))(params, x, [40, 12]);
    const back = compiled((p, z) => bind(p).forward(bind(p).inverse(z)))(params, x, [40, 12]);
    expect(worst(there, x)).toBeLessThan(1e-5);
    expect(worst(back, x)).toBeLessThan(1e-5);
  });

  it('has the density of a change of variables: log N(y) + log |det ∂y/∂x|', () => {
    const point = x.slice(0, 12);
    const forward = compiled((p, z) => bind(p).forward(z));
    const step = 1e-2;
    const columns = Array.from({ length: 12 }, (_, j) => {
      const moved = (h: number) =>
        forward(
          params,
          point.map((v, i) => (i === j ? v + h : v)),
          [1, 12],
        );
      // Fourth order: the step must be large for float32, and the network is curved.
      const [a, b, c, d] = [moved(-2 * step), moved(-step), moved(step), moved(2 * step)];
      return Array.from(a, (_v, i) => (a[i] - 8 * b[i] + 8 * c[i] - d[i]) / (12 * step));
    });
    const y = forward(params, point, [1, 12]);
    const base = y.reduce((s, v) => s - 0.5 * v * v - 0.5 * Math.log(2 * Math.PI), 0);
    const density = compiled((p, z) => bind(p).logDensity(z))(params, point, [1, 12])[0];
    expect(density).toBeCloseTo(base + logDeterminant(columns), 2);
  });
});

describe('nice', () => {
  it('has the parameters of the published network', () => {
    expect(countParams(nice().params)).toBe(4 * 3_788_392 + 784);
    expect(nice().params['nice4.dense5.weight'].shape).toEqual([392, 1000]);
  });

  it('integrates to one on a grid in two dimensions', () => {
    const network = nice({ dim: 2, width: 24, layers: 4 });
    const params = lively(network.params, 5, 0.25);
    const run = compiled((p, z) => network.bind(p).logDensity(z));
    const [size, limit] = [400, 12];
    const cell = (2 * limit) / size;
    const points = new Float32Array(2 * size * size);
    for (let i = 0; i < size * size; i++) {
      points[2 * i] = -limit + (Math.floor(i / size) + 0.5) * cell;
      points[2 * i + 1] = -limit + ((i % size) + 0.5) * cell;
    }
    const values = run(params, points, [size * size, 2]);
    const mass = values.reduce((sum, v) => sum + Math.exp(v), 0) * cell * cell;
    expect(Math.abs(mass - 1)).toBeLessThan(1e-3);
    // A density that is not the base itself: otherwise the integral would prove little.
    const base = (i: number) =>
      -0.5 * (points[2 * i] ** 2 + points[2 * i + 1] ** 2) - Math.log(2 * Math.PI);
    const furthest = values.reduce(
      (m, v, i) => Math.max(m, Math.abs(Math.exp(v) - Math.exp(base(i)))),
      0,
    );
    expect(furthest).toBeGreaterThan(0.02);
  });

  it('moves odd coordinates in the first coupling by what even ones say', () => {
    const network = nice({ dim: 4, width: 8, layers: 2 });
    const params = { ...lively(network.params, 3) };
    for (const key of Object.keys(params)) {
      if (/nice[234]|scale/.test(key))
        params[key] = hostTensor(
          params[key].data.map(() => 0),
          params[key].shape,
        );
    }
    const x = Float32Array.of(1, 10, 2, 20);
    const y = compiled((p, z) => network.bind(p).forward(z))(params, x, [1, 4]);
    expect([y[0], y[1]]).toEqual([1, 2]);
    const other = compiled((p, z) => network.bind(p).forward(z))(
      params,
      Float32Array.of(1, -7, 2, 5),
      [1, 4],
    );
    expect(y[2] - 10).toBeCloseTo(other[2] + 7, 5);
    expect(y[3] - 20).toBeCloseTo(other[3] - 5, 5);
  });

  it('refuses sizes it cannot split', () => {
    expect(() => nice({ dim: 7 })).toThrow(ConfigError);
    expect(() => nice({ dim: 0 })).toThrow(/even integer of at least 2, got 0/);
    expect(() => nice({ layers: 1 })).toThrow(/layers must be an integer of at least 2/);
    expect(() => timeNice({ width: 0.5 })).toThrow(/timeNice: width/);
  });
});

describe('timeNice', () => {
  it('gives mixed batches what each level gives alone', () => {
    const params = lively(withTime.params);
    const x = normal({ seed: 4, stream: 'x', step: 0 }, 3 * 12);
    const select = Float32Array.of(0, 1, 1, 0, 0, 1);
    const mixed = jit((p: Params, z: Tensor, s: Tensor) =>
      withTime.bind(p, { levels: [1, 2], select: s })(z),
    ) as unknown as (...a: unknown[]) => Tensor;
    const got = mixed(params, hostTensor(x, [3, 12]), hostTensor(select, [3, 2])).dataSync();
    const alone = [1, 2].map((t) =>
      compiled((p, z) => withTime.bind(p, { levels: [t] })(z))(params, x, [3, 12]),
    );
    [2, 1, 2].forEach((t, i) => {
      expect(got[i]).toBeCloseTo(alone[t - 1][i], 3);
    });
    expect(Math.abs(alone[0][0] - alone[1][0])).toBeGreaterThan(1e-3);
  });

  it('has a second derivative, as the gradient penalty needs it', () => {
    const params = lively(withTime.params);
    const penalty = (p: Params, z: Tensor) =>
      tf.sum(tf.square(grad((q: Tensor) => tf.sum(withTime.bind(p, { levels: [0] })(q)))(z)));
    const x = normal({ seed: 6, stream: 'x', step: 0 }, 12);
    const value = compiled((p, z) => penalty(p, z));
    const slopes = compiled((p, z) => grad((q: Tensor) => penalty(p, q))(z))(params, x, [1, 12]);
    const direction = normal({ seed: 7, stream: 'd', step: 0 }, 12);
    const at = (h: number) =>
      value(
        params,
        x.map((v, i) => v + h * direction[i]),
        [1, 12],
      )[0];
    const numeric = (at(1e-3) - at(-1e-3)) / 2e-3;
    const exact = slopes.reduce((s, g, i) => s + g * direction[i], 0);
    expect(exact / numeric).toBeCloseTo(1, 1);
  });
});

/** log |det| of a matrix given by columns, by elimination. */
function logDeterminant(columns: number[][]): number {
  const a = columns.map((c) => [...c]);
  let sum = 0;
  for (let k = 0; k < a.length; k++) {
    let pivot = k;
    for (let i = k; i < a.length; i++) if (Math.abs(a[i][k]) > Math.abs(a[pivot][k])) pivot = i;
    [a[k], a[pivot]] = [a[pivot], a[k]];
    sum += Math.log(Math.abs(a[k][k]));
    for (let i = k + 1; i < a.length; i++) {
      const factor = a[i][k] / a[k][k];
      for (let j = k; j < a.length; j++) a[i][j] -= factor * a[k][j];
    }
  }
  return sum;
}
