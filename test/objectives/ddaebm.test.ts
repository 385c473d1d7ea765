import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, ShapeError } from '../../src/core/errors.ts';
import type { HostTensor } from '../../src/core/host-tensor.ts';
import { normal } from '../../src/core/random.ts';
import { jit } from '../../src/jit/index.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import { type DdaebmState, ddaebm } from '../../src/objectives/ddaebm.ts';
import { type DdaebmConfig, PAPER_FORM } from '../../src/objectives/ddaebm-config.ts';
import type { HostState } from '../../src/objectives/objective.ts';
import { unpackHost } from '../../src/optim/flat.ts';
import { blobs, lift, lower, noiseAt, shifted } from './helpers.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const SMALL: DdaebmConfig = {
  batch: 16,
  networks: { posDim: 6, encoderLayers: [5], decoderLayers: [12, 10] },
  schedule: { steps: 3, betaMin: 0.1, betaMax: 10 },
};
/** No movement: a step then evaluates both losses and, with β1 = 0, leaves the gradients in m. */
const STILL = { energyAdam: { learningRate: 0 }, generatorAdam: { learningRate: 0 } };

type Host = DdaebmState<HostTensor>;

function evaluate(config: DdaebmConfig, change?: (s: Host) => Host) {
  const objective = ddaebm({ ...SMALL, ...STILL, ...config });
  const start = objective.init(1) as unknown as Host;
  const host = change ? change(start) : start;
  return tf.tidy(() => {
    const { state, metrics } = objective.step(
      lift(host),
      { data: lift<Tensor>(blobs(16)) },
      lift(noiseAt(objective.noise)),
    );
    const numbers = Object.fromEntries(
      Object.entries(metrics).map(([k, v]) => [k, v.dataSync()[0]]),
    );
    const out = { start: host, state: lower(state) as unknown as Host, metrics: numbers };
    return out as never;
  }) as { start: Host; state: Host; metrics: Record<string, number> };
}

const VARIANTS: Record<string, DdaebmConfig> = {
  'the released toy form': {},
  "the paper's form": PAPER_FORM,
  'the released image form': { reconstruction: 'prior', reconstructionLoss: 'squared-error' },
  'recovery weights, also on KL': { recoveryWeights: [0.6, 0.2], weightKl: true },
  'KL divergence': { divergence: 'kl' },
  'KL without entropy': { divergence: 'kl-no-entropy' },
  'no latent': { latent: false },
  'one step': { schedule: { steps: 1, betaMin: 0.1, betaMax: 20, maxBeta: 0.999 } },
  'a light fake term': { fakeWeight: 0.1, gamma: 0.5 },
};

describe('the gradients of ddaebm', () => {
  it.each(Object.entries(VARIANTS))('are those of its losses: %s', (_, config) => {
    const { state } = evaluate(config);
    for (const side of ['energy', 'generator'] as const) {
      const gradient = state[side].adam.m.data as Float32Array;
      const n = gradient.length;
      // Along the gradient itself, where the difference is largest against rounding.
      const norm = Math.sqrt(gradient.reduce((s, g) => s + g * g, 0));
      const noise = normal({ seed: 2, stream: 'v', step: 0 }, n);
      const v = gradient.map((g, i) => g / norm + (0.3 * noise[i]) / Math.sqrt(n));
      const loss = (h: number) =>
        evaluate(config, (s) => ({
          ...s,
          [side]: { ...s[side], params: shifted(s[side].params, v, h) },
        })).metrics[`${side}Loss`];
      const h = 5e-4;
      const numeric = (loss(h) - loss(-h)) / (2 * h);
      const exact = gradient.reduce((s, g, i) => s + g * v[i], 0);
      expect(Math.abs(exact / numeric - 1), side).toBeLessThan(3e-2);
    }
  });

  it('come out the same compiled as op by op', () => {
    const objective = ddaebm(SMALL);
    const step = jit((s: DdaebmState, b: { data: Tensor }, n: Record<string, Tensor>) =>
      objective.step(s, b, n),
    );
    const args = [objective.init(4), { data: blobs(16) }, noiseAt(objective.noise)] as const;
    const compiled = step(...(args as unknown as Parameters<typeof step>));
    const eager = objective.step(lift(args[0]), lift(args[1]), lift(args[2]));
    for (const [name, value] of Object.entries(eager.metrics)) {
      const ours = compiled.metrics[name].dataSync()[0];
      expect(Math.abs(ours - value.dataSync()[0])).toBeLessThan(1e-4 * Math.max(1, Math.abs(ours)));
    }
    for (const side of ['energy', 'generator'] as const) {
      const a = compiled.state[side].adam.m.dataSync();
      const b = eager.state[side].adam.m.dataSync() as Float32Array;
      const scale = b.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
      a.forEach((x, i) => {
        expect(Math.abs(x - b[i])).toBeLessThan(1e-4 * scale);
      });
    }
  });
});

describe('the terms of ddaebm', () => {
  it('add up to the losses', () => {
    const { metrics: m } = evaluate({ latentWeight: 0.3, fakeWeight: 0.7 });
    expect(m['energyLoss']).toBeCloseTo(-m['realEnergy'] + 0.7 * m['fakeEnergy'] + m['penalty'], 4);
    expect(m['generatorLoss']).toBeCloseTo(
      -m['likelihood'] + m['latent'] + m['reconstruction'] + m['kl'],
      4,
    );
  });

  it('are left out by the ablations, and only those', () => {
    const names = (c: DdaebmConfig) => Object.keys(evaluate(c).metrics).sort();
    const full = names({});
    expect(names({ divergence: 'kl' })).toEqual(
      full.filter((n) => n !== 'reconstruction' && n !== 'kl'),
    );
    expect(names({ divergence: 'kl-no-entropy' })).toEqual(
      full.filter((n) => !['reconstruction', 'kl', 'latent'].includes(n)),
    );
    expect(names({ latent: false })).toEqual(full.filter((n) => n !== 'kl' && n !== 'latent'));
    expect(ddaebm({ ...SMALL, latent: false }).noise['z']).toBeUndefined();
  });

  it('scale with their weights', () => {
    const one = evaluate({ latentWeight: 1 }).metrics;
    const tenth = evaluate({ latentWeight: 0.1 }).metrics;
    expect(tenth['latent'] * 10).toBeCloseTo(one['latent'], 4);
    expect(evaluate({ gamma: 0.2 }).metrics['penalty']).toBeCloseTo(
      10 * evaluate({ gamma: 0.02 }).metrics['penalty'],
      2,
    );
  });

  it('reach the encoder except without entropy', () => {
    const encoderGradient = (config: DdaebmConfig) => {
      const { layout } = ddaebm({ ...SMALL, ...config }).players.generator;
      const m = evaluate(config).state.generator.adam.m.data as Float32Array;
      const g = unpackHost(layout, m)['netE.fc_mu.weight'].data as Float32Array;
      return g.reduce((s, x) => s + Math.abs(x), 0);
    };
    expect(encoderGradient({})).toBeGreaterThan(0);
    expect(encoderGradient({ divergence: 'kl' })).toBeGreaterThan(0);
    expect(encoderGradient({ divergence: 'kl-no-entropy' })).toBe(0);
    expect(encoderGradient({ latent: false })).toBe(0);
  });

  it('include the constant of the forward density in the penalty (A11)', () => {
    // With E = 0 the penalty is γ/2·|∇log q|², whose mean over noise is γ/2·n·a²/β.
    const { metrics } = evaluate({}, (s) => ({
      ...s,
      energy: {
        ...s.energy,
        params: shifted(s.energy.params, s.energy.params.data.map((x) => -x) as Float32Array, 1),
      },
    }));
    const { coefficients, steps } = ddaebm(SMALL).config;
    const t = Array.from(noiseAt(ddaebm(SMALL).noise)['t'].data);
    const expected =
      t.reduce((s, k) => s + (coefficients.a[k + 1] / coefficients.sigma[k + 1]) ** 2, 0) /
      t.length;
    expect(steps).toBe(3);
    // 32 squared normal draws: a factor of 1 ± 0.25 each way, three standard errors.
    expect(metrics['penalty'] / (0.01 * 2 * expected)).toBeGreaterThan(0.4);
    expect(metrics['penalty'] / (0.01 * 2 * expected)).toBeLessThan(1.9);
  });
});

describe('the state of ddaebm', () => {
  it('starts from the seed alone', () => {
    const objective = ddaebm(SMALL);
    expect(objective.init(5)).toEqual(objective.init(5));
    expect(objective.init(5)).not.toEqual(objective.init(6));
  });

  it('keeps running statistics of both passes and none of the idle norms', () => {
    const objective = ddaebm({ ...SMALL, ...STILL });
    const { state } = evaluate({});
    const dicts = objective.exportNetworks?.(state as unknown as HostState);
    const netG = dicts?.['netG'] ?? {};
    expect(netG['net.layers_bn.0.num_batches_tracked'].data[0]).toBe(2);
    expect(netG['net.layers_bn.2.num_batches_tracked'].data[0]).toBe(0);
    expect(Array.from(netG['net.layers_bn.2.running_var'].data)).toEqual([1, 1]);
    expect(netG['net.layers_bn.0.running_mean'].data.some((x) => x !== 0)).toBe(true);
  });

  it('survives export and import, and refuses a foreign state dict', () => {
    const objective = ddaebm(SMALL);
    const state = objective.init(9);
    const dicts = objective.exportNetworks?.(state) ?? {};
    expect(objective.importNetworks?.(objective.init(1), dicts)).toEqual(
      Object.assign({}, objective.init(1), {
        energy: {
          ...(objective.init(1) as never as Host).energy,
          params: (state as never as Host).energy.params,
        },
        generator: {
          ...(objective.init(1) as never as Host).generator,
          params: (state as never as Host).generator.params,
        },
      }),
    );
    const { 'net.layers.0.weight': _, ...rest } = dicts['netD'];
    expect(() => objective.importNetworks?.(state, { ...dicts, netD: rest })).toThrow(ShapeError);
  });

  it('carries an average of the parameters when asked', () => {
    const objective = ddaebm({ ...SMALL, ema: 0.5 });
    const step = (s: HostState, k: number) =>
      lower(
        objective.step(
          lift(s),
          { data: lift<Tensor>(blobs(16, k)) },
          lift(noiseAt(objective.noise, k)),
        ).state,
      );
    const one = step(objective.init(1), 0) as unknown as Host;
    expect(one.energy.ema?.average.data).toEqual(one.energy.params.data);
    const two = step(one as unknown as HostState, 1) as unknown as Host;
    const [average, a, b] = [
      two.energy.ema?.average.data ?? [],
      one.energy.params.data,
      two.energy.params.data,
    ];
    for (const i of [0, 7, 50]) expect(average[i]).toBeCloseTo((a[i] + b[i]) / 2, 6);
    // What is looked at afterwards is the average.
    const x = lift<Tensor>(blobs(4));
    const imported = { ...two, energy: { ...two.energy, params: two.energy.ema?.average } };
    const plain = ddaebm(SMALL).energy?.(lift(imported), x) as Tensor;
    const averaged = objective.energy?.(lift(two), x) as Tensor;
    expect(averaged.dataSync()).toEqual(plain.dataSync());
    const exported = (average: boolean) =>
      objective.exportNetworks?.(two as unknown as HostState, average)?.['netD'][
        'net.layers.1.bias'
      ].data;
    expect(exported(true)).not.toEqual(exported(false));
  });

  it('refuses options that do not exist', () => {
    expect(() => ddaebm({ divergence: 'jeffrey' as 'kl' })).toThrow(/did you mean 'jeffreys'/);
    expect(() => ddaebm({ batch: 1 })).toThrow(ConfigError);
    expect(() => ddaebm({ gamma: -1 })).toThrow(/gamma/);
    expect(() => ddaebm({ dataShape: [3, 8, 8] })).toThrow(/networks/);
  });
});

describe('training', () => {
  it('moves the generator to the data and raises the energy there', () => {
    const objective = ddaebm({
      batch: 64,
      networks: { posDim: 8, encoderLayers: [16], decoderLayers: [48, 48] },
      schedule: { steps: 2, betaMin: 0.1, betaMax: 10 },
      energyAdam: { learningRate: 2e-3 },
      generatorAdam: { learningRate: 2e-3 },
    });
    const step = jit(
      (s: DdaebmState, b: { data: Tensor }, n: Record<string, Tensor>) => objective.step(s, b, n),
      { donate: [0] },
    );
    type Args = Parameters<typeof step>;
    let state = objective.init(2) as unknown as DdaebmState;
    for (let k = 0; k < 600; k++) {
      state = step(
        state as Args[0],
        { data: blobs(64, k) } as unknown as Args[1],
        noiseAt(objective.noise, k) as unknown as Args[2],
      ).state;
    }
    const on = lift<Tensor>(blobs(200, 9999));
    const off = tf.zeros([200, 2]);
    const meanEnergy = (x: Tensor) => tf.mean(objective.energy?.(state, x) as Tensor).dataSync()[0];
    expect(meanEnergy(on)).toBeGreaterThan(meanEnergy(off) + 0.3);
    const specs = objective.sampleNoise?.(400) ?? {};
    const samples = objective.sample?.(state, lift(noiseAt(specs))) as Tensor;
    const rows = samples.arraySync() as number[][];
    // Distance to the nearest of the four centres; a standard normal cloud has a mean of 0.85.
    const distance = rows.map(([x, y]) =>
      Math.min(Math.hypot(Math.abs(x) - 1, y), Math.hypot(x, Math.abs(y) - 1)),
    );
    expect(distance.reduce((a, b) => a + b) / distance.length).toBeLessThan(0.4);
  });
});
