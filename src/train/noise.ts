import { type HostTensor, hostTensor, sizeOf } from '../core/host-tensor.ts';
import { integers, type Key, normal, uniform } from '../core/random.ts';
import type { NoiseSpecs } from '../objectives/objective.ts';

/**
 * Draws every random tensor a step or a sampler asks for.
 * @param key each tensor gets the stream `${key.stream}/${name}`.
 */
export function drawNoise(specs: NoiseSpecs, key: Key): Record<string, HostTensor> {
  const draw = ([name, spec]: [string, NoiseSpecs[string]]): [string, HostTensor] => {
    const own = { ...key, stream: `${key.stream}/${name}` };
    const n = sizeOf(spec.shape);
    switch (spec.kind) {
      case 'normal':
        return [name, hostTensor(normal(own, n), spec.shape)];
      case 'uniform':
        return [name, hostTensor(uniform(own, n), spec.shape)];
      case 'integers':
        return [name, hostTensor(integers(own, n, spec.high ?? 0), spec.shape)];
    }
  };
  return Object.fromEntries(Object.entries(specs).map(draw));
}
