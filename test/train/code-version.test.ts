import { describe, expect, it } from 'vitest';
import { hostTensor } from '../../src/core/host-tensor.ts';
import { type Key, normal } from '../../src/core/random.ts';
import { toyConfig, toyObjective } from '../../src/experiments/toy-config.ts';
import { tf } from '../../src/jit/tf.ts';
import { type Computation, codeVersion } from '../../src/train/code-version.ts';
import { gaussian, gaussianBatch } from './gaussian.ts';

const base: Computation = { objective: gaussian() as never, data: gaussianBatch, steps: 100 };
const version = (more: Partial<Computation> = {}) => codeVersion({ ...base, ...more });

describe('codeVersion', () => {
  it('is the same for code that computes the same, however it is written', () => {
    const inner = gaussian();
    const rewritten = {
      ...inner,
      // Another closure around the same operations.
      step: (...all: Parameters<typeof inner.step>) => inner.step(...all),
    };
    expect(version({ objective: rewritten as never })).toBe(version());
    expect(version()).toMatch(/^[0-9a-f]{16}$/);
  });

  it('changes with anything that changes a number', () => {
    const inner = gaussian();
    const louder = {
      ...inner,
      step(...all: Parameters<typeof inner.step>) {
        const { state, metrics } = inner.step(...all);
        return { state: { ...state, mean: tf.mul(state.mean, 1.0001) }, metrics };
      },
    };
    const shifted = (key: Key) => hostTensor(normal(key, 16), [8, 2]);
    const versions = [
      version(),
      version({ objective: gaussian({ rate: 0.050001 }) as never }),
      version({ objective: louder as never }),
      version({ data: shifted }),
      version({
        objective: {
          ...inner,
          init: () => ({
            ...(inner.init(0) as object),
            mean: hostTensor(new Float32Array(2), [2]),
          }),
        } as never,
      }),
      version({ scalars: (step) => ({ rate: step }) }),
      version({ scalars: () => ({ rate: 1 }) }),
      version({ evaluation: { mmd: 0.1 } }),
      version({ objective: { ...inner, name: 'other' } as never }),
    ];
    expect(new Set(versions).size).toBe(versions.length);
  });

  it('tells objectives with a sampler and an energy apart by those, too', () => {
    const config = toyConfig({ preset: 'smoke', method: 'ddaebm' });
    const objective = toyObjective(config);
    const data = () => hostTensor(new Float32Array(400), [200, 2]);
    const of = (changed: object) =>
      codeVersion({ objective: { ...objective, ...changed } as never, data, steps: 10 });
    const doubled = (...all: Parameters<NonNullable<typeof objective.energy>>) =>
      tf.mul(objective.energy!(...all), 2);
    expect(of({ energy: doubled })).not.toBe(of({}));
    expect(of({ sample: undefined })).not.toBe(of({}));
  });
});
