import { describe, expect, it } from 'vitest';
import { hostTensor } from '../../../src/core/host-tensor.ts';
import { normal, uniform } from '../../../src/core/random.ts';
import type { NoiseSpecs, Objective } from '../../../src/objectives/objective.ts';
import { drawNoise } from '../../../src/train/noise.ts';
import { Share } from '../../../src/train/parallel/share.ts';

const key = { seed: 5, stream: 'share', step: 2 };

function method(batch: number, batches = 1): Objective {
  const noise: NoiseSpecs = {
    rows: { kind: 'normal', shape: [batch, 3] },
    chain: { kind: 'normal', shape: [2, batch, 5] },
    level: { kind: 'integers', shape: [batch], high: 7 },
    coin: { kind: 'uniform', shape: [batch, 1, 3] },
    common: { kind: 'normal', shape: [4] },
  };
  const nothing = () => {
    throw new Error('not to be called');
  };
  const batchShape = [batches * batch, 2];
  return { name: 'share', batchShape, batches, noise, init: nothing, step: nothing };
}

/** The ranks' tensors put together along an axis. */
function together(parts: readonly { shape: readonly number[]; data: ArrayLike<number> }[]) {
  return (axis: number) => {
    const { shape } = parts[0];
    const outer = shape.slice(0, axis).reduce((a, b) => a * b, 1);
    const inner = shape.slice(axis).reduce((a, b) => a * b, 1);
    return Array.from({ length: outer }, (_, i) =>
      parts.flatMap(({ data }) => Array.from(data).slice(i * inner, (i + 1) * inner)),
    ).flat();
  };
}

describe('the share of a rank', () => {
  it.each([1, 2, 3])('is a part of what one process draws: %i ranks', (size) => {
    const whole = method(6);
    const drawn = drawNoise(whole.noise, key);
    const shares = Array.from({ length: size }, (_, rank) =>
      new Share(whole, method(6 / size), { rank, size }).noise(key),
    );
    const all = (name: string) => together(shares.map((s) => s[name]));
    expect(all('rows')(0)).toEqual(Array.from(drawn['rows'].data));
    expect(all('chain')(1)).toEqual(Array.from(drawn['chain'].data));
    expect(all('level')(0)).toEqual(Array.from(drawn['level'].data));
    expect(all('coin')(0)).toEqual(Array.from(drawn['coin'].data));
    for (const share of shares) expect(share['common']).toEqual(drawn['common']);
  });

  it('takes rows of each batch where a step needs several', () => {
    const data = hostTensor(
      Float32Array.from({ length: 16 }, (_, i) => i),
      [8, 2],
    );
    const part = new Share(method(4, 2), method(2, 2), { rank: 1, size: 2 }).data(data);
    expect(part.shape).toEqual([4, 2]);
    expect(Array.from(part.data)).toEqual([4, 5, 6, 7, 12, 13, 14, 15]);
  });

  it('refuses a method that is not the same with a smaller batch', () => {
    const build = () => new Share(method(6), method(4), { rank: 0, size: 2 });
    expect(build).toThrow("noise 'rows' is [6,3] for the whole batch and [4,3] for a rank");
  });
});

describe('draws from the middle', () => {
  it.each([0, 1, 2, 3, 4, 7, 64, 65, 1000])('begin at number %i', (from) => {
    expect(normal(key, 9, from)).toEqual(normal(key, 9 + from).slice(from));
    expect(uniform(key, 9, from)).toEqual(uniform(key, 9 + from).slice(from));
  });
});
