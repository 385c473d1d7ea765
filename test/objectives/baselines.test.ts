import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import type { HostTensor } from '../../src/core/host-tensor.ts';
import { normal } from '../../src/core/random.ts';
import { jit } from '../../src/jit/index.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import { mlp } from '../../src/models/mlp.ts';
import { bidvl } from '../../src/objectives/bidvl.ts';
import { ddgan } from '../../src/objectives/ddgan.ts';
import { drl } from '../../src/objectives/drl.ts';
import { ebmBb } from '../../src/objectives/ebm-bb.ts';
import { fce } from '../../src/objectives/fce.ts';
import { meg } from '../../src/objectives/meg.ts';
import type { Batch, HostState, Noise, Objective } from '../../src/objectives/objective.ts';
import type { PlayerState } from '../../src/objectives/player.ts';
import { scoreFlow } from '../../src/objectives/score-flow.ts';
import { samplerScore, vera } from '../../src/objectives/vera.ts';
import { wgan0gp } from '../../src/objectives/wgan-0gp.ts';
import { randn } from '../nn/calculus.ts';
import { blobs, lift, lower, noiseAt, shifted } from './helpers.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

// biome-ignore lint/suspicious/noExplicitAny: every method has a state of its own
type Any = Objective<any>;
type Players = Record<string, PlayerState<HostTensor>>;

const rate = (learningRate: number) => ({ learningRate, betas: [0, 0.9] as const });
const sides = (r: number) => ({ energyAdam: rate(r), generatorAdam: rate(r) });
const small = { posDim: 8, encoderLayers: [8], decoderLayers: [24, 24] };

/** A method, small, with all learning rates `r`; and the players whose loss is a plain function. */
const METHODS: Record<string, { build: (r: number) => Any; players: readonly string[] }> = {
  'wgan-0gp': {
    build: (r) => wgan0gp({ batch: 48, width: 24, ...sides(r) }),
    players: ['energy', 'generator'],
  },
  meg: {
    build: (r) => meg({ batch: 48, width: 24, energySteps: 2, ...sides(r) }),
    players: ['energy', 'generator'],
  },
  bidvl: {
    build: (r) => bidvl({ batch: 48, width: 24, ...sides(r) }),
    players: ['energy'],
  },
  vera: {
    build: (r) =>
      vera({ batch: 48, width: 24, importanceSamples: 8, posteriorAdam: rate(r), ...sides(r) }),
    players: ['energy', 'posterior'],
  },
  'ebm-bb': {
    // A smooth generator: with PReLU the Jacobian jumps, and differences across a jump see what no
    // derivative does.
    build: (r) =>
      ebmBb({
        batch: 48,
        width: 24,
        generator: mlp({ widths: [2, 24, 24, 2], activation: 'softplus', batchNorm: true }),
        boundWeight: 1,
        boundMargin: 0.01,
        ...sides(r),
      }),
    players: ['energy', 'generator'],
  },
  fce: {
    build: (r) => fce({ batch: 48, width: 24, pretraining: 0, accuracy: -1, ...sides(r) }),
    players: ['energy', 'flow'],
  },
  ddgan: {
    build: (r) => ddgan({ batch: 48, networks: small, ...sides(r) }),
    players: ['energy', 'generator'],
  },
  'ddgan (marginal)': {
    build: (r) => ddgan({ batch: 48, networks: small, discriminator: 'marginal', ...sides(r) }),
    players: ['energy', 'generator'],
  },
  'score-flow': {
    build: (r) => scoreFlow({ batch: 48, network: small, adam: rate(r), ema: 0.9 }),
    players: ['energy'],
  },
  drl: {
    build: (r) => drl({ batch: 48, network: small, adam: rate(r), chainSteps: 10, ema: 0.9 }),
    players: [],
  },
};

function stepOnce(objective: Any, state: unknown, k = 0) {
  return tf.tidy(() => {
    const out = objective.step(
      lift(state),
      { data: lift<Tensor>(blobs(objective.batchShape[0], k)) },
      lift(noiseAt(objective.noise, k)),
    );
    const metrics = Object.fromEntries(
      Object.entries(out.metrics).map(([name, v]) => [name, v.dataSync()[0]]),
    );
    return { state: lower(out.state), metrics } as never;
  }) as { state: HostState; metrics: Record<string, number> };
}

describe.each(Object.entries(METHODS))('%s', (_, { build, players }) => {
  it.each(players)('gives %s the gradient of its loss', (name) => {
    // Nothing moves, and with β1 = 0 the first moment is the gradient.
    const objective = build(0);
    const start = stepOnce(build(1e-3), objective.init(3)).state as unknown as Players;
    const { state } = stepOnce(objective, start);
    const gradient = (state as unknown as Players)[name].adam.m.data as Float32Array;
    const norm = Math.sqrt(gradient.reduce((s, g) => s + g * g, 0));
    const noise = normal({ seed: 2, stream: 'v', step: 0 }, gradient.length);
    const v = gradient.map((g, i) => g / norm + (0.3 * noise[i]) / Math.sqrt(gradient.length));
    const still = { ...start } as Players;
    for (const key of Object.keys(start)) {
      if (start[key].adam) {
        const zero = { ...start[key].adam.learningRate, data: Float32Array.of(0) };
        still[key] = { ...start[key], adam: { ...start[key].adam, learningRate: zero } };
      }
    }
    const loss = (h: number) =>
      stepOnce(objective, {
        ...still,
        [name]: { ...still[name], params: shifted(still[name].params, v, h) },
      }).metrics[`${name}Loss`];
    const h = 1e-3;
    const numeric = (loss(h) - loss(-h)) / (2 * h);
    const again = (stepOnce(objective, still).state as unknown as Players)[name].adam.m
      .data as Float32Array;
    const exact = again.reduce((s, g, i) => s + g * v[i], 0);
    expect(norm).toBeGreaterThan(0);
    expect(Math.abs(exact - numeric)).toBeLessThan(0.05 * Math.abs(numeric) + 2e-3);
  });

  it('is the same compiled as op by op', () => {
    const objective = build(1e-3);
    const start = objective.init(5);
    const eager = stepOnce(objective, start);
    const step = jit((s: unknown, b: Batch, n: Noise) => objective.step(s, b, n));
    type Args = Parameters<typeof step>;
    const compiled = step(
      start as Args[0],
      { data: blobs(objective.batchShape[0]) } as unknown as Args[1],
      noiseAt(objective.noise) as unknown as Args[2],
    );
    for (const [name, value] of Object.entries(compiled.metrics)) {
      const theirs = eager.metrics[name];
      expect(Math.abs(value.dataSync()[0] - theirs), name).toBeLessThan(
        2e-4 * Math.max(1, Math.abs(theirs)),
      );
    }
  });

  it('exports its networks and takes them back', () => {
    const objective = build(1e-3);
    const state = objective.init(5);
    const dicts = objective.exportNetworks?.(state) ?? {};
    expect(Object.keys(dicts)).not.toHaveLength(0);
    expect(objective.importNetworks?.(state, dicts)).toEqual(state);
    expect(() => objective.importNetworks?.(state, {})).toThrow();
  });
});

/** Trains on four blobs around the unit circle; returns where samples and energy ended up. */
function train(objective: Any, iterations: number) {
  const step = jit((s: unknown, b: Batch, n: Noise) => objective.step(s, b, n), { donate: [0] });
  type Args = Parameters<typeof step>;
  let state: unknown = objective.init(2);
  let metrics: Record<string, Tensor> = {};
  for (let k = 0; k < iterations; k++) {
    const out = step(
      state as Args[0],
      { data: blobs(objective.batchShape[0], k) } as unknown as Args[1],
      noiseAt(objective.noise, k) as unknown as Args[2],
    );
    state = out.state;
    metrics = { ...out.metrics };
  }
  const energyAt = (x: Tensor) => tf.mean(objective.energy?.(state, x) as Tensor).dataSync()[0];
  const samples = objective.sample?.(state, lift(noiseAt(objective.sampleNoise?.(300) ?? {})));
  const rows = (samples?.arraySync() ?? []) as number[][];
  const distances = rows.map(([x, y]) =>
    Math.min(Math.hypot(Math.abs(x) - 1, y), Math.hypot(x, Math.abs(y) - 1)),
  );
  return {
    onData: objective.energy && energyAt(lift<Tensor>(blobs(200, 9999))),
    far:
      objective.energy &&
      energyAt(
        tf.tensor2d([
          [2.5, 2.5],
          [-2.5, 2.5],
          [0, -3],
          [3, 0],
        ]),
      ),
    distance: distances.reduce((a, b) => a + b, 0) / distances.length,
    metrics,
  };
}

describe('a short training on four blobs', () => {
  it.each([
    ['wgan-0gp', wgan0gp({ batch: 64, width: 48, ...sides(2e-3) })],
    ['meg', meg({ batch: 64, width: 48, energySteps: 1, ...sides(2e-3) })],
    ['bidvl', bidvl({ batch: 64, width: 48, ...sides(2e-3) })],
    ['vera', vera({ batch: 64, width: 48, importanceSamples: 8, ...sides(2e-3) })],
    ['ebm-bb', ebmBb({ batch: 64, width: 48, ...sides(2e-3) })],
    ['fce', fce({ batch: 64, width: 48, pretraining: 200, ...sides(2e-3) })],
    [
      'ddgan',
      ddgan({
        batch: 64,
        networks: small,
        schedule: { steps: 2, betaMin: 0.1, betaMax: 10 },
        ...sides(2e-3),
      }),
    ],
    [
      'score-flow',
      scoreFlow({ batch: 64, network: small, adam: { learningRate: 2e-3 }, ema: 0.95 }),
    ],
    ['drl', drl({ batch: 64, network: small, adam: { learningRate: 1e-3 }, ema: 0.95 })],
  ] as [string, Any][])('%s', (name, objective) => {
    const out = train(objective, 500);
    for (const value of Object.values(out.metrics)) {
      expect(Number.isFinite(value.dataSync()[0])).toBe(true);
    }
    // A standard normal cloud lies 0.85 from the nearest centre, the data 0.13.
    if (objective.sample) expect(out.distance).toBeLessThan(0.6);
    if (objective.energy) expect(out.onData).toBeGreaterThan((out.far as number) + 0.5);
    expect(objective.sample ?? objective.energy, name).toBeDefined();
  });
});

describe('samplerScore', () => {
  it('is x/(a² + σ²) for a linear sampler, whose density is known', () => {
    const [a, sigma, n, s] = [1.5, 0.5, 400, 400];
    const h = randn('h', [n, 1]);
    const x = tf.add(tf.mul(h, a), tf.mul(randn('e', [n, 1]), sigma));
    // The exact posterior width of h given x.
    const eta = Math.sqrt(1 / (1 + a ** 2 / sigma ** 2));
    const draws = { h, logEta: tf.tensor1d([Math.log(2 * eta)]), noise: randn('p', [n, s, 1]) };
    const score = samplerScore((y) => tf.mul(y, a), tf.scalar(sigma), x, draws).dataSync();
    const exact = tf.div(x, a ** 2 + sigma ** 2).dataSync();
    let [error, size] = [0, 0];
    score.forEach((v, i) => {
      error += (v - exact[i]) ** 2;
      size += exact[i] ** 2;
    });
    expect(Math.sqrt(error / size)).toBeLessThan(0.25);
  });
});

describe('what the baselines refuse', () => {
  it('is named', () => {
    expect(() => ebmBb({ latentDim: 3 })).toThrow(ConfigError);
    expect(() => wgan0gp({ batch: 1 })).toThrow(/wgan-0gp.*batch/);
    expect(() => drl({ schedule: { steps: 1 } })).toThrow(ConfigError);
  });
});
