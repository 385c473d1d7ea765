import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/core/errors.ts';
import { type HostTensor, hostTensor } from '../../../src/core/host-tensor.ts';
import { uniform } from '../../../src/core/random.ts';
import { scheduleConfig } from '../../../src/diffusion/schedule.ts';
import { jit, type Tensor } from '../../../src/jit/index.ts';
import { smallEncoder } from '../../../src/models/encoders.ts';
import { ncsnppEnergy, ncsnppGenerator } from '../../../src/models/ncsnpp.ts';
import { type DdaebmState, ddaebm } from '../../../src/objectives/ddaebm.ts';
import type { DdaebmConfig } from '../../../src/objectives/ddaebm-config.ts';
import type { HostState } from '../../../src/objectives/objective.ts';
import { train } from '../../../src/train/loop.ts';
import { ALONE } from '../../../src/train/parallel/ranks.ts';
import { noiseAt } from '../../objectives/helpers.ts';

const BATCH = 4;
const SHAPE = [3, 32, 32];
const key = (step: number) => ({ seed: 2, stream: 'test/images', step });
const images = (step = 0) =>
  hostTensor(
    uniform(key(step), BATCH * 3072).map((v) => 2 * v - 1),
    [BATCH, ...SHAPE],
  );

function objectiveOf(config: DdaebmConfig = {}, recompute = false, dropout = 0) {
  const unet = { size: 32, width: 4, multipliers: [1, 1], blocks: 1, recompute, dropout };
  const latent = 6;
  return ddaebm({
    batch: BATCH,
    dataShape: SHAPE,
    latentDim: latent,
    schedule: scheduleConfig('cifar10'),
    posterior: 'image',
    reconstructionFloor: 'second',
    networks: {
      energy: ncsnppEnergy(unet),
      generator: ncsnppGenerator({ ...unet, latent, styleDim: 8, mappingDepth: 1 }),
      encoder: smallEncoder({ width: 2, latent, timeDim: 8 }),
    },
    // No movement: with β1 = 0 the first moment is then the gradient.
    energyAdam: { learningRate: 0 },
    generatorAdam: { learningRate: 0 },
    ...config,
  });
}

type Objective = ReturnType<typeof objectiveOf>;

/** A first state; the last layer would start next to zero, where half of the network has no gradient. */
function started(objective: Objective): DdaebmState<HostTensor> {
  const start = objective.init(3) as unknown as DdaebmState<HostTensor>;
  for (const side of ['energy', 'generator'] as const) {
    const values = start[side].params.data;
    values.forEach((v, i) => {
      values[i] = v + 0.05 * Math.sin(i);
    });
  }
  return start;
}

/** Gradients of both sides and the metrics, compiled. */
function evaluate(objective: Objective, step: Objective['step'] = objective.step) {
  const run = jit((s: DdaebmState, data: Tensor, noise: Record<string, Tensor>) =>
    step(s, { data }, noise),
  ) as unknown as (...args: unknown[]) => ReturnType<Objective['step']>;
  const { state, metrics } = run(started(objective), images(), noiseAt(objective.noise));
  const numbers = (t: Tensor) => Array.from(t.dataSync());
  return {
    energy: numbers(state.energy.adam.m),
    generator: numbers(state.generator.adam.m),
    metrics: Object.fromEntries(Object.entries(metrics).map(([k, v]) => [k, numbers(v)[0]])),
  };
}

/** Largest difference relative to the largest element. */
function apart(a: readonly number[], b: readonly number[]): number {
  const top = a.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  return a.reduce((m, v, i) => Math.max(m, Math.abs(v - b[i])), 0) / top;
}

describe('a step of images', () => {
  const whole = evaluate(objectiveOf());

  it('has in parts the gradient of the whole batch, to rounding', () => {
    const parts = evaluate(objectiveOf({ parts: 2 }));
    expect(apart(whole.energy, parts.energy)).toBeLessThan(2e-5);
    expect(apart(whole.generator, parts.generator)).toBeLessThan(2e-5);
    for (const [name, value] of Object.entries(whole.metrics)) {
      expect(parts.metrics[name] / value).toBeCloseTo(1, 4);
    }
  });

  it('has it part by part, too, in a training, with recomputed blocks', async () => {
    const dropped = (batch: number, recompute: boolean) => objectiveOf({ batch }, recompute, 0.1);
    const objective = dropped(BATCH, false);
    const state = started(objective) as unknown as HostState;
    const restored = { step: 0, state, seconds: 0, window: { count: 0, sums: {} } };
    const options = {
      ...{ objective, seed: 1, steps: 1, data: ({ step }: { step: number }) => images(step) },
      run: { restore: () => restored, save: () => {}, log: () => {} },
    };
    const withBatch = (batch: number) => dropped(batch, true);
    const parallel = { ranks: ALONE, parts: 2, batch: BATCH, withBatch };
    const [once, parts] = [await train(options), await train({ ...options, parallel })];
    for (const side of ['energy', 'generator'] as const) {
      const [a, b] = [once, parts].map((r) => {
        const { m } = (r.state as unknown as DdaebmState<HostTensor>)[side].adam;
        return Array.from(m.data);
      });
      expect(apart(a, b)).toBeLessThan(2e-5);
    }
    const { step: _, ...metrics } = once.metrics ?? { step: 0 };
    for (const [name, value] of Object.entries(metrics)) {
      expect((parts.metrics?.[name] ?? 0) / value).toBeCloseTo(1, 4);
    }
  });

  it('has with recomputed blocks the same gradient, penalty included', () => {
    const again = evaluate(objectiveOf({}, true));
    expect(apart(whole.energy, again.energy)).toBeLessThan(2e-5);
    expect(apart(whole.generator, again.generator)).toBeLessThan(2e-5);
  });

  it('takes a lazy penalty k times as strong every k iterations, and none between', () => {
    const objective = objectiveOf({ penaltyEvery: 5 });
    const regular = evaluate(objective);
    const strong = evaluate(objectiveOf({ gamma: 0.1 }));
    expect(apart(strong.energy, regular.energy)).toBeLessThan(1e-6);
    expect(objective.between?.every).toBe(5);
    const none = evaluate(objectiveOf({ gamma: 0 }));
    const between = evaluate(objective, objective.between?.step);
    expect(apart(none.energy, between.energy)).toBeLessThan(2e-5);
    expect(apart(none.generator, between.generator)).toBeLessThan(2e-5);
    expect(between.metrics['penalty']).toBe(0);
    expect(Object.keys(between.metrics).sort()).toEqual(Object.keys(whole.metrics).sort());
  });

  it('refuses parts that do not divide the batch, or batch norms in parts', () => {
    expect(() => objectiveOf({ parts: 3 })).toThrow(/parts must divide the batch of 4/);
    expect(() => objectiveOf({ parts: 4 })).toThrow(/at least 2/);
    expect(() => ddaebm({ parts: 2 })).toThrow(/batch norm/);
    expect(() => ddaebm({ penaltyEvery: 0 })).toThrow(ConfigError);
  });
});

describe('a training of images', () => {
  const moving = { energyAdam: { learningRate: 1e-3 }, generatorAdam: { learningRate: 1e-3 } };
  const options = () => ({
    objective: objectiveOf({ ...moving, ema: 0.9, penaltyEvery: 2 }),
    data: ({ step }: { step: number }) => images(step),
    seed: 1,
  });

  it('resumed in the middle ends bit-identical', async () => {
    const all = await train({ ...options(), steps: 6 });
    const half = await train({ ...options(), steps: 3 });
    const kept = { step: 3, state: half.state, seconds: 0, window: { count: 0, sums: {} } };
    const rest = await train({
      ...options(),
      steps: 6,
      run: { restore: () => kept, save: () => {}, log: () => {} },
    });
    expect(rest.resumedFrom).toBe(3);
    expect(rest.checksum).toBe(all.checksum);
    expect(half.checksum).not.toBe(all.checksum);
  });
});
