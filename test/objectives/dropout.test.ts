import { describe, expect, it } from 'vitest';
import { hostTensor } from '../../src/core/host-tensor.ts';
import { normal } from '../../src/core/random.ts';
import { jit } from '../../src/jit/index.ts';
import type { Tensor } from '../../src/jit/tf.ts';
import { smallEncoder } from '../../src/models/encoders.ts';
import { ncsnppEnergy, ncsnppGenerator } from '../../src/models/ncsnpp.ts';
import { ddaebm } from '../../src/objectives/ddaebm.ts';
import { drawNoise } from '../../src/train/noise.ts';

const BATCH = 4;
const IMAGE = [3, 32, 32];
const UNET = { size: 32, width: 4, multipliers: [1], blocks: 1, attentionAt: [] };
const DROPPING = { dropout: 0.4, ...UNET };

const build = (network: typeof UNET) =>
  ddaebm({
    batch: BATCH,
    dataShape: IMAGE,
    latentDim: 5,
    posterior: 'image',
    networks: {
      energy: ncsnppEnergy(network),
      generator: ncsnppGenerator({ ...network, latent: 5, styleDim: 6 }),
      encoder: smallEncoder({ width: 4, latent: 5 }),
    },
  });

const key = (step: number) => ({ seed: 1, stream: 'dropout', step });
const data = hostTensor(normal(key(0), BATCH * 3 * 32 * 32), [BATCH, ...IMAGE]);

describe('dropout in a step of DDAEBM', () => {
  const objective = build(DROPPING);
  const step = jit((state: unknown, x: Tensor, noise: Record<string, Tensor>) => {
    const { metrics } = objective.step(state as never, { data: x }, noise);
    return metrics;
  });
  const state = perturbed(objective.init(0));
  const draws = drawNoise(objective.noise, key(1));
  const metricsOf = (noise: typeof draws) =>
    Object.fromEntries(
      Object.entries(step(state as never, data as never, noise as never)).map(([k, v]) => [
        k,
        v.dataSync()[0],
      ]),
    );

  it('has draws for the passes of the generator and the energy, and none without dropout', () => {
    const names = Object.keys(objective.noise).filter((name) => name.startsWith('dropout/'));
    const passes = new Set(names.map((name) => name.split('/')[1]));
    expect([...passes].sort()).toEqual(['critic', 'fake', 'posterior', 'prior', 'real']);
    for (const name of names) expect(objective.noise[name].shape[0]).toBe(BATCH);
    const without = Object.keys(build(UNET).noise);
    expect(without.filter((name) => name.startsWith('dropout/'))).toEqual([]);
  });

  it.each([
    ['real', ['realEnergy'], ['fakeEnergy', 'reconstruction']],
    ['fake', ['fakeEnergy'], ['realEnergy', 'reconstruction']],
    ['critic', ['likelihood'], ['realEnergy', 'fakeEnergy', 'reconstruction']],
    ['posterior', ['reconstruction'], ['realEnergy', 'fakeEnergy', 'likelihood']],
    ['prior', ['fakeEnergy', 'likelihood'], ['realEnergy', 'reconstruction']],
  ])('%s: other draws change what that pass computes and nothing else', (pass, changed, same) => {
    const before = metricsOf(draws);
    const others = drawNoise(objective.noise, key(2));
    const after = metricsOf(
      Object.fromEntries(
        Object.entries(draws).map(([name, drawn]) => [
          name,
          name.startsWith(`dropout/${pass}/`) ? others[name] : drawn,
        ]),
      ),
    );
    for (const name of changed) expect(after[name]).not.toBe(before[name]);
    for (const name of same) expect([name, after[name]]).toEqual([name, before[name]]);
  });
});

/** Parameters away from their start, where the last layers are next to zero. */
function perturbed(state: ReturnType<ReturnType<typeof build>['init']>): unknown {
  const s = structuredClone(state) as unknown as Record<string, { params: { data: Float32Array } }>;
  for (const player of Object.values(s)) {
    const noise = normal(key(3), player.params.data.length);
    player.params.data.forEach((v, i) => {
      player.params.data[i] = v + 0.02 * noise[i];
    });
  }
  return s;
}
